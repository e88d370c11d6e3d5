"""Runs ``.tflite`` files, or plans, with the engine; its interface is that of LCE's interpreter."""

import ctypes
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bnext_keras.errors import UserError

import numpy as np

from android_demo.runner.build import library
from android_demo.runner.compiler import compile_plan
from android_demo.runner.plan import is_plan, read_interface
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import OneImageInterpreter

#: The engine's own limit.
_MOST_THREADS = 1023


class EngineError(UserError, RuntimeError):
    """The engine refuses a plan, or cannot run it on this machine."""


@dataclass(frozen=True)
class StepTime:
    """What one step takes: its kind, its name in the file, and microseconds, the mean of all runs."""

    kind: str
    name: str
    microseconds: float


class Interpreter(OneImageInterpreter):
    """A network that is ready to run. Any thread may call it; inferences run one after the other.

    Args:
        model: The bytes or the path of a ``.tflite`` file or of a plan.
        num_threads: How many threads it runs on, up to 1023. Answers are the same bits for any number.
        kernels: ``"amx"``, ``"amx-only"``, ``"avx512"``, ``"avx2"``, ``"dotprod"``, ``"dotprod-only"``, ``"neon"`` or
            ``"reference"``; by default the best that this CPU has. ``"amx"`` runs an inference with AVX-512 while that
            is faster, ``"dotprod"`` one with NEON.

    Attributes:
        kernels: Name of the kernels that are used.
        memory: Bytes that it works in, besides the plan.
        input_names: The names of its inputs; of a plan, which has none, empty.
        output_names: The names of its outputs, likewise.

    Raises:
        ConversionError: if the file is damaged or has an operator that the engine lacks.
        EngineError: if it is a plan that the engine refuses, or there are no such kernels for this CPU.
        BuildError: if the engine has yet to be compiled and there is no compiler.
        ValueError: if the number of threads makes no sense.

    Example:
        >>> import bnext_keras, numpy as np
        >>> from converter import convert
        >>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
        >>> engine = Interpreter(convert(model).content)
        >>> engine.predict(np.zeros((2, 32, 32, 3), np.float32)).shape
        (2, 10)
    """

    def __init__(self, model: bytes | str | Path, *, num_threads: int = 1, kernels: str | None = None):
        if isinstance(num_threads, bool) or not isinstance(num_threads, int) or not 1 <= num_threads <= _MOST_THREADS:
            raise ValueError(f"num_threads must be a whole number from 1 to {_MOST_THREADS}, got {num_threads!r}")
        content = bytes(model) if isinstance(model, bytes | bytearray) else Path(model).read_bytes()
        file = None if is_plan(content) else Flatbuffer(content)
        plan = content if file is None else compile_plan(file)
        self._library = _load()
        self._lock = threading.Lock()
        self._session = None
        status = ctypes.c_int()
        name = kernels.encode() if kernels else None
        self._session = self._library.session_open(plan, len(plan), name, num_threads, ctypes.byref(status))
        if not self._session:
            raise EngineError(f"the engine refuses the plan: {self._library.session_status_text(status).decode()}")
        found = read_interface(plan)
        self.input_types, self.output_types = found.input_types, found.output_types
        self.input_shapes, self.output_shapes = found.input_shapes, found.output_shapes
        self.input_names: list[str] = []
        self.output_names: list[str] = []
        if file is not None:
            names = file.names
            self.input_names, self.output_names = ([names[i] for i in each] for each in (file.inputs, file.outputs))
            self.input_shapes = _own_shapes(file, file.inputs, found.input_shapes)
            self.output_shapes = _own_shapes(file, file.outputs, found.output_shapes)
            # A plan takes bytes as floats.
            self.input_types = [np.uint8 if file.type(tensor) == "UINT8" else np.float32 for tensor in file.inputs]
        self.kernels = self._library.session_kernels(self._session).decode()
        self.memory = int(self._library.session_bytes(self._session))

    def __repr__(self) -> str:
        shapes = (", ".join(map(str, each)) for each in (self.input_shapes, self.output_shapes))
        return f"<Interpreter, {self.kernels} kernels: {' to '.join(shapes)}>"

    def __del__(self):
        if getattr(self, "_session", None):
            self._library.session_close(self._session)

    def __reduce_ex__(self, protocol):
        raise TypeError("an Interpreter can be neither copied nor pickled: it holds the engine's memory. Open another")

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for inputs of the network's own shapes."""
        return self._run(inputs, None)

    def predict(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        """The outputs for a batch ``(samples, ...)``, image by image; a list if there are several outputs.

        A network of several inputs takes a list with a batch for each.

        Raises:
            PredictionError: if it is no such batch.
        """
        joined = self.run_each(images)
        return joined[0] if len(joined) == 1 else joined

    def profile(self, inputs: Sequence[np.ndarray], runs: int = 20) -> list[StepTime]:
        """What each step takes."""
        steps = self._library.session_steps(self._session)
        ticks = np.zeros(steps, np.uint64)
        for _ in range(runs):
            self._run(inputs, ticks.ctypes.data)
        return [
            StepTime(
                self._library.session_step_kind(self._session, step).decode(),
                self._library.session_step_name(self._session, step).decode(),
                float(ticks[step]) / runs / 1000,
            )
            for step in range(steps)
        ]

    def _run(self, inputs, ticks):
        if len(inputs) != len(self.input_shapes):
            raise EngineError(f"{len(self.input_shapes)} inputs are needed, not {len(inputs)}")
        arrays = [np.ascontiguousarray(value, np.float32) for value in inputs]
        for number, (array, shape) in enumerate(zip(arrays, self.input_shapes, strict=True)):
            if array.shape != tuple(shape):
                raise EngineError(f"input {number} is of shape {array.shape}, not {tuple(shape)}")
        outputs: list[np.ndarray] = [
            np.empty(shape, type) for shape, type in zip(self.output_shapes, self.output_types, strict=True)
        ]
        with self._lock:
            for number, array in enumerate(arrays):
                self._library.session_write(self._session, number, array.ctypes.data, array.nbytes)
            self._library.session_run(self._session, ticks)
            for number, array in enumerate(outputs):
                self._library.session_read(self._session, len(arrays) + number, array.ctypes.data, array.nbytes)
        return outputs


def _own_shapes(file, tensors, of_plan):
    """The file's shapes, which may be of any rank; a plan has maps and vectors. Operators of strangers may lie."""
    shapes = [file.shape(tensor) for tensor in tensors]
    return [
        shape if math.prod(shape) == math.prod(other) else other for shape, other in zip(shapes, of_plan, strict=True)
    ]


@cache
def _load():
    return bind(library())


def bind(path: Path) -> ctypes.CDLL:
    """A shared library of the engine, with the types of its functions (``native/hosts/library.cpp``)."""
    native = ctypes.CDLL(str(path))
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    signatures = {
        "session_open": (pointer, [text, ctypes.c_uint64, text, ctypes.c_uint32, pointer]),
        "session_close": (None, [pointer]),
        "session_write": (ctypes.c_int, [pointer, ctypes.c_uint32, pointer, ctypes.c_uint64]),
        "session_read": (ctypes.c_int, [pointer, ctypes.c_uint32, pointer, ctypes.c_uint64]),
        "session_run": (None, [pointer, pointer]),
        "session_bytes": (ctypes.c_uint64, [pointer]),
        "session_kernels": (text, [pointer]),
        "session_steps": (ctypes.c_uint32, [pointer]),
        "session_step_kind": (text, [pointer, ctypes.c_uint32]),
        "session_step_name": (text, [pointer, ctypes.c_uint32]),
        "session_status_text": (text, [ctypes.c_int]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(native, name)
        function.restype, function.argtypes = result, arguments
    return native
