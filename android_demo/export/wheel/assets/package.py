"""Runs binary neural networks that bnext-keras has converted, without TensorFlow.

from bnext_runtime import Interpreter

Interpreter("model.tflite", num_threads=4).predict(images)
"""

from android_demo.runner import EngineError, Interpreter, UnsupportedOperator, compile_plan

__all__ = ["EngineError", "Interpreter", "UnsupportedOperator", "compile_plan"]
