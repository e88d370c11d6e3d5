"""``.tflite`` files, operator by operator and without a converter: milliseconds each, and in forms that none writes."""

import math

import numpy as np
from flatbuffers import flexbuffers

from converter.tflite.schema import _generated as schema
from converter.tflite.writing import serialize

#: The table of options that an operator has, where it has one.
_OPTIONS = {
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "DIV": "DivOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "SPLIT": "SplitOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
}
SAME, VALID = 0, 1


class Graph:
    """A file in the making: each method adds a tensor or an operator, and returns the tensors' numbers."""

    def __init__(self):
        self._model, self._graph = schema.ModelT(), schema.SubGraphT()
        self._model.version, self._model.subgraphs = 3, [self._graph]
        self._model.operatorCodes, self._model.buffers = [], [schema.BufferT()]
        self._graph.name, self._graph.tensors, self._graph.operators = b"main", [], []
        self._graph.inputs, self._graph.outputs = [], []
        self._codes = {}

    def tensor(self, shape, dtype="FLOAT32", data=None, scale=None):
        """A computed tensor, or a constant."""
        tensor = schema.TensorT()
        tensor.name = f"t{len(self._graph.tensors)}".encode()
        tensor.shape, tensor.type, tensor.buffer = np.array(shape, np.int32), getattr(schema.TensorType, dtype), 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array(scale, np.float32)
            tensor.quantization.zeroPoint = np.zeros(len(scale), np.int64)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def input(self, shape, dtype="FLOAT32"):
        """An input of the file."""
        self._graph.inputs.append(self.tensor(shape, dtype))
        return self._graph.inputs[-1]

    def constant(self, array, scale=None):
        """A constant of a NumPy array's type."""
        array = np.asarray(array)
        return self.tensor(array.shape, array.dtype.name.upper(), array, scale)

    def add(self, type, inputs, *shapes, dtype="FLOAT32", **options):
        """An operator of TFLite's, or of LCE's, and its results of these shapes."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(type)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([self.tensor(shape, dtype) for shape in shapes], np.int32)
        if type.startswith("Lce"):
            operator.customOptions = np.frombuffer(flexbuffers.Dumps(options), np.uint8)
        elif type in _OPTIONS:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, _OPTIONS[type])
            operator.builtinOptions = getattr(schema, f"{_OPTIONS[type]}T")()
            for name, value in options.items():
                assert hasattr(operator.builtinOptions, name), name
                setattr(operator.builtinOptions, name, value)
        self._graph.operators.append(operator)
        results = [int(index) for index in operator.outputs]
        return results if len(results) > 1 else results[0]

    def content(self, *outputs):
        """The bytes of the file."""
        self._graph.outputs = list(outputs)
        return serialize(self._model)

    def _code(self, type):
        if type not in self._codes:
            code = schema.OperatorCodeT()
            custom = type.startswith("Lce")
            code.builtinCode = schema.BuiltinOperator.CUSTOM if custom else getattr(schema.BuiltinOperator, type)
            code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
            code.customCode = type.encode() if custom else None
            self._codes[type] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        return self._codes[type]


def windows(size, taps, stride, dilation, padding):
    """How many places a window has along an axis."""
    if padding == SAME:
        return -(-size // stride)
    return (size - (taps - 1) * dilation - 1) // stride + 1


def words(channels):
    """32-bit words of so many signs."""
    return math.ceil(channels / 32)


def random_words(random, shape, channels):
    """Signs of a kernel, packed: the bits behind the last channel are 0."""
    bits = random.integers(0, 2**32, (*shape, words(channels)), np.uint32)
    if channels % 32:
        bits[..., -1] &= np.uint32(2 ** (channels % 32) - 1)
    return bits.view(np.int32)
