"""Images per second of training BNext at 224x224 on a GPU, in float32 and 16 bits, beside the same networks of floats.

    python benchmarks/gpu_training.py
    python benchmarks/gpu_training.py --networks BNextTiny --precisions mixed_float16 --xla
    python benchmarks/gpu_training.py --networks BNext --widths 8 16 --image-size 32 --batch-size 8  # on any processor

The network of floats is the binary one's twin (`bnext_keras.twin`). A step is that of the recipes, labels alone:
forward, backward, TwoGroupAdamW with clipped gradients, on images that are on the device already. So what is measured
is computing, not loading.

It ends after ``--seconds``, five minutes unless given, at the end of the setting that it is at; what was not reached is
listed. A batch that the memory does not hold is halved.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import bnext_keras
from bnext_keras.precision import global_policy
from bnext_keras.twin import float_twin

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table


def images_per_second(model: tf.keras.Model, batch_size: int, seconds: float, jit_compile: bool) -> tuple[float, int]:
    """Of training, and the size of the batch that fitted."""
    random = np.random.default_rng(0)
    images = tf.constant(random.normal(size=(batch_size, *model.input_shape[1:])), tf.float32)
    labels = tf.constant(random.integers(model.output_shape[-1], size=batch_size))
    model.compile(
        bnext_keras.training.TwoGroupAdamW(global_clipnorm=5.0),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    step = tf.function(lambda: model.train_step((images, labels))["loss"], jit_compile=jit_compile)
    try:
        for _ in range(3):
            float(step())
        count, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            # The device is waited for now and then only, as in a run.
            float([step() for _ in range(5)][-1])
            count += 5
    except tf.errors.ResourceExhaustedError:
        if batch_size == 1:
            raise
        return images_per_second(model, batch_size // 2, seconds, jit_compile)
    return count * batch_size / (time.perf_counter() - begin), batch_size


def build(name: str, precision: str, arguments: argparse.Namespace, binary: bool) -> tf.keras.Model:
    options = {"widths": arguments.widths} if arguments.widths else {}
    shape = (arguments.image_size, arguments.image_size, 3)
    with global_policy(precision):
        model = bnext_keras.networks.find(name)(input_shape=shape, num_classes=1000, **options)
        return model if binary else float_twin(model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["BNextTiny", "BNextMiddle"])
    parser.add_argument("--widths", type=int, nargs="+", help="of a BNext of one's own")
    parser.add_argument("--precisions", nargs="+", default=["float32", "mixed_float16", "mixed_bfloat16"])
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--xla", action="store_true", help="compile the step with XLA")
    parser.add_argument("--seconds", type=float, default=300, help="for all (default %(default)s)")
    arguments = parser.parse_args()

    settings = [
        (name, precision, binary)
        for name in arguments.networks
        for precision in arguments.precisions
        for binary in (True, False)
    ]
    begin, table, left = time.perf_counter(), Table(title=_device()), []
    for title in ("network", "layers", "precision", "batch", "images/s"):
        table.add_column(title, justify="right")
    for name, precision, binary in settings:
        row = name, "binary" if binary else "float", precision
        if time.perf_counter() - begin > arguments.seconds:
            left.append(" ".join(row))
            continue
        model = build(name, precision, arguments, binary)
        # Half of the time is for building and tracing.
        speed, batch_size = images_per_second(
            model, arguments.batch_size, 0.5 * arguments.seconds / len(settings), arguments.xla
        )
        table.add_row(*row, str(batch_size), f"{speed:.1f}")
        tf.keras.backend.clear_session()
    Console().print(table)
    if left:
        print(f"Not reached in {arguments.seconds:g} s: {'; '.join(left)}")


def _device():
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"{os.cpu_count()} cores, no GPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name))


if __name__ == "__main__":
    main()
