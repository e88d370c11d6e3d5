"""Times single operators, cut out of their file, in LCE's interpreter on one thread."""

import time
from collections.abc import Callable, Hashable

import numpy as np

from converter.tflite.flatbuffer import Flatbuffer, Operation
from converter.tflite.interpreter import Interpreter, OneImageInterpreter

#: Multiplications, roughly, that the additional copies of an operator make together: enough to be measured.
WORK = 2_000_000
#: Bounds of the number of additional copies.
LEAST_COPIES, MOST_COPIES = 2, 50


class Runner:
    """Runs a file on random inputs.

    Args:
        content: The ``.tflite`` file.
        runner: One of `converter.tflite.interpreter.KERNELS`, or what has been opened to run the file.
        words: Whether its whole numbers are words of signs, and not rows of tables, of which the first is always there.

    Attributes:
        interpreter: What runs it.
        inputs: The random inputs.
    """

    def __init__(self, content: bytes, runner: str | OneImageInterpreter, words: bool = False):
        self.interpreter = Interpreter(content, kernels=runner) if isinstance(runner, str) else runner
        random = np.random.default_rng(0)

        def made(shape, kind):
            if np.dtype(kind) == np.float32:
                return random.standard_normal(shape).astype(np.float32)
            limits = np.iinfo(kind)
            return (
                random.integers(limits.min, limits.max, shape, kind, endpoint=True) if words else np.zeros(shape, kind)
            )

        types = zip(self.interpreter.input_shapes, self.interpreter.input_types, strict=True)
        self.inputs = [made(shape, kind) for shape, kind in types]

    def run(self) -> float:
        """Seconds of one run."""
        start = time.perf_counter()
        self.interpreter.run(self.inputs)
        return time.perf_counter() - start

    def fastest(self, budget: float, most_runs: int) -> float:
        """Seconds of the fastest of some runs, the first not counted, which prepares kernels.

        Args:
            budget: Seconds after which no further run begins.
            most_runs: Number of runs after which none begins.
        """
        self.run()
        runs = [self.run()]
        while len(runs) < most_runs and sum(runs) < budget:
            runs.append(self.run())
        return min(runs)


def stopwatch(flatbuffer: Flatbuffer, operation: Operation, kernels: str) -> Callable[[], float] | None:
    """A function that measures the seconds of one run of an operator, None if it does not run alone."""
    copies = int(np.clip(WORK // (1 + _work(flatbuffer, operation)), LEAST_COPIES, MOST_COPIES))
    try:
        pieces = (flatbuffer.cut_out(operation, count) for count in (1, 1 + copies))
        one, many = (Runner(piece, kernels, words=operation.type.startswith("Lce")) for piece in pieces)
        one.run(), many.run()
    except (RuntimeError, ValueError):
        return None

    def measure():
        # What it costs to hand over inputs and to fetch outputs is the same for both and drops out.
        return (many.run() - one.run()) / copies

    return measure


def stopwatches(flatbuffer: Flatbuffer, kernels: str) -> tuple[list[Hashable], dict[Hashable, Callable[[], float]]]:
    """A stopwatch for every kind of operator in a file, so that equal ones are measured once.

    Returns:
        The `likeness` of each operator, in the order of execution, and the stopwatch of each that runs alone.
    """
    operations = flatbuffer.operations
    keys = [likeness(flatbuffer, operation) for operation in operations]
    distinct = dict(zip(keys, operations, strict=True))
    found = {key: stopwatch(flatbuffer, operation, kernels) for key, operation in distinct.items()}
    return keys, {key: measure for key, measure in found.items() if measure is not None}


def likeness(flatbuffer: Flatbuffer, operation: Operation) -> Hashable:
    """What two operators share that take equally long: type, options, shapes, and which inputs are constants."""

    def describe(tensor):
        return flatbuffer.shape(tensor), flatbuffer.type(tensor), flatbuffer.is_constant(tensor)

    options = flatbuffer.options(operation)
    return (
        operation.type,
        # Some options are lists, which have no hash.
        repr(sorted((name, np.ravel(value).tolist()) for name, value in options.items())),
        tuple(map(describe, operation.inputs)),
        tuple(map(describe, operation.outputs)),
    )


def _work(flatbuffer, operation):
    """Roughly how many multiplications an operator makes: only to choose how often to repeat it."""
    sizes = [int(np.prod(flatbuffer.shape(tensor))) for tensor in (*operation.inputs, *operation.outputs)]
    kernel = flatbuffer.shape(operation.inputs[1]) if len(operation.inputs) > 1 else ()
    return sum(sizes) * (int(np.prod(kernel[1:])) if len(kernel) >= 4 else 1)
