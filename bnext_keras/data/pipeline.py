"""Batches for training and evaluation, the same ones whenever and wherever they are made.

    examples = data.from_folder("imagenet/train")
    batches = data.training_data(examples, image_size=224, batch_size=512, epochs=512, first_epoch=start)
    steps = data.steps_per_epoch(examples, 512)
    model.fit(batches, epochs=512, initial_epoch=start, steps_per_epoch=steps)

One dataset runs through all epochs, so that the next epoch is already being loaded when one ends. What an example's
augmentation draws depends on the seed, the epoch and the example's position in the epoch alone, so a run resumed at
epoch k sees what an uninterrupted one sees from there on.

An epoch has ``len(examples) // batch_size`` steps; which examples are left over changes with every epoch. In the place
of a broken image stands the next sound one of the epoch, augmented in its own way: everything else stays where it
is, on every worker.
"""

import os

from bnext_keras.data.augment import Augmentation
from bnext_keras.data.augment.mixing import mix_batch
from bnext_keras.data.broken import BrokenImages
from bnext_keras.data.examples import Examples, Order
from bnext_keras.data.loading import Loader
from bnext_keras.data.processes import CHUNK, check_processes
from bnext_keras.data.views import EvaluationView, TrainingView
from bnext_keras.preprocessing import Normalization, default_crop

import numpy as np
import tensorflow as tf


def steps_per_epoch(examples: Examples, batch_size: int) -> int:
    """How many full batches an epoch has.

    Raises:
        ValueError: if there are fewer examples than one batch needs.
    """
    if not 1 <= batch_size <= len(examples):
        raise ValueError(f"batch_size must be from 1 to the number of examples, {len(examples)}, got {batch_size}")
    return len(examples) // batch_size


