"""Operators that only move elements: concatenations, slices, other shapes."""

import math

import numpy as np

from android_demo.runner.compiler.network import Value
from android_demo.runner.compiler.source.elements import Translation
from android_demo.runner.compiler.source.reader import Reader


def _concat(reader, operation, options):
    shape = reader.file.shape(operation.outputs[0])
    reader.require(options["axis"] % len(shape) == len(shape) - 1, operation, "it is not of channels")
    reader.bounds(operation, options)
    out = reader.new_value(operation.outputs[0])
    parts = [reader.operand(index, reader.new_value(index)) for index in operation.inputs]
    reader.finish(operation, reader.add("Concat", parts, out))


def _split(reader, operation, options):
    axis_input, tensor = (0, 1) if operation.type == "SPLIT" else (2, 0)
    value = reader.value(operation.inputs[tensor])
    rank = len(reader.file.shape(operation.inputs[tensor]))
    axis = int(reader.constant(operation.inputs[axis_input]).ravel()[0]) % rank
    reader.require(axis == rank - 1, operation, "it is not of channels")
    start = 0
    for index in operation.outputs:
        out = reader.new_value(index)
        reader.values[index] = reader.add("View", [value], out, start=start)
        start += out.channels


def reshaped(reader: Reader, value: Value, out: Value) -> Value:
    """A value's elements, in their order, as those of another shape."""
    return reader.add("View", [value], out, shape=True)


def _reshape(reader, operation, options):
    value = reader.value(operation.inputs[0])
    out = reader.new_value(operation.outputs[0])
    same = (value.height, value.width, value.channels) == (out.height, out.width, out.channels)
    reader.finish(operation, value if same else reshaped(reader, value, out))


def _slice(reader, operation, options):
    shape = reader.file.shape(operation.inputs[0])
    reader.require(len(shape) == 4, operation, "it is not of a map")
    begin = [int(i) for i in reader.constant(operation.inputs[1]).ravel()]
    steps = [1] * 4
    if operation.type == "STRIDED_SLICE":
        steps = [int(i) for i in reader.constant(operation.inputs[3]).ravel()]
        masked = [options.get(name, 0) for name in ("ellipsisMask", "newAxisMask", "shrinkAxisMask")]
        reader.require(not any(masked) and min(steps) > 0, operation, "it drops or adds an axis, or runs backwards")
        for axis in range(4):
            if options.get("beginMask", 0) >> axis & 1:
                begin[axis] = 0
            begin[axis] += shape[axis] if begin[axis] < 0 else 0
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    whole = (out.height, out.width) == (value.height, value.width) and steps[1:] == [1, 1, 1]
    if whole:
        reader.finish(operation, reader.add("View", [value], out, start=begin[3]))
        return
    strides = _strides(shape)
    start = sum(b * s for b, s in zip(begin, strides, strict=True))
    move = (
        start,
        [s * k for s, k in zip(strides, steps, strict=True)],
        0,
        _strides(reader.file.shape(operation.outputs[0])),
    )
    sizes = list(reader.file.shape(operation.outputs[0]))
    reader.finish(operation, reader.add("Move", [value], out, moves=[(sizes, *move)]))


def _pad(reader, operation, options):
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    before = reader.constant(operation.inputs[1])[:, 0]
    shape, strides = reader.file.shape(operation.inputs[0]), _strides(reader.file.shape(operation.outputs[0]))
    start = sum(int(b) * s for b, s in zip(before, strides, strict=True))
    move = (list(shape), 0, _strides(shape), start, strides)
    reader.finish(operation, reader.add("Move", [value], out, moves=[move], zeros=True))


def _transpose(reader, operation, options):
    shape = reader.file.shape(operation.inputs[0])
    order = [int(axis) for axis in reader.constant(operation.inputs[1]).ravel()]
    reader.require(len(shape) <= 6, operation, "it has more than six dimensions")
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    strides, results = _strides(shape), reader.file.shape(operation.outputs[0])
    move = (list(results), 0, [strides[axis] for axis in order], 0, _strides(results))
    reader.finish(operation, reader.add("Move", [value], out, moves=[move]))


def _depth_to_space(reader, operation, options):
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    block = options["blockSize"]
    row, channels = out.width * out.channels, out.channels
    # (y, x, block row, block column, channel) of the input.
    sizes = [value.height, value.width, block, block, channels]
    inner = [value.width * value.channels, value.channels, block * channels, channels, 1]
    outer = [block * row, block * channels, row, channels, 1]
    if operation.type == "SPACE_TO_DEPTH":
        row, channels = value.width * value.channels, value.channels
        sizes = [out.height, out.width, block, block, channels]
        inner = [block * row, block * channels, row, channels, 1]
        outer = [out.width * out.channels, out.channels, block * channels, channels, 1]
    reader.finish(operation, reader.add("Move", [value], out, moves=[(sizes, 0, inner, 0, outer)]))


def _enlarge(reader, operation, options):
    """The nearest pixel, for sizes that are multiples: whichever way pixels' places are counted, it is the same one."""
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    rows, columns = out.height // value.height, out.width // value.width
    whole = (out.height, out.width) == (rows * value.height, columns * value.width) and not options["alignCorners"]
    reader.require(whole, operation, "it does not enlarge by whole numbers")
    sizes = [value.height, rows, value.width, columns, out.channels]
    inner = [value.width * out.channels, 0, out.channels, 0, 1]
    outer = [step * out.channels for step in (rows * out.width, out.width, columns, 1)]
    reader.finish(operation, reader.add("Move", [value], out, moves=[(sizes, 0, inner, 0, [*outer, 1])]))


def _gather(reader, operation, options):
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    rank = len(reader.file.shape(operation.inputs[0]))
    reader.require(options.get("axis", 0) % rank == rank - 1, operation, "it is not of channels")
    indices = [int(index) for index in reader.constant(operation.inputs[1]).ravel()]
    reader.finish(operation, reader.add("Gather", [value], out, indices=indices))


def _reverse(reader, operation, options):
    """Element by element: a copy's strides have no sign. It is of images, once, in networks that PyTorch trained."""
    shape = reader.file.shape(operation.inputs[0])
    axes = [int(axis) for axis in reader.constant(operation.inputs[1]).ravel()]
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    indices = np.flip(np.arange(math.prod(shape)).reshape(shape), axes).ravel().tolist()
    flat = reshaped(reader, value, Value(1, 1, len(indices), name=value.name))
    turned = reader.add("Gather", [flat], Value(1, 1, len(indices), name=out.name), indices=indices)
    reader.finish(operation, reshaped(reader, turned, out))


def _strides(shape):
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


TRANSLATIONS: dict[str, Translation] = {
    "CONCATENATION": _concat,
    "DEPTH_TO_SPACE": _depth_to_space,
    "EXPAND_DIMS": _reshape,
    "GATHER": _gather,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "RESIZE_NEAREST_NEIGHBOR": _enlarge,
    "REVERSE_V2": _reverse,
    "SLICE": _slice,
    "SPACE_TO_DEPTH": _depth_to_space,
    "SPLIT": _split,
    "SPLIT_V": _split,
    "SQUEEZE": _reshape,
    "STRIDED_SLICE": _slice,
    "TRANSPOSE": _transpose,
}
