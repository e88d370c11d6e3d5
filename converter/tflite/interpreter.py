"""Runs ``.tflite`` files with Larq Compute Engine's interpreter, without TensorFlow.

LCE's interpreter is one native module, but ``import larq_compute_engine`` imports TensorFlow for its converter. So the
module is loaded from LCE's folder by its path. It is registered under its own full name: a native module must not be
loaded twice, and LCE's own Python classes find it there.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from bnext_keras.errors import PredictionError

import numpy as np

_PACKAGE, _WRAPPER = "larq_compute_engine", "interpreter_wrapper_lite"
_MODULE = f"{_PACKAGE}.tflite.python.{_WRAPPER}"

#: LCE's kernels of binary convolutions, and their options of the interpreter: the one that devices use by default and
#: the one that is fastest on x86. All other operators run alike with both.
KERNELS: dict[str, dict[str, bool]] = {"default": {}, "indirect": {"use_indirect_bgemm": True}}


class OneImageInterpreter:
    """What runs a file, one image at a time, or as many as its shapes say.

    Attributes:
        input_shapes: Shape of each input.
        input_types: NumPy's type of each input.
        output_shapes: Shape of each output.
        output_types: NumPy's type of each output.
    """

    input_shapes: list[tuple[int, ...]]
    input_types: list[type]
    output_shapes: list[tuple[int, ...]]
    output_types: list[type]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for inputs of the file's own shapes."""
        raise NotImplementedError

    def run_each(self, batch: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for each of several samples, joined: the file itself takes one at a time.

        A file of larger batches gets these, the last filled with repetitions whose outputs are left out.

        Args:
            batch: ``(samples, ...)``, or what NumPy makes an array of; of a file of several inputs a list of such ones.

        Raises:
            PredictionError: if it is none, or of another shape than the file takes, or no pixels where it takes these,
                or holds NaN or infinity.
        """
        each = self._batches(batch)
        size = self.input_shapes[0][0]
        results = []
        for start in range(0, len(each[0]), size):
            parts = [values[start : start + size] for values in each]
            count = len(parts[0])
            filled = [np.concatenate([part, np.repeat(part[-1:], size - count, axis=0)]) for part in parts]
            results.append([outputs[:count] for outputs in self.run(filled)])
        if not results:
            shapes = zip(self.output_shapes, self.output_types, strict=True)
            return [np.empty((0, *shape[1:]), type) for shape, type in shapes]
        return [np.concatenate(outputs) for outputs in zip(*results, strict=True)]

    def _batches(self, given):
        """A batch for each input, having seen that the file takes it."""
        count = len(self.input_shapes)
        if isinstance(given, Mapping):
            what = "a batch of images" if count == 1 else f"a list of {count} batches, one for each input"
            raise PredictionError(f"takes {what}, not a {type(given).__name__}")
        if count == 1 and not is_list_of_one(given, len(self.input_shapes[0])):
            given = [given]
        if len(given) != count:
            raise PredictionError(f"takes a batch for each of its {count} inputs in a list, not {len(given)} of them")
        arrays = [
            _as_batch(values, shape, kind)
            for values, shape, kind in zip(given, self.input_shapes, self.input_types, strict=True)
        ]
        if len(set(map(len, arrays))) > 1:
            samples = ", ".join(str(len(array)) for array in arrays)
            raise PredictionError(f"takes as many samples for each input, not {samples}")
        return arrays


def is_list_of_one(given: Any, rank: int) -> bool:
    """Whether it is a list with the batch of the only input, rather than a batch as a list of images.

    Args:
        given: What a user gives.
        rank: Of a batch.

    Example:
        >>> batch = np.zeros((2, 8, 8, 3))
        >>> is_list_of_one([batch], 4), is_list_of_one([batch[0]], 4), is_list_of_one(batch[:1], 4)
        (True, False, False)
    """
    return isinstance(given, list | tuple) and len(given) == 1 and getattr(given[0], "ndim", None) == rank


def _as_batch(values, shape, kind):
    """An array that a file takes samples of, in its own type."""
    expected = f"(samples, {', '.join(map(str, shape[1:]))})"
    try:
        array = np.asarray(values)
    # Of lists of several lengths there is none.
    except ValueError as error:
        raise PredictionError(f"takes an array {expected}, not lists of several lengths") from error
    if array.dtype.kind not in "fiub":
        raise PredictionError(f"takes numbers {expected}, not {array.dtype}")
    if array.shape[1:] != tuple(shape[1:]):
        is_one = array.shape == tuple(shape[1:])
        remedy = "give one image as a batch of one, image[np.newaxis]" if is_one else ""
        raise PredictionError(f"takes a batch {expected}, not an array of shape {array.shape}", remedy=remedy)
    if np.dtype(kind) == np.uint8:
        array = np.rint(array)
        if array.size and not 0 <= array.min() <= array.max() <= 255:
            raise PredictionError(
                f"takes pixels from 0 to 255, not numbers from {array.min():.4g} to {array.max():.4g}",
                remedy="it normalizes them itself",
            )
    # A number that is too large for float32 becomes infinite.
    with np.errstate(over="ignore"):
        array = array.astype(kind, copy=False)
    if not (finite := np.isfinite(array)).all():
        # Signs make an ordinary answer of NaN: nothing would tell.
        sample = int(np.argwhere(~finite)[0][0])
        raise PredictionError(f"takes finite numbers {expected}; sample {sample} has others, NaN or infinite")
    return array


def batches(inputs: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    """A batch for each of a network's inputs; one array alone is that of its only input."""
    return [inputs] if isinstance(inputs, np.ndarray) else list(inputs)


#: What makes an interpreter ready to run a file, given its bytes.
Opener = Callable[[bytes], OneImageInterpreter]


class Interpreter(OneImageInterpreter):
    """A file, ready to run. A damaged one crashes the process; see `converter.tflite.isolated` for a stranger's.

    Args:
        content: The bytes of the file.
        threads: How many threads it runs on.
        kernels: One of `KERNELS`. On x86 ``"indirect"`` is four times faster than ``"default"``.

    Raises:
        ImportError: if LCE is not installed.
        RuntimeError: if LCE cannot run the file.
    """

    def __init__(self, content: bytes, *, threads: int = 1, kernels: str = "default"):
        lite = lite_interpreter(content, threads=threads, **KERNELS[kernels])
        self._run = lite.predict
        self.input_shapes, self.input_types = lite.input_shapes, lite.input_types
        self.output_shapes, self.output_types = lite.output_shapes, lite.output_types

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for inputs of the file's own shapes."""
        return self._run(list(inputs))


def lite_interpreter(
    content: bytes,
    *,
    threads: int = 1,
    use_reference_bconv: bool = False,
    use_indirect_bgemm: bool = False,
    use_xnnpack: bool = False,
) -> Any:
    """LCE's native interpreter with LCE's own options; raises as `Interpreter` does."""
    return load_wrapper().LiteInterpreter(content, threads, use_reference_bconv, use_indirect_bgemm, use_xnnpack)


def load_wrapper() -> ModuleType:
    """LCE's native module.

    Raises:
        ImportError: if LCE is not installed.
    """
    if _MODULE in sys.modules:
        return sys.modules[_MODULE]
    # Unlike that of a submodule, the spec of a package is found without importing anything.
    package = importlib.util.find_spec(_PACKAGE)
    folders = package.submodule_search_locations if package else None
    files = [file for folder in folders or () for file in Path(folder, "tflite/python").glob(f"{_WRAPPER}.*")]
    spec = importlib.util.spec_from_file_location(_MODULE, files[0]) if files else None
    if spec is None or spec.loader is None:
        raise ImportError("larq-compute-engine is not installed here: pip install larq-compute-engine")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return sys.modules.setdefault(_MODULE, module)
