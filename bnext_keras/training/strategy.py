"""Training on several devices or machines, with the results of one.

N workers that share a batch compute what one process computes with the whole batch, but for rounding: each gets its
part of every batch (the data's ``shard``), gradients are summed before they are clipped, and batch normalizations see
the statistics of the whole batch. Only their running variances differ, by n / (n - 1) for n values per channel: Keras'
fused kernel estimates without bias, its synchronized form does not.
"""

import re
from collections.abc import Callable

from bnext_keras.logs import get_logger
from bnext_keras.sublayers import sublayers
from bnext_keras.text import first_line

import tensorflow as tf

log = get_logger(__name__)

STRATEGIES = ("none", "mirrored", "multi_worker")


def make_repeatable() -> None:
    """Makes TensorFlow run one operation at a time on the CPU, each still on all cores.

    Otherwise two trainings with the same seed agree for a hundred steps or so and then differ in their last bits,
    which `tf.config.experimental.enable_op_determinism` does not change. Must come before TensorFlow's first operation.

    Example:
        >>> from bnext_keras.training.strategy import make_repeatable
        >>> make_repeatable()
    """
    try:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        log.warning("TensorFlow is in use already: this run may differ in its last bits from another one")


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The strategy for ``"none"``, ``"mirrored"`` or ``"multi_worker"`` (several machines, named by TF_CONFIG).

    "mirrored" uses all GPUs that TensorFlow sees in this machine; where there is none, its CPUs. That is one, unless
    `tf.config.set_logical_device_configuration` has divided it: a way to try out what will run on GPUs.

    Call it before anything else of TensorFlow: a worker that has begun cannot join others.

    Raises:
        ValueError: if there is no such strategy.

    Example:
        >>> from bnext_keras.training.strategy import make_strategy
        >>> make_strategy("none").num_replicas_in_sync
        1
    """
    if name not in STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, got {name!r}")
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def is_distributed(strategy: tf.distribute.Strategy) -> bool:
    """Whether this is a strategy at all, if only for one device."""
    with strategy.scope():
        return tf.distribute.has_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the files."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.cluster_spec().jobs or resolver.task_id == 0


def lost_worker(strategy: tf.distribute.Strategy, error: tf.errors.OpError) -> str:
    """How TensorFlow tells of a worker that has died, when what all do together fails; "" for any other error."""
    resolver = strategy.cluster_resolver
    if resolver is None or sum(map(len, resolver.cluster_spec().as_dict().values())) < 2:
        return ""
    found = re.search(r"aborted by: ([^\n]{1,120})", error.message)
    if found:
        return found[1]
    is_lost = isinstance(error, tf.errors.UnavailableError | tf.errors.AbortedError | tf.errors.DeadlineExceededError)
    return first_line(error, 120) if is_lost else ""


def distribute(
    strategy: tf.distribute.Strategy,
    batch_size: int,
    make: Callable[[tuple[int, int]], tf.data.Dataset],
    examples: int | None = None,
) -> tf.data.Dataset:
    """Every worker's part of the data, divided among its devices.

    Args:
        strategy: A strategy of `make_strategy`.
        batch_size: Images in one batch, on all devices together; a multiple of their number.
        make: Makes the dataset of a shard ``(worker, number of workers)``, whose batches are that worker's parts.
        examples: How many there are, if each is to be seen once, in `evaluation_steps`; None if all batches are full.
    """
    if not is_distributed(strategy):
        return make((0, 1))

    def of_worker(context):
        index, count = context.input_pipeline_id, context.num_input_pipelines
        sizes = [context.get_per_replica_batch_size(batch_size)]
        if examples is not None:
            batches = evaluation_steps(strategy, batch_size, examples) * strategy.num_replicas_in_sync // count
            sizes = even_parts(len(range(index, examples, count)), batches)
        return make((index, count)).rebatch(sizes)

    return strategy.distribute_datasets_from_function(of_worker)


def evaluation_steps(strategy: tf.distribute.Strategy, batch_size: int, examples: int) -> int:
    """How many steps show every example once and none of the devices an empty batch, which some kernels cannot bear.

    Args:
        strategy: A strategy of `make_strategy`.
        batch_size: Images in one batch, on all devices together; a multiple of their number.
        examples: How many there are, one for each device at least.

    Example:
        >>> from bnext_keras.training.strategy import evaluation_steps, make_strategy
        >>> evaluation_steps(make_strategy("none"), 32, 65)
        3
    """
    return min(-(-examples // batch_size), examples // strategy.num_replicas_in_sync)


def even_parts(count: int, parts: int) -> list[int]:
    """Whole numbers that add up to ``count`` and differ by 1 at most.

    Example:
        >>> from bnext_keras.training.strategy import even_parts
        >>> even_parts(11, 3)
        [4, 4, 3]
    """
    return [count // parts + (i < count % parts) for i in range(parts)]


def synchronize_batch_norm(model: tf.keras.Model) -> None:
    """Makes batch normalizations use the statistics of the whole batch, not of each device's part.

    This is no property of the saved model, which is the same as without.

    Example:
        >>> import bnext_keras
        >>> from bnext_keras.training.strategy import synchronize_batch_norm
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> config = model.get_config()
        >>> synchronize_batch_norm(model)
        >>> model.get_layer("stem_bn").synchronized, model.get_config() == config
        (True, True)
    """
    for layer in sublayers(model):
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.synchronized = True
            layer.fused = False
