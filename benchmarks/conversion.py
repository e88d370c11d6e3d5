"""How long a conversion takes and how much memory, beside Larq Compute Engine's own converter.

    python benchmarks/conversion.py                      BNextTiny at 224x224
    python benchmarks/conversion.py BNextLarge --runs 1

Each run is a process of its own that loads the same ``.h5`` file, whose weights are random; the two converters take
turns. Seconds include the start of Python and TensorFlow; this project's include its verification, LCE's has none.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLAIN = """
import bnext_keras, pathlib, sys
import tensorflow as tf
import larq_compute_engine as lce
model = tf.keras.models.load_model(sys.argv[1], compile=False)
pathlib.Path(sys.argv[2]).write_bytes(lce.convert_keras_model(model))
"""

CREATE = """
import bnext_keras, sys
getattr(bnext_keras.models, sys.argv[1])(input_shape=(int(sys.argv[2]),) * 2 + (3,)).save(sys.argv[3])
"""


def measure(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak resident GiB of a command, the only one that this process has started."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    _, errors = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(command[:3])} ... failed:\n{errors[-2000:]}")
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "model", nargs="?", default="BNextTiny", help="a model of bnext_keras.models (default BNextTiny)"
    )
    parser.add_argument("--input-size", type=int, default=224)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(*measure(arguments.measure))
        return

    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "model.h5"), Path(folder, "model.tflite")
        subprocess.run(
            [sys.executable, "-c", CREATE, arguments.model, str(arguments.input_size), str(source)],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        commands = {
            "bnext-convert": [sys.executable, "-m", "converter.cli.convert", str(source), "-o", str(output)],
            "plain LCE": [sys.executable, "-c", PLAIN, str(source), str(output)],
        }
        results = {name: [] for name in commands}
        for _ in range(arguments.runs):
            for name, command in commands.items():
                # The system reports the peak of all children together: one intermediate process for each.
                measured = subprocess.run(
                    [sys.executable, __file__, "--measure", *command], check=True, stdout=subprocess.PIPE, text=True
                )
                results[name].append(tuple(map(float, measured.stdout.split())))
    print(
        f"{arguments.model} at {arguments.input_size}x{arguments.input_size}, medians of {arguments.runs} runs in turn"
    )
    for name, pairs in results.items():
        seconds, memory = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"  {name:14}{seconds:8.1f} s{memory:8.2f} GiB")


if __name__ == "__main__":
    main()