def training_data(
    examples: Examples,
    *,
    image_size: int | tuple[int, int],
    batch_size: int,
    epochs: int,
    first_epoch: int = 0,
    augmentation: Augmentation | None = None,
    normalization: Normalization | None = None,
    normalized: bool = True,
    seed: int = 0,
    shard: tuple[int, int] = (0, 1),
    threads: int | None = None,
    processes: int = 0,
    broken: BrokenImages | None = None,
) -> tf.data.Dataset:
    """Shuffled, augmented batches of the epochs from ``first_epoch`` on.

    Args:
        examples: The data set.
        image_size: Height and width in pixels, or one number for both.
        batch_size: Images in one batch, of all workers together.
        epochs: The number of the last epoch, plus one.
        first_epoch: Number of the first epoch, counted from 0.
        augmentation: What happens to the images; by default `Augmentation.imagenet`.
        normalization: What happens to the pixels; by default `Normalization.imagenet`.
        normalized: Whether it happens here. False leaves that to the train step, see `bnext_keras.training.pixels`: to
            the process that trains, a batch then costs a quarter. Images that are mixed or partly erased are normalized
            all the same.
        seed: Seed of order and augmentation, 0 or more.
        shard: This worker's number and how many there are: ``(0, 1)`` for all of the data. With ``n`` workers,
            the union of their k-th batches, ``batch_size / n`` images each, is the k-th batch of a single process.
            (Only mixup and cutmix differ: they mix within a worker's images.) Made for
            ``strategy.distribute_datasets_from_function``, which leaves batches as they are.
        threads: How many images are prepared at the same time; by default one per core.
        processes: How many processes prepare them instead. Python's lock lets threads use about four cores for large
            images and one for small ones, which may be too little to keep a GPU busy. What comes out is the same, bit
            for bit. A program of your own must begin its work below ``if __name__ == "__main__"``, as every process
            imports it; `bnext_keras.data.processes.default_processes` suggests a number.
        broken: Collects the names of images that cannot be read, while the dataset is iterated.

    Returns:
        A dataset of ``(images, labels)``: float32 ``(batch, height, width, 3)``, normalized, or uint8 if they are not;
        and int32 ``(batch,)`` or, if images are mixed, float32 ``(batch, classes)``, the share of every class.

    Raises:
        ValueError: if numbers do not fit together.

    Example:
        >>> from bnext_keras import data
        >>> examples = data.from_arrays(np.zeros((10, 8, 8, 3), np.uint8), np.arange(10) % 2)
        >>> batches = data.training_data(examples, image_size=8, batch_size=4, epochs=3)
        >>> [(images.shape, len(labels)) for images, labels in batches][0], len(list(batches))
        ((TensorShape([4, 8, 8, 3]), 4), 6)
    """
    augmentation = Augmentation.imagenet() if augmentation is None else augmentation
    normalization = Normalization.imagenet() if normalization is None else normalization
    size = _size(image_size)
    steps = steps_per_epoch(examples, batch_size)
    length = steps * batch_size
    index, count = _checked_shard(shard, batch_size)
    check_processes(processes)
    if not 0 <= first_epoch <= epochs:
        raise ValueError(f"first_epoch must be from 0 to epochs, {epochs}, got {first_epoch}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")

    view = TrainingView(augmentation, size, seed, normalization)
    broken = BrokenImages() if broken is None else broken
    loader = Loader(examples, view, broken, Order(examples, seed), processes)

    def places_of(epoch):
        # What is left over at an epoch's end may still take a broken image's place.
        keys = examples.keys(epoch, seed).take(length)
        return tf.data.Dataset.zip((tf.data.Dataset.from_tensors(epoch).repeat(), tf.data.Dataset.range(length), keys))

    def mixed(number, batch):
        images, labels = batch
        epoch, step = first_epoch + number // steps, number % steps
        return mix_batch(images, tf.one_hot(labels, examples.num_classes), augmentation, seed, epoch, step)

    data = tf.data.Dataset.range(first_epoch, epochs).flat_map(places_of).shard(count, index)
    normalization = normalization if normalized or augmentation.mixes else None
    data = _batches(data, loader, normalization, batch_size // count, threads, processes, whole=True)
    if augmentation.mixes:
        data = data.enumerate().map(mixed)
    data = data.apply(tf.data.experimental.assert_cardinality((epochs - first_epoch) * steps))
    return data.prefetch(1).with_options(_options(count, threads, processes))


def evaluation_data(
    examples: Examples,
    *,
    image_size: int | tuple[int, int],
    batch_size: int,
    crop: float | None = None,
    normalization: Normalization | None = None,
    normalized: bool = True,
    shard: tuple[int, int] = (0, 1),
    threads: int | None = None,
    processes: int = 0,
    broken: BrokenImages | None = None,
) -> tf.data.Dataset:
    """Every example once, in the source's order, as `bnext_keras.preprocessing.load_image` reads it.

    Broken images are left out; the last batch may be smaller.

    Args:
        examples: The data set.
        image_size: Height and width in pixels, or one number for both.
        batch_size: Images in one batch, of all workers together.
        crop: Share of the shorter side that the centre crop keeps; by default
            `bnext_keras.preprocessing.default_crop`.
        normalization: What happens to the pixels; by default `Normalization.imagenet`.
        normalized: As in `training_data`.
        shard: As in `training_data`.
        threads: As in `training_data`.
        processes: As in `training_data`, which shares them.
        broken: As in `training_data`.

    Returns:
        A dataset of ``(images, labels)``: ``(batch, height, width, 3)`` as in `training_data`, and int32 ``(batch,)``.

    Raises:
        ValueError: if numbers do not fit together.

    Example:
        >>> from bnext_keras import data
        >>> examples = data.from_arrays(np.zeros((3, 8, 8, 3), np.uint8), [0, 1, 0])
        >>> [labels.numpy().tolist() for _, labels in data.evaluation_data(examples, image_size=8, batch_size=2)]
        [[0, 1], [0]]
    """
    normalization = Normalization.imagenet() if normalization is None else normalization
    size = _size(image_size)
    index, count = _checked_shard(shard, batch_size)
    check_processes(processes)
    crop = default_crop(size) if crop is None else crop
    if not 0 < crop <= 1:
        raise ValueError(f"crop must be a share above 0 and up to 1, got {crop}")

    view = EvaluationView(size, crop)
    loader = Loader(examples, view, BrokenImages() if broken is None else broken, processes=processes)
    none = tf.data.Dataset.from_tensors(np.int64(0)).repeat()
    data = tf.data.Dataset.zip((none, none, examples.keys())).shard(count, index)
    normalization = normalization if normalized else None
    data = _batches(data, loader, normalization, batch_size // count, threads, processes, whole=False)
    return data.prefetch(1).with_options(_options(count, threads, processes))


def normalize(pixels: tf.Tensor, normalization: Normalization) -> tf.Tensor:
    """What `Normalization` does, bit for bit, in TensorFlow.

    Args:
        pixels: uint8 ``(images, height, width, 3)``.
        normalization: What happens to them.

    Returns:
        float32 of the same shape.

    Example:
        >>> pixels = np.arange(256 * 3, dtype=np.uint8).reshape(1, 16, 16, 3)
        >>> normalization = Normalization.imagenet()
        >>> np.array_equal(normalize(tf.constant(pixels), normalization), normalization(pixels))
        True
    """
    numbers = (255, normalization.mean, normalization.std)
    return _normalize(pixels, *(tf.constant(values, tf.float32) for values in numbers))


# In one pass through memory, which is what takes the time. A division by a constant would become a multiplication by
# 1 / 255, which rounds otherwise; that by an argument does not.
@tf.function(jit_compile=True)
def _normalize(pixels, white, mean, std):
    return (tf.cast(pixels, tf.float32) / white - mean) / std


def _batches(places, loader, normalization, size, threads, processes, whole):
    """Images and labels in batches of one size, of a dataset of epochs, positions and keys.

    Pixels are normalized if that is asked for and has not happened yet. With ``whole``, what is left over at the end is
    dropped.
    """

    def load(epochs, positions, keys):
        return loader.load(epochs, positions, *(keys if isinstance(keys, tuple) else (keys,)))

    def normalize_pixels(images, labels):
        return normalize(images, normalization), labels

    chunks = places.batch(CHUNK)
    chunks = chunks.map(load, num_parallel_calls=_calls(threads, processes), deterministic=True)
    batches = chunks.rebatch(size, drop_remainder=whole)
    if normalization is None or batches.element_spec[0].dtype == tf.float32:
        return batches
    return batches.map(normalize_pixels, num_parallel_calls=2, deterministic=True)


def _calls(threads, processes):
    """How many chunks are prepared at the same time: while a process works on one, the next lies ready for it."""
    return 2 * processes or threads or os.cpu_count()


def _size(image_size):
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"image_size must be a number of pixels, or a height and a width, got {image_size}")
    return size


def _checked_shard(shard, batch_size):
    index, count = shard
    if not 0 <= index < count:
        raise ValueError(f"shard must be a worker's number from 0 on and how many there are, got {shard}")
    if batch_size < 1 or batch_size % count:
        raise ValueError(f"batch_size must be a multiple of the number of workers, {count}, got {batch_size}")
    return index, count


def _options(workers, threads, processes):
    options = tf.data.Options()
    options.deterministic = True
    # The autotuner has nothing to gain here, but an iterator may have to wait for it at its end, up to half a minute.
    options.autotune.enabled = False
    # Threads of its own, and one that is never waiting for Python: TensorFlow's operations may have just one, see
    # `bnext_keras.training.strategy.make_repeatable`.
    options.threading.private_threadpool_size = _calls(threads, processes) + 1
    # What is divided already must not be divided again; what is not, only by batches: a file belongs to all workers.
    policy = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = policy.OFF if workers > 1 else policy.DATA
    return options
