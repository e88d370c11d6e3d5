"""What the simplification of the converter saves: operators, bytes and time on this machine.

*On maps* are elementwise operators and pools whose results have more than one pixel, which are what takes time.

    python benchmarks/simplification.py                          BNextTiny and MeliusNet22 at 224x224
    python benchmarks/simplification.py BNextSmall --runs 50

Each model, with random weights, is converted with and without it. Both files then run in turn in LCE's interpreter, on
one thread with the kernels that are fastest on x86 (``use_indirect_bgemm``); times are medians, the ratio the median of
the ratios of neighbouring runs.
"""

import argparse
import statistics
import time

import bnext_keras

import numpy as np
from larq_compute_engine.tflite.python.interpreter import Interpreter

from converter import convert
from converter.tflite.flatbuffer import Flatbuffer

#: Operators that simplification is about, on maps.
ELEMENTWISE = ("MUL", "ADD", "SUB", "PRELU", "AVERAGE_POOL_2D")


def build(name: str, input_size: int):
    """A model with random biases and statistics: zeros and ones would be simplified away."""
    model = getattr(bnext_keras.models, name)(input_shape=(input_size, input_size, 3))
    generator = np.random.default_rng(0)
    for weight in model.weights:
        kind = weight.name.rpartition("/")[2]
        if kind.startswith(("beta", "bias", "moving_mean")):
            weight.assign(generator.normal(0, 0.3, weight.shape))
        elif kind.startswith(("gamma", "moving_variance")):
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    # Values of order one, as in a trained network.
    model(generator.standard_normal((2, input_size, input_size, 3), np.float32), training=True)
    return model


def count_on_maps(content: bytes) -> int:
    """Elementwise operators of a file whose results have more than one pixel."""
    file = Flatbuffer(content)
    shapes = [
        file.shape(tensor)
        for operation in file.operations
        if operation.type in ELEMENTWISE
        for tensor in operation.outputs
    ]
    return sum(len(shape) == 4 and shape[1] * shape[2] > 1 for shape in shapes)


def measure(interpreters: list[Interpreter], image: np.ndarray, runs: int) -> list[list[float]]:
    """Milliseconds of each interpreter, which take turns."""
    times = [[] for _ in interpreters]
    for run in range(runs + 3):
        for interpreter, found in zip(interpreters, times, strict=True):
            start = time.perf_counter()
            interpreter.predict(image)
            if run >= 3:
                found.append(1e3 * (time.perf_counter() - start))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "models",
        nargs="*",
        default=["BNextTiny", "MeliusNet22"],
        help="models of bnext_keras.models (default: BNextTiny MeliusNet22)",
    )
    parser.add_argument("--input-size", type=int, default=224)
    parser.add_argument("--runs", type=int, default=30)
    arguments = parser.parse_args()
    image = np.random.default_rng(1).standard_normal((1, *[arguments.input_size] * 2, 3), np.float32)
    print(f"{'model':14}{'':14}{'operators':>10}{'on maps':>12}{'bytes':>12}{'ms':>8}{'ratio':>8}")
    for name in arguments.models:
        model = build(name, arguments.input_size)
        results = [convert(model, simplify=simplify) for simplify in (False, True)]
        interpreters = [Interpreter(result.content, num_threads=1, use_indirect_bgemm=True) for result in results]
        before, after = measure(interpreters, image, arguments.runs)
        ratio = statistics.median(b / a for a, b in zip(before, after, strict=True))
        for label, result, times, last in zip(
            ("as it is", "simplified"), results, (before, after), ("", f"{ratio:8.3f}"), strict=True
        ):
            print(
                f"{name:14}{label:14}{result.operators.total():10}{count_on_maps(result.content):12}{result.size:12,}"
                f"{statistics.median(times):8.2f}{last}"
            )


if __name__ == "__main__":
    main()
