"""Images per second of training BNext at 224x224 on a GPU, in float32 and 16 bits, beside the same networks of floats.

    python benchmarks/gpu_training.py
    python benchmarks/gpu_training.py --networks BNextTiny --precisions mixed_float16 --xla
    python benchmarks/gpu_training.py --networks BNext --widths 8 16 --image-size 32 --batch-size 8  # on any processor

The network of floats is the binary one's twin (`bnext_keras.twin`). A step is that of the recipes, labels alone:
forward, backward, TwoGroupAdamW with clipped gradients, on images that are on the device already. So what is measured
is computing, not loading.

To build a large network and to trace its step takes a minute or two of one core. So each setting has a process of its
own; some of them build at the same time, and one at a time uses the GPU. A batch that the memory does not hold is
halved. What is not reached in ``--seconds`` is listed.
"""

import argparse
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A process takes what it needs of the GPU's memory, not all of it.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import bnext_keras
from bnext_keras.data.processes import cores
from bnext_keras.precision import global_policy
from bnext_keras.twin import float_twin

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

LAYERS = ("binary", "float")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
MEASURED_SECONDS = 5


def build(name: str, layers: str, precision: str, arguments: argparse.Namespace) -> tf.keras.Model:
    options = {"widths": arguments.widths} if arguments.widths else {}
    shape = (arguments.image_size, arguments.image_size, 3)
    with global_policy(precision):
        model = bnext_keras.networks.find(name)(input_shape=shape, num_classes=1000, **options)
        model = model if layers == "binary" else float_twin(model)
    model.compile(
        bnext_keras.training.TwoGroupAdamW(global_clipnorm=5.0),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def step_of(model: tf.keras.Model, batch_size: int, jit_compile: bool):
    """A function that trains one step on the same images again and again, traced already."""
    random = np.random.default_rng(0)
    images = tf.constant(random.normal(size=(batch_size, *model.input_shape[1:])), tf.float32)
    labels = tf.constant(random.integers(model.output_shape[-1], size=batch_size))
    step = tf.function(lambda: model.train_step((images, labels))["loss"], jit_compile=jit_compile)
    step.get_concrete_function()
    return step


def images_per_second(step, batch_size: int) -> float:
    for _ in range(3):
        float(step())
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < MEASURED_SECONDS:
        # The device is waited for now and then only, as in a run.
        float([step() for _ in range(5)][-1])
        count += 5
    return count * batch_size / (time.perf_counter() - begin)


def measure(name: str, layers: str, precision: str, arguments: argparse.Namespace) -> None:
    """Prints device, batch that fitted and images per second, as JSON."""
    model, batch_size = build(name, layers, precision, arguments), arguments.batch_size
    step = step_of(model, batch_size, arguments.xla)
    with open(arguments.turns, "w") as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)
        while True:
            try:
                speed = images_per_second(step, batch_size)
                break
            except tf.errors.ResourceExhaustedError:
                if batch_size == 1:
                    raise
                batch_size //= 2
                step = step_of(model, batch_size, arguments.xla)
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30 if device() else None
        print(json.dumps({"device": device(), "batch": batch_size, "speed": speed, "peak": peak}))


def device() -> str:
    """What the GPU is called; "" where there is none."""
    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name) if gpus else ""


def result(setting: tuple[str, str, str], arguments: argparse.Namespace, end: float) -> dict:
    """What a process of its own printed; empty if time was over, and its last line of complaint if it failed."""
    left = end - time.perf_counter()
    if left <= 0:
        return {}
    command = [sys.executable, __file__, *sys.argv[1:], "--turns", str(arguments.turns), "--setting", *setting]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=left)
    except subprocess.TimeoutExpired:
        return {}
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines() or ["it was killed"]
    return {"failed": lines[-1]} if done.returncode else json.loads(lines[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["BNextTiny", "BNextMiddle"])
    parser.add_argument("--widths", type=int, nargs="+", help="of a BNext of one's own")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--xla", action="store_true", help="compile the step with XLA")
    parser.add_argument("--seconds", type=float, default=300, help="for all (default %(default)s)")
    text = "settings that are built at the same time, two GB of memory each (default here %(default)s)"
    parser.add_argument("--processes", type=int, default=max(1, cores() // 2), help=text)
    parser.add_argument("--turns", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--setting", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.setting:
        return measure(*arguments.setting, arguments)

    settings = list(product(arguments.networks, LAYERS, arguments.precisions))
    end, table = time.perf_counter() + arguments.seconds, Table("network", "layers", "precision")
    for title in ("batch", "images/s", "GiB, peak"):
        table.add_column(title, justify="right")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.processes) as pool:
        arguments.turns = Path(folder, "turns")
        results = list(pool.map(lambda setting: result(setting, arguments, end), settings))
    for setting, each in zip(settings, results, strict=True):
        table.title = each.get("device") or table.title or f"{cores()} cores, no GPU"
        if "speed" in each:
            peak = "" if each["peak"] is None else f"{each['peak']:.1f}"
            table.add_row(*setting, str(each["batch"]), f"{each['speed']:.1f}", peak)
    Console().print(table)
    for setting, each in zip(settings, results, strict=True):
        if "speed" not in each:
            print(f"{' '.join(setting)}: {each.get('failed', f'not reached in {arguments.seconds:g} s')}")


if __name__ == "__main__":
    main()
