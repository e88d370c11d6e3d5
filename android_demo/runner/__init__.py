"""An inference engine of its own for binary networks: a compiler in Python, a core in C++ without a C library.

>>> from android_demo.runner import Interpreter

Its parts are explained in ``README.md`` beside this file.
"""

from android_demo.runner.compiler import UnsupportedOperator, compile_plan
from android_demo.runner.interpreter import EngineError, Interpreter

__all__ = ["EngineError", "Interpreter", "UnsupportedOperator", "compile_plan"]
