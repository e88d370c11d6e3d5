"""This project's own engine, for those who may not import it: it lies in ``android_demo``, which imports this package.

So it is found by its name, when it is first wanted.
"""

import importlib
from pathlib import Path

from bnext_keras.errors import ConversionError, UserError
from bnext_keras.text import first_line

from converter.tflite.interpreter import OneImageInterpreter

#: What runs ``.tflite`` files: the engine, or Larq Compute Engine.
RUNNERS = ("bnext", "lce")

#: Why LCE does not run a file that the engine runs.
INT4_REASON = "LCE cannot read its weights of 4 bits, which are for this project's engine alone"


class EngineUnavailable(UserError, RuntimeError):
    """The engine cannot run a file, or cannot be compiled here. A remedy tells what runs that file in its place."""


def open_engine(content: bytes | str | Path, *, threads: int = 1) -> OneImageInterpreter:
    """A file, or its bytes, ready to run in the engine, which is compiled now if it never was.

    Args:
        content: The bytes or the path of a ``.tflite`` file; a stranger's may do no harm.
        threads: How many threads it runs on.

    Raises:
        EngineUnavailable: if the engine cannot run it; the message says why.

    Example:
        >>> open_engine(b"no model")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        converter.tflite.engine.EngineUnavailable: not in the engine: not a .tflite file, ...
    """
    runner = importlib.import_module("android_demo.runner")
    try:
        return runner.Interpreter(content, num_threads=threads)
    except ConversionError as error:
        raise EngineUnavailable(f"not in the engine: {error.what}", remedy=error.remedy) from error
    # A file that was made to do harm finds what the compiler did not expect; that is its end, not the caller's.
    except Exception as error:
        raise EngineUnavailable(f"not in the engine: {first_line(error)}") from error
