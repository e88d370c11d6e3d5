"""Convolutions, binary and float, dense layers and pooling."""

import numpy as np

from android_demo.runner.compiler.network import Value, vector
from android_demo.runner.compiler.source.elements import Translation
from android_demo.runner.compiler.source.reader import BOUNDS
from android_demo.runner.compiler.source.shapes import reshaped
from android_demo.runner.plan import Type


def _conv(reader, operation, options):
    value, kernel = reader.value(operation.inputs[0]), reader.constant(operation.inputs[1])
    filters, height, width, channels = kernel.shape
    groups = value.channels // channels
    reader.require(value.channels == groups * channels and filters % groups == 0, operation, "its groups do not fit")
    out, bias = reader.new_value(operation.outputs[0]), reader.bias(operation, filters)
    bounds = reader.bounds(operation, options)
    attributes = {**reader.window((height, width), options, value, out), "bounds": bounds}
    parts, size = [], filters // groups
    for group in range(groups):
        part = value
        if groups > 1:
            part = reader.add("View", [value], value.like(channels=channels), start=group * channels)
        own = kernel[group * size : (group + 1) * size].transpose(1, 2, 3, 0)
        weights = Value(height * width, channels, size, data=np.ascontiguousarray(own, np.float32))
        biases = vector(bias[group * size : (group + 1) * size])
        parts.append(reader.add("Conv", [part, weights, biases], out.like(channels=size), **attributes))
    reader.finish(operation, parts[0] if groups == 1 else reader.add("Concat", parts, out))


def _depthwise(reader, operation, options):
    value, kernel = reader.value(operation.inputs[0]), reader.constant(operation.inputs[1])
    _, height, width, filters = kernel.shape
    out = reader.new_value(operation.outputs[0])
    weights = Value(height, width, filters, data=np.ascontiguousarray(kernel[0], np.float32))
    bias = vector(reader.bias(operation, filters))
    bounds = reader.bounds(operation, options)
    window = reader.window((height, width), options, value, out)
    multiplier = filters // value.channels
    node = reader.add("Depthwise", [value, weights, bias], out, bounds=bounds, multiplier=multiplier, **window)
    reader.finish(operation, node)


def _dense(reader, operation, options):
    value, index = reader.value(operation.inputs[0]), operation.inputs[1]
    matrix = reader.constant(index)
    filters, size = matrix.shape
    out = reader.new_value(operation.outputs[0])
    bias, bounds = vector(reader.bias(operation, filters)), reader.bounds(operation, options)
    if out.pixels > 1:  # For every pixel the same: a convolution of single pixels.
        weights = Value(1, size, filters, data=np.ascontiguousarray(matrix.T, np.float32))
        attributes = {"bounds": bounds, "window": (1, 1, 1, 1, 1, 1, 0, 0)}
        reader.finish(operation, reader.add("Conv", [value, weights, bias], out, **attributes))
        return
    if value.pixels > 1:
        value = reshaped(reader, value, Value(1, 1, size, name=value.name))
    if index in reader.int8:
        data, scale = reader.int8[index]
        weights = Value(1, size, filters, Type.INT8, data=np.ascontiguousarray(data.T))
    else:
        scale = np.ones(filters)
        weights = Value(1, size, filters, data=np.ascontiguousarray(matrix.T, np.float32))
    reader.finish(operation, reader.add("Dense", [value, weights, vector(scale), bias], out, bounds=bounds))


def _pool(reader, operation, options):
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    window = reader.window((options["filterHeight"], options["filterWidth"]), options, value, out)
    mean, bounds = operation.type == "AVERAGE_POOL_2D", reader.bounds(operation, options)
    reader.finish(operation, reader.add("Pool", [value], out, mean=mean, bounds=bounds, **window))


def _pool_signs(reader, operation, options):
    value = reader.signs(operation.inputs[0])
    out = reader.new_value(operation.outputs[0], Type.SIGNS, value.channels)
    window = reader.window((options["filter_height"], options["filter_width"]), options, value, out)
    reader.finish(operation, reader.add("Pool", [value], out, mean=False, bounds=BOUNDS[0], **window))


def _binary_conv(reader, operation, options):
    value, kernel = reader.signs(operation.inputs[0]), reader.constant(operation.inputs[1])
    filters, height, width, words = kernel.shape
    groups = value.elements // words
    channels, size = value.channels // groups, filters // groups
    signs = height * width * channels
    fits = (value.elements, filters) == (groups * words, groups * size) and value.channels == groups * channels
    reader.require(fits, operation, "its groups do not fit")
    reader.require(groups == 1 or channels % 32 == 0, operation, "its groups are not of whole words")
    reader.require(signs < 2**15, operation, "its sums do not fit 16 bits")
    out = reader.new_value(operation.outputs[0], Type.INT16, filters)
    ones = options.get("pad_values", 0) == 1
    attributes = {**reader.window((height, width), options, value, out), "ones": ones}
    parts = []
    for group in range(groups):
        part = value
        if groups > 1:
            part = reader.add("View", [value], value.like(channels=channels), start=group * channels)
        data = np.ascontiguousarray(kernel[group * size : (group + 1) * size])
        weights = Value(size, height * width, channels, Type.SIGNS, data=data)
        parts.append(reader.add("BinaryConv", [part, weights], out.like(channels=size), **attributes))
    sums = parts[0] if groups == 1 else reader.add("Concat", parts, out)
    result_type = reader.file.type(operation.outputs[0])
    if result_type == "INT32":
        inside = ones or options.get("padding", 0) == 1
        reader.require(inside, operation, "it writes signs of sums with zeros at the border")
        reader.finish(operation, _signs_of_sums(reader, sums, signs, reader.constant(operation.inputs[-1])))
        return
    reader.require(result_type == "FLOAT32", operation, "its result is not float")
    factor, offset = (vector(reader.constant(index)) for index in operation.inputs[2:4])
    bounds = reader.bounds(operation, options)
    if bounds == BOUNDS[0]:
        reader.finish(operation, reader.add("Affine", [sums, factor, offset], sums.like(type=Type.FLOAT)))
        return
    # LCE applies the activation to the sums, before factor and offset.
    product = reader.add("Mul", [reader.bounded(_floats(reader, sums), bounds), factor], sums.like(type=Type.FLOAT))
    reader.finish(operation, reader.add("Add", [product, offset], product.like()))


def _floats(reader, sums):
    one, zero = vector(np.ones(sums.channels)), vector(np.zeros(sums.channels))
    return reader.add("Affine", [sums, one, zero], sums.like(type=Type.FLOAT))


def _signs_of_sums(reader, sums, signs, thresholds):
    """A bit-packed result: LCE counts the signs that differ, and where these are more than a threshold writes -1."""
    bound = vector(signs - 2 * thresholds.astype(np.float64))
    return reader.add("Pack", [_floats(reader, sums), bound], sums.like(type=Type.SIGNS))


TRANSLATIONS: dict[str, Translation] = {
    "AVERAGE_POOL_2D": _pool,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "LceBMaxPool2d": _pool_signs,
    "LceBconv2d": _binary_conv,
    "MAX_POOL_2D": _pool,
}
