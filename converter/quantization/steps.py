"""Which values the tensors of a file take, measured on inputs, and the steps of 8 bits that stand for them."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bnext_keras.errors import ConversionError

import numpy as np

from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter, batches


@dataclass(frozen=True)
class Steps:
    """How int8 stands for real numbers: q for ``scale * (q - zero)``.

    ``zero`` is a whole number, so 0 is stored exactly, and q lies below it exactly where the number is negative: a sign
    taken of int8 is that of what it stands for.

    Attributes:
        scale: One step, above 0; a float32 number.
        zero: What stands for 0, from -128 to 127.
    """

    scale: float
    zero: int

    @classmethod
    def spanning(cls, low: float, high: float) -> "Steps":
        """The finest steps that reach from ``low`` to ``high``, and to 0.

        Example:
            >>> steps = Steps.spanning(-1.0, 254.0)
            >>> steps, steps.span
            (Steps(scale=1.0, zero=-127), (-1.0, 254.0))
        """
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32((high - low) / 255))
        if not scale >= np.finfo(np.float32).tiny:
            return cls(1.0, 0)
        return cls(scale, int(np.clip(np.rint(-128 - low / scale), -128, 127)))

    @classmethod
    def around_zero(cls, largest: float) -> "Steps":
        """The finest steps that reach as far on either side of 0, which is stored as 0."""
        scale = float(np.float32(largest / 127))
        return cls(scale if scale >= np.finfo(np.float32).tiny else 1.0, 0)

    @property
    def span(self) -> tuple[float, float]:
        """The least and the largest number that they reach to."""
        return self.scale * (-128 - self.zero), self.scale * (127 - self.zero)

    def store(self, values: np.ndarray) -> np.ndarray:
        """The int8 nearest to numbers.

        Example:
            >>> Steps(0.5, 10).store(np.array([-1.0, 0.0, 0.6, 1000.0])).tolist()
            [8, 10, 11, 127]
        """
        return np.clip(np.rint(values / self.scale) + self.zero, -128, 127).astype(np.int8)


def measure_ranges(
    flatbuffer: Flatbuffer,
    inputs: np.ndarray | Sequence[np.ndarray],
    progress: Callable[[str], None] = lambda step: None,
) -> dict[int, tuple[float, float]]:
    """The least and the largest value of every float tensor that a file computes, its inputs included.

    Args:
        flatbuffer: The float file, which Larq Compute Engine runs with all results as outputs.
        inputs: ``(samples, ...)`` as the file takes them; of a file of several inputs a list.
        progress: Called with a line for the user as inputs are run.

    Raises:
        ConversionError: if a value is infinite or NaN.
    """
    given = batches(inputs)
    own = [index for index in flatbuffer.outputs if flatbuffer.type(index) == "FLOAT32"]
    inner = sorted({index for operation in flatbuffer.operations for index in operation.outputs} - {*own})
    inner = [index for index in inner if flatbuffer.type(index) == "FLOAT32"]
    interpreter = Interpreter(flatbuffer.pack(inner), threads=os.cpu_count() or 1, kernels="indirect")
    places = [*flatbuffer.inputs, *flatbuffer.outputs, *inner]
    ranges: dict[int, tuple[float, float]] = {}
    for start in range(len(given[0])):
        progress(f"calibrate, {start} of {len(given[0])} inputs")
        sample = [values[start : start + 1] for values in given]
        for index, values in zip(places, [*sample, *interpreter.run_each(sample)], strict=True):
            if flatbuffer.type(index) != "FLOAT32" or not values.size:
                continue
            low, high = float(values.min()), float(values.max())
            if not np.isfinite([low, high]).all():
                raise ConversionError(
                    f"calibration data: of input {start} '{flatbuffer.names[index]}' is not finite (infinite or NaN)"
                )
            before = ranges.get(index, (low, high))
            ranges[index] = min(low, before[0]), max(high, before[1])
    return ranges
