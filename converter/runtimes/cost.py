"""What it costs to do without Larq Compute Engine: bytes, and time on this machine."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from converter.tflite.interpreter import Interpreter, OneImageInterpreter

#: How often an image is run; the fastest counts, as in `converter.inspection.profile`.
RUNS = 5


@dataclass(frozen=True)
class Cost:
    """A file beside the one that it was made of.

    Attributes:
        lce_bytes: Size of LCE's file.
        lce_milliseconds: What an image takes in it, on this machine with one thread and LCE's faster kernels.
        milliseconds: What it takes in this one.
    """

    lce_bytes: int
    lce_milliseconds: float
    milliseconds: float


def measure(lce: bytes, content: bytes, make: Callable[..., OneImageInterpreter], inputs: Sequence[np.ndarray]) -> Cost:
    """Runs an image in both files, in turns.

    Args:
        lce: LCE's file.
        content: The other one.
        make: What runs that one, given its bytes.
        inputs: ``(1, ...)`` of the files' type, for each input.
    """
    runners = Interpreter(lce, kernels="indirect"), make(content)
    batch = [np.repeat(values, runners[0].input_shapes[0][0], axis=0) for values in inputs]
    fastest = [float("inf")] * 2
    for _ in range(RUNS):
        for place, runner in enumerate(runners):
            start = time.perf_counter()
            runner.run(batch)
            fastest[place] = min(fastest[place], time.perf_counter() - start)
    return Cost(len(lce), *(1000 * seconds for seconds in fastest))
