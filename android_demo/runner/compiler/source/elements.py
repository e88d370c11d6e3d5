"""Operators on single elements, and on each pixel or channel by itself."""

from collections.abc import Callable
from typing import Any

import numpy as np

from android_demo.runner.compiler.network import Value, vector
from android_demo.runner.compiler.source.reader import BOUNDS, Reader
from android_demo.runner.plan import Type
from converter.tflite.flatbuffer import Operation

Translation = Callable[[Reader, Operation, dict[str, Any]], None]


def _elementwise(op: str) -> Translation:
    def translate(reader, operation, options):
        out = reader.new_value(operation.outputs[0])
        inputs = [reader.operand(index, out) for index in operation.inputs]
        for value in inputs:
            fits = value.channels == out.channels and value.pixels in (1, out.pixels)
            reader.require(fits, operation, "it repeats channels")
        result = reader.add(op, inputs, out)
        reader.finish(operation, reader.bounded(result, reader.bounds(operation, options)))

    return translate


def _clamp(least: float, most: float) -> Translation:
    def translate(reader, operation, options):
        reader.finish(operation, reader.bounded(reader.value(operation.inputs[0]), (least, most)))

    return translate


def _prelu(reader, operation, options):
    value = reader.value(operation.inputs[0])
    slope = (
        vector(np.full(value.channels, options["alpha"]))
        if operation.type == "LEAKY_RELU"
        else reader.operand(operation.inputs[1], value)
    )
    reader.finish(operation, reader.add("Prelu", [value, slope], reader.new_value(operation.outputs[0])))


def _hard_swish(reader, operation, options):
    value = reader.value(operation.inputs[0])
    shifted = reader.add("Add", [value, vector(np.full(value.channels, 3.0))], value.like())
    gate = reader.bounded(shifted, (0.0, 6.0))
    product = reader.add("Mul", [value, gate], value.like())
    reader.finish(operation, reader.add("Mul", [product, vector(np.full(value.channels, 1 / 6))], value.like()))


def _cast(reader, operation, options):
    taken = reader.file.type(operation.inputs[0])
    reader.require(taken in ("UINT8", "FLOAT32"), operation, f"it makes floats of {taken}")
    # Pixels are floats in the engine already.
    reader.finish(operation, reader.value(operation.inputs[0]))


def _root(reader, operation, options):
    value = reader.value(operation.inputs[0])
    result = reader.add("Sqrt", [value], value.like())
    if operation.type == "RSQRT":
        result = reader.add("Div", [vector(np.ones(value.channels)), result], value.like())
    reader.finish(operation, result)


def _square(reader, operation, options):
    value = reader.value(operation.inputs[0])
    reader.finish(operation, reader.add("Mul", [value, value], value.like()))


def _negative(reader, operation, options):
    value = reader.value(operation.inputs[0])
    negative = reader.add("Mul", [value, vector(np.full(value.channels, -1.0))], value.like())
    if operation.type == "ABS":
        negative = reader.add("Max", [value, negative], value.like())
    reader.finish(operation, negative)


def _elu(reader, operation, options):
    """``max(x, 0) + exp(min(x, 0)) - 1``: where x is close to 0, within a rounding of 1."""
    value = reader.value(operation.inputs[0])
    power = reader.add("Exp", [reader.bounded(value, (-np.inf, 0.0))], value.like())
    below = reader.add("Sub", [power, vector(np.ones(value.channels))], value.like())
    reader.finish(operation, reader.add("Add", [reader.bounded(value, (0.0, np.inf)), below], value.like()))


def _squared_difference(reader, operation, options):
    _elementwise("Sub")(reader, operation, {})
    difference = reader.values[operation.outputs[0]]
    reader.finish(operation, reader.add("Mul", [difference, difference], difference.like()))


def _of_map(reader, operation, options):
    """The mean, the sum or the largest of all pixels."""
    value = reader.value(operation.inputs[0])
    rank = len(reader.file.shape(operation.inputs[0]))
    axes = {int(axis) % rank for axis in reader.constant(operation.inputs[1]).ravel()}
    reader.require(axes == {1, 2} and rank == 4, operation, "it is not over a map")
    output = Value(1, 1, value.channels, name=reader.names[operation.outputs[0]])
    if operation.type == "REDUCE_MAX":
        window = (value.height, value.width, 1, 1, 1, 1, 0, 0)
        reader.finish(operation, reader.add("Pool", [value], output, mean=False, bounds=BOUNDS[0], window=window))
        return
    scale = vector(np.full(value.channels, np.float32(1 if operation.type == "SUM" else 1 / value.pixels)))
    reader.finish(operation, reader.add("Sum", [value, scale], output))


def _softmax(reader, operation, options):
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    reader.finish(operation, reader.add("Softmax", [value], out, beta=options["beta"]))


def _quantize(reader, operation, options):
    value = reader.value(operation.inputs[0])
    output = value.like(type=Type.SIGNS)
    output.name = reader.names[operation.outputs[0]]
    reader.finish(operation, reader.add("Pack", [value, vector(np.zeros(value.channels))], output))


def _dequantize_signs(reader, operation, options):
    value = reader.signs(operation.inputs[0])
    output = value.like(type=Type.FLOAT)
    output.name = reader.names[operation.outputs[0]]
    reader.finish(operation, reader.add("Unpack", [value], output))


TRANSLATIONS: dict[str, Translation] = {
    "ABS": _negative,
    "ADD": _elementwise("Add"),
    "CAST": _cast,
    "DIV": _elementwise("Div"),
    "ELU": _elu,
    "EXP": _elementwise("Exp"),
    "HARD_SWISH": _hard_swish,
    "LEAKY_RELU": _prelu,
    "LOGISTIC": _elementwise("Logistic"),
    "LceDequantize": _dequantize_signs,
    "LceQuantize": _quantize,
    "MAXIMUM": _elementwise("Max"),
    "MEAN": _of_map,
    "MINIMUM": _elementwise("Min"),
    "MUL": _elementwise("Mul"),
    "NEG": _negative,
    "PRELU": _prelu,
    "REDUCE_MAX": _of_map,
    "RELU": _clamp(0.0, np.inf),
    "RELU6": _clamp(0.0, 6.0),
    "RELU_N1_TO_1": _clamp(-1.0, 1.0),
    "RSQRT": _root,
    "SOFTMAX": _softmax,
    "SQRT": _root,
    "SQUARE": _square,
    "SQUARED_DIFFERENCE": _squared_difference,
    "SUB": _elementwise("Sub"),
    "SUM": _of_map,
    "TANH": _elementwise("Tanh"),
}
