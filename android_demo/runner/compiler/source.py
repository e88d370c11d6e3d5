"""Reads a ``.tflite`` file into a `Network`: one function for each type of operator. Others are refused by name."""

import math
from collections.abc import Callable
from typing import Any, NoReturn

from bnext_keras.errors import ConversionError

import numpy as np

from android_demo.runner.compiler.network import Network, Node, Value, vector
from android_demo.runner.plan import Type
from converter.tflite.flatbuffer import Flatbuffer, Operation

#: Bounds of the results by TFLite's number of a fused activation.
_BOUNDS = {0: (-np.inf, np.inf), 1: (0.0, np.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
_TYPES = {"FLOAT32": np.float32, "INT32": np.int32, "INT64": np.int64, "INT8": np.int8}


class UnsupportedOperator(ConversionError):
    """The engine cannot run an operator of the file."""


def read(content: bytes) -> Network:
    """The network of a file of batch size one.

    Raises:
        ConversionError: if the file is damaged.
        UnsupportedOperator: if it has an operator, or a form of one, that the engine does not have.
    """
    return _Reader(Flatbuffer(content)).read()


class _Reader:
    def __init__(self, file: Flatbuffer):
        self.file = file
        self.names = file.names
        self.values: dict[int, Value] = {}
        self.arrays: dict[int, np.ndarray] = {}  # Constants that operators make.
        self.scales: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # int8 matrices and their rows' scales.
        self.nodes: list[Node] = []

    def read(self) -> Network:
        inputs = [int(index) for index in self.file.model.subgraphs[0].inputs]
        for index in inputs:
            self.values[index] = self.new_value(index)
        for operation in self.file.operations:
            translate = _TRANSLATIONS.get(operation.type)
            if translate is None:
                self.refuse(operation, "the engine has no such operator")
            try:
                translate(self, operation, self.file.options(operation))
            except (KeyError, IndexError, ValueError, AttributeError) as error:
                if isinstance(error, ConversionError):
                    raise
                self.refuse(operation, "its tensors do not fit together")
        outputs = []
        for index in self.file.outputs:
            outputs.append(self.values[index])
        return Network(self.nodes, [self.values[index] for index in inputs], outputs)

    def refuse(self, operation: Operation, reason: str) -> NoReturn:
        name = self.names[operation.outputs[0]] if operation.outputs else ""
        raise UnsupportedOperator(f"{operation.type} {name}: {reason}", remedy="run the file with LCE's interpreter")

    def require(self, condition: Any, operation: Operation, reason: str) -> None:
        if not condition:
            self.refuse(operation, reason)

    # Tensors.

    def new_value(self, index: int, type: Type = Type.FLOAT, channels: int | None = None) -> Value:
        height, width, own = self.dimensions(self.file.shape(index))
        return Value(height, width, own if channels is None else channels, type, name=self.names[index])

    def dimensions(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        if len(shape) == 4 and shape[0] == 1:
            return shape[1:]
        if len(shape) == 3 and shape[0] == 1:
            return 1, shape[1], shape[2]
        if len(shape) <= 2:
            if len(shape) == 2 and shape[0] != 1:
                return 1, shape[0], shape[1]
            return 1, 1, math.prod(shape)
        # Of more dimensions than a map has, or of several images: only moved as a whole.
        return 1, 1, math.prod(shape)

    def array(self, index: int) -> np.ndarray | None:
        """The elements of a constant; None for what is computed."""
        if index in self.arrays:
            return self.arrays[index]
        if not self.file.is_constant(index):
            return None
        data = self.file.model.buffers[self.file.buffer(index)].data
        dtype = _TYPES.get(self.file.type(index))
        if dtype is None:
            return None
        return np.asarray(data, np.uint8).view(dtype).reshape(self.file.shape(index))

    def constant(self, index: int) -> np.ndarray:
        array = self.array(index)
        if array is None:
            raise ValueError("not a constant")
        return array

    def value(self, index: int) -> Value:
        """A computed tensor."""
        return self.values[index]

    def operand(self, index: int, like: Value) -> Value:
        """A tensor, or a constant of any shape that is broadcast, as a map of another's size or a vector."""
        if index in self.values:
            return self.values[index]
        array = np.asarray(self.constant(index), np.float32)
        shape = (1,) * (3 - array.ndim) + array.shape if array.ndim < 3 else array.shape[-3:]
        array = array.reshape(shape)
        if shape[0] == shape[1] == 1:
            return vector(np.broadcast_to(array, (1, 1, like.channels)), self.names[index])
        full = np.broadcast_to(array, (like.height, like.width, like.channels))
        return Value(like.height, like.width, like.channels, data=np.ascontiguousarray(full), name=self.names[index])

    def add(self, op: str, inputs: list[Value], output: Value, **attributes: Any) -> Value:
        self.nodes.append(Node(op, inputs, output, attributes))
        return output

    def bounded(self, value: Value, bounds: tuple[float, float]) -> Value:
        """A value within bounds, by operations on elements."""
        for op, bound in (("Max", bounds[0]), ("Min", bounds[1])):
            if np.isfinite(bound):
                value = self.add(op, [value, vector(np.full(value.channels, bound))], value.like())
        return value

    def bounds(self, operation: Operation, options: dict[str, Any]) -> tuple[float, float]:
        activation = options.get("fusedActivationFunction", options.get("fused_activation_function", 0))
        self.require(activation in _BOUNDS, operation, "its fused activation is none of the ReLUs")
        return _BOUNDS[activation]

    def window(self, taps: tuple[int, int], options: dict[str, Any], into: Value, out: Value) -> dict[str, Any]:
        """Geometry by TFLite's names or LCE's."""
        stride = (
            options.get("strideH", options.get("stride_height", 1)),
            options.get("strideW", options.get("stride_width", 1)),
        )
        dilation = (
            options.get("dilationHFactor", options.get("dilation_height_factor", 1)),
            options.get("dilationWFactor", options.get("dilation_width_factor", 1)),
        )
        before = [0, 0]
        if options.get("padding", 0) == 0:  # SAME: what is missing, half of it before the first.
            for axis, (size, results) in enumerate(((into.height, out.height), (into.width, out.width))):
                reach = (results - 1) * stride[axis] + (taps[axis] - 1) * dilation[axis] + 1
                before[axis] = max(0, reach - size) // 2
        return {"window": (*taps, *stride, *dilation, *before)}

    def finish(self, operation: Operation, value: Value) -> None:
        self.values[operation.outputs[0]] = value


def _elementwise(op):
    def translate(reader, operation, options):
        out = reader.new_value(operation.outputs[0])
        inputs = [reader.operand(index, out) for index in operation.inputs]
        for value in inputs:
            fits = value.channels == out.channels and value.pixels in (1, out.pixels)
            reader.require(fits, operation, "it repeats channels")
        result = reader.add(op, inputs, out)
        reader.finish(operation, reader.bounded(result, reader.bounds(operation, options)))

    return translate


def _clamp(least, most):
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


def _rsqrt(reader, operation, options):
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


def _mean(reader, operation, options):
    value = reader.value(operation.inputs[0])
    axes = {
        int(axis) % len(reader.file.shape(operation.inputs[0])) for axis in reader.constant(operation.inputs[1]).ravel()
    }
    reader.require(
        axes == {1, 2} and len(reader.file.shape(operation.inputs[0])) == 4, operation, "it is not over a map"
    )
    scale = vector(np.full(value.channels, np.float32(1 / value.pixels)))
    output = Value(1, 1, value.channels, name=reader.names[operation.outputs[0]])
    reader.finish(operation, reader.add("Sum", [value, scale], output))


def _quantize(reader, operation, options):
    value = reader.value(operation.inputs[0])
    output = value.like(type=Type.SIGNS)
    output.name = reader.names[operation.outputs[0]]
    reader.finish(operation, reader.add("Pack", [value, vector(np.zeros(value.channels))], output))


def _dequantize(reader, operation, options):
    data = reader.constant(operation.inputs[0])
    quantization = reader.file.model.subgraphs[0].tensors[operation.inputs[0]].quantization
    reader.require(data.dtype == np.int8 and quantization is not None, operation, "it is not of int8 weights")
    reader.require(not np.any(quantization.zeroPoint), operation, "its weights are not symmetric")
    scale = np.asarray(quantization.scale, np.float32)
    axis = int(quantization.quantizedDimension)
    shape = [1] * data.ndim
    if len(scale) > 1:
        shape[axis] = len(scale)
    reader.arrays[operation.outputs[0]] = data.astype(np.float32) * scale.reshape(shape)
    if data.ndim == 2 and (axis == 0 or len(scale) == 1):
        reader.scales[operation.outputs[0]] = data, np.broadcast_to(scale, len(data))


def _fill(reader, operation, options):
    shape, value = (reader.constant(index) for index in operation.inputs)
    reader.arrays[operation.outputs[0]] = np.broadcast_to(value, shape.ravel())


def _conv(reader, operation, options):
    value, kernel = reader.value(operation.inputs[0]), reader.constant(operation.inputs[1])
    filters, height, width, channels = kernel.shape
    groups = value.channels // channels
    out = reader.new_value(operation.outputs[0])
    bias = reader.constant(operation.inputs[2]) if len(operation.inputs) > 2 else np.zeros(filters)
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
    bias = vector(reader.constant(operation.inputs[2]) if len(operation.inputs) > 2 else np.zeros(filters))
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
    bias = vector(reader.constant(operation.inputs[2]) if len(operation.inputs) > 2 else np.zeros(filters))
    bounds = reader.bounds(operation, options)
    if out.pixels > 1:  # For every pixel the same: a convolution of single pixels.
        weights = Value(1, size, filters, data=np.ascontiguousarray(matrix.T, np.float32))
        attributes = {"bounds": bounds, "window": (1, 1, 1, 1, 1, 1, 0, 0)}
        reader.finish(operation, reader.add("Conv", [value, weights, bias], out, **attributes))
        return
    if value.pixels > 1:
        value = _reshaped(reader, value, Value(1, 1, size, name=value.name))
    if index in reader.scales:
        data, scale = reader.scales[index]
        weights = Value(filters, 1, size, Type.INT8, data=np.ascontiguousarray(data))
    else:
        scale = np.ones(filters)
        weights = Value(filters, 1, size, data=np.ascontiguousarray(matrix, np.float32))
    reader.finish(operation, reader.add("Dense", [value, weights, vector(scale), bias], out, bounds=bounds))


def _pool(reader, operation, options):
    value = reader.value(operation.inputs[0])
    signs = operation.type == "LceBMaxPool2d"
    taps = (
        (options["filter_height"], options["filter_width"])
        if signs
        else (options["filterHeight"], options["filterWidth"])
    )
    out = reader.new_value(operation.outputs[0], value.type, value.channels)
    reader.finish(
        operation,
        reader.add(
            "Pool",
            [value],
            out,
            mean=operation.type == "AVERAGE_POOL_2D",
            bounds=(-np.inf, np.inf) if signs else reader.bounds(operation, options),
            **reader.window(taps, options, value, out),
        ),
    )


def _binary_conv(reader, operation, options):
    value, kernel = reader.value(operation.inputs[0]), reader.constant(operation.inputs[1])
    filters, height, width, words = kernel.shape
    channels = value.channels
    groups = value.elements // words
    reader.require(groups == 1 or channels % (32 * groups) == 0, operation, "its groups are not of whole words")
    reader.require(height * width * channels // groups < 2**15, operation, "its sums do not fit 16 bits")
    index = operation.outputs[0]
    tensor_type = reader.file.type(index)
    out = reader.new_value(index, Type.INT16, filters)
    signs_out = tensor_type == "INT32"
    reader.require(signs_out or tensor_type == "FLOAT32", operation, "its result is not float")
    ones = options.get("pad_values", 0) == 1
    attributes = {**reader.window((height, width), options, value, out), "ones": ones}
    parts, size = [], filters // groups
    for group in range(groups):
        part = value
        if groups > 1:
            own = value.like(channels=channels // groups)
            part = reader.add("View", [value], own, start=group * (channels // groups))
        data = np.ascontiguousarray(kernel[group * size : (group + 1) * size])
        weights = Value(size, height * width, channels // groups, Type.SIGNS, data=data)
        parts.append(reader.add("BinaryConv", [part, weights], out.like(channels=size), **attributes))
    sums = parts[0] if groups == 1 else reader.add("Concat", parts, out)
    one, zero = vector(np.ones(filters)), vector(np.zeros(filters))
    floats = sums.like(type=Type.FLOAT)
    if signs_out:  # LCE counts the signs that differ, and compares that number.
        thresholds = reader.constant(operation.inputs[-1]).astype(np.float64)
        signs = height * width * channels // groups
        reader.add("Affine", [sums, one, zero], floats)
        result = floats.like(type=Type.SIGNS)
        reader.add("Pack", [floats, vector(signs - 2 * thresholds)], result)
        reader.finish(operation, result)
        return
    factor, offset = (vector(reader.constant(i)) for i in operation.inputs[2:4])
    bounds = reader.bounds(operation, options)
    if bounds == _BOUNDS[0]:
        reader.finish(operation, reader.add("Affine", [sums, factor, offset], floats))
        return
    # LCE applies the activation to the sums, before factor and offset.
    bounded = reader.bounded(reader.add("Affine", [sums, one, zero], floats), bounds)
    product = reader.add("Mul", [bounded, factor], floats.like())
    reader.finish(operation, reader.add("Add", [product, offset], floats.like()))


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


def _reshaped(reader, value, out):
    # As elements without gaps; what may lie in a larger tensor is copied first.
    return reader.add("View", [value], out, shape=True)


def _reshape(reader, operation, options):
    value = reader.value(operation.inputs[0])
    out = reader.new_value(operation.outputs[0])
    same = (value.height, value.width, value.channels) == (out.height, out.width, out.channels)
    reader.finish(operation, value if same else _reshaped(reader, value, out))


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
    reader.require(operation.type == "PAD", operation, "it pads with something else than 0")
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


def _gather(reader, operation, options):
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    rank = len(reader.file.shape(operation.inputs[0]))
    reader.require(options.get("axis", 0) % rank == rank - 1, operation, "it is not of channels")
    indices = [int(index) for index in reader.constant(operation.inputs[1]).ravel()]
    reader.finish(operation, reader.add("Gather", [value], out, indices=indices))


def _softmax(reader, operation, options):
    value, out = reader.value(operation.inputs[0]), reader.new_value(operation.outputs[0])
    reader.finish(operation, reader.add("Softmax", [value], out, beta=options["beta"]))


def _strides(shape):
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


_TRANSLATIONS: dict[str, Callable[[_Reader, Operation, dict[str, Any]], None]] = {
    "ABS": _negative,
    "ADD": _elementwise("Add"),
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": _concat,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEPTH_TO_SPACE": _depth_to_space,
    "DEQUANTIZE": _dequantize,
    "DIV": _elementwise("Div"),
    "EXP": _elementwise("Exp"),
    "EXPAND_DIMS": _reshape,
    "FILL": _fill,
    "FULLY_CONNECTED": _dense,
    "GATHER": _gather,
    "HARD_SWISH": _hard_swish,
    "LEAKY_RELU": _prelu,
    "LOGISTIC": _elementwise("Logistic"),
    "LceBMaxPool2d": _pool,
    "LceBconv2d": _binary_conv,
    "LceQuantize": _quantize,
    "MAXIMUM": _elementwise("Max"),
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "MINIMUM": _elementwise("Min"),
    "MUL": _elementwise("Mul"),
    "NEG": _negative,
    "PAD": _pad,
    "PRELU": _prelu,
    "RELU": _clamp(0.0, np.inf),
    "RELU6": _clamp(0.0, 6.0),
    "RELU_N1_TO_1": _clamp(-1.0, 1.0),
    "RESHAPE": _reshape,
    "RSQRT": _rsqrt,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "SPACE_TO_DEPTH": _depth_to_space,
    "SPLIT": _split,
    "SPLIT_V": _split,
    "SQRT": _rsqrt,
    "SQUARE": _square,
    "SQUEEZE": _reshape,
    "STRIDED_SLICE": _slice,
    "SUB": _elementwise("Sub"),
    "TANH": _elementwise("Tanh"),
    "TRANSPOSE": _transpose,
}
