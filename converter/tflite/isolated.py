"""LCE's interpreter in a process of its own, for files of which nobody knows whether they are sound.

The interpreter does not look before it leaps: an index in a file that leads nowhere ends the process with SIGSEGV or
SIGABRT, and no exception tells of it. Whatever becomes of the process here, its caller gets an `InterpreterError`.

Both sides speak over pipes: a line of JSON, then the arrays' bytes, of the shapes and types that the line tells.
Nothing is pickled, for the other side has run a stranger's file.
"""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Sequence
from typing import Any

from bnext_keras.text import first_line, one_line, printable

import numpy as np

from converter.tflite.interpreter import Interpreter, OneImageInterpreter

#: What the child runs. It finds modules where its parent does, not in the folder that the user happens to be in.
_PROGRAM = "import sys; sys.path[:] = {path}; from converter.tflite.isolated import serve; serve()"


class InterpreterError(RuntimeError):
    """The interpreter refused a file or an input, or crashed; the message is one line."""


class IsolatedInterpreter(OneImageInterpreter):
    """As `converter.tflite.interpreter.Interpreter`, but a file that crashes it raises an error.

    The process ends when nothing refers to this object any more.

    Args:
        content: The bytes of the file.
        threads: How many threads it runs on.
        kernels: One of `converter.tflite.interpreter.KERNELS`.

    Raises:
        ImportError: if LCE is not installed.
        InterpreterError: if LCE cannot run the file.

    Example:
        >>> IsolatedInterpreter(b"no model")
        Traceback (most recent call last):
        ...
        converter.tflite.isolated.InterpreterError: LCE's interpreter cannot load it
    """

    def __init__(self, content: bytes, *, threads: int = 1, kernels: str = "default"):
        # The process reads what it is to do, so that a stranger's bytes are no part of a command line.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(path=[path or os.getcwd() for path in sys.path])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C is for its parent
        )
        self._end = weakref.finalize(self, _end, self._process)
        answer = self._ask({"threads": threads, "kernels": kernels}, [np.ndarray(len(content), np.uint8, content)])
        self.input_shapes, self.input_types = _tensors(answer["inputs"])
        self.output_shapes, self.output_types = _tensors(answer["outputs"])

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for inputs of the file's own shapes.

        Raises:
            InterpreterError: if the file cannot be run, or ends the interpreter.
        """
        answer = self._ask({}, inputs)
        try:
            return _read_arrays(self._process.stdout, answer["arrays"])
        except EOFError as error:
            raise self._ended() from error

    def close(self) -> None:
        """Ends the process."""
        self._end()

    def _ask(self, question: dict[str, Any], arrays: Sequence[np.ndarray]) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            _write(self._process.stdin, question, arrays)
            line = self._process.stdout.readline()
        except OSError as error:  # a broken pipe
            raise self._ended() from error
        if not line:
            raise self._ended()
        answer = json.loads(line)
        if "missing" in answer:
            raise ImportError(answer["missing"])
        if "error" in answer:
            raise InterpreterError(printable(one_line(answer["error"])))
        return answer

    def _ended(self) -> InterpreterError:
        if _is_stuck(self._process):
            self._process.kill()
        return InterpreterError(f"LCE's interpreter ended with {how_it_ended(self._process.wait())} on this file")


def how_it_ended(status: int) -> str:
    """The name of the signal that ended a process, or its exit status.

    >>> how_it_ended(-11), how_it_ended(-6), how_it_ended(3)
    ('SIGSEGV', 'SIGABRT', 'status 3')
    """
    try:
        return signal.Signals(-status).name if status < 0 else f"status {status}"
    except ValueError:
        return f"signal {-status}"


def serve() -> None:
    """The process's work: loads one file and runs it for as long as it is asked to."""
    # LCE's own messages must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    questions = sys.stdin.buffer

    question = json.loads(questions.readline())
    (content,) = _read_arrays(questions, question["arrays"])
    try:
        interpreter = Interpreter(content.tobytes(), threads=question["threads"], kernels=question["kernels"])
        described = {
            "inputs": _described(interpreter.input_shapes, interpreter.input_types),
            "outputs": _described(interpreter.output_shapes, interpreter.output_types),
        }
    except ImportError as error:
        return _write(answers, {"missing": str(error)})
    except Exception:
        return _write(answers, {"error": "LCE's interpreter cannot load it"})
    _write(answers, described)
    while line := questions.readline():
        inputs = _read_arrays(questions, json.loads(line)["arrays"])
        try:
            outputs = [np.asarray(output) for output in interpreter.run(inputs)]
            if any(output.dtype.kind not in "fiub" for output in outputs):
                raise TypeError("its answers are no numbers")
        # Whatever the interpreter or the making of its arrays raise; the parent names the file.
        except Exception as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            _write(answers, {"error": f"LCE's interpreter cannot run it ({reason})"})
        else:
            _write(answers, {}, outputs)


def _write(stream, content, arrays=()):
    arrays = [np.ascontiguousarray(array) for array in arrays]
    described = _described([array.shape for array in arrays], [array.dtype for array in arrays])
    stream.write(json.dumps({**content, "arrays": described}).encode() + b"\n")
    for array in arrays:
        stream.write(array.tobytes())
    stream.flush()


def _read_arrays(stream, described):
    """The arrays that a line tells of; EOFError if the other side ends before."""
    arrays: list[np.ndarray] = []
    for shape, kind in described:
        size = math.prod(shape) * np.dtype(kind).itemsize
        content = stream.read(size)
        if len(content) < size:
            raise EOFError
        arrays.append(np.ndarray(shape, kind, content))
    return arrays


def _described(shapes, types):
    return [[list(map(int, shape)), np.dtype(kind).str] for shape, kind in zip(shapes, types, strict=True)]


def _tensors(described):
    return [tuple(shape) for shape, _ in described], [np.dtype(kind) for _, kind in described]


def _is_stuck(process):
    """Whether a process that gave no answer, or half of one, does not end by itself."""
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return True
    return False


def _end(process):
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not written any more
            stream.close()
