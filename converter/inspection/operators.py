"""The operators of a ``.tflite`` file, one by one: what they are, which Keras layer they come from, what they cost.

Multiply-accumulates are counted as in `bnext_keras.models.count`: those of convolutions and dense layers for one image.
"""

import math
from dataclasses import dataclass, replace

from bnext_keras.layer_graph import LayerGraph, has_kernel

from flatbuffers import flexbuffers
from tensorflow.lite.python import schema_py_generated as schema

from converter.tflite.flatbuffer import BUILTIN_NAMES, TENSOR_TYPES

BINARY_CONV, BIT_PACKING, FLOAT_CONV, DENSE, ELEMENTWISE, POOLING, DATA_MOVEMENT, OTHER = KINDS = (
    "binary convolution",
    "bit packing",
    "float convolution",
    "dense",
    "elementwise",
    "pooling and mean",
    "data movement",
    "other",
)

_TYPES = {
    BINARY_CONV: "LceBconv2d",
    BIT_PACKING: "LceQuantize LceDequantize LceBMaxPool2d",
    FLOAT_CONV: "CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV CONV_3D",
    DENSE: "FULLY_CONNECTED BATCH_MATMUL",
    ELEMENTWISE: "ABS ADD ADD_N CEIL COS DIV ELU EQUAL EXP FLOOR GELU GREATER GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS "
    "LESS_EQUAL LOG LOGISTIC MAXIMUM MINIMUM MUL NEG POW PRELU RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT SELECT "
    "SELECT_V2 SIGN SIN SQRT SQUARE SQUARED_DIFFERENCE SUB TANH",
    POOLING: "AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD",
    DATA_MOVEMENT: "BATCH_TO_SPACE_ND BROADCAST_TO CONCATENATION DEPTH_TO_SPACE EXPAND_DIMS FILL GATHER GATHER_ND PACK "
    "PAD PADV2 MIRROR_PAD RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SHAPE SLICE SPACE_TO_BATCH_ND "
    "SPACE_TO_DEPTH SPLIT SPLIT_V SQUEEZE STRIDED_SLICE TILE TRANSPOSE UNPACK DEQUANTIZE QUANTIZE",
}
_KIND_OF = {type_: kind for kind, types in _TYPES.items() for type_ in types.split()}
#: Which input of an operator is its kernel.
_KERNEL_INPUTS = {
    "LceBconv2d": 1,
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "FULLY_CONNECTED": 1,
    "TRANSPOSE_CONV": 1,
}
_BITS = {
    "FLOAT32": 32,
    "FLOAT16": 16,
    "INT32": 32,
    "INT64": 64,
    "INT16": 16,
    "INT8": 8,
    "UINT8": 8,
    "INT4": 4,
    "BOOL": 8,
}


@dataclass(frozen=True)
class Operator:
    """One operator of a file.

    Attributes:
        index: Its place in the order of execution, from 0.
        type: TFLite's name, or LCE's.
        kind: One of `KINDS`.
        layer: The Keras layer that its name tells of, "" if none; of several fused ones the convolution or the last.
        output_shape: Of its first output; of signs, packed 32 to a word, in channels.
        output_bytes: What all outputs take in memory; none for weights that are turned into floats once.
        macs: Multiply-accumulates.
        kernel_bits: Of a convolution's or dense layer's weights, None for all others.
        bytes: Of its constants; one that several operators share is counted for the first of them,
            and 8-bit weights that are turned into floats for the operator that reads those.
    """

    index: int
    type: str
    kind: str
    layer: str
    output_shape: tuple[int, ...]
    output_bytes: int
    macs: int
    kernel_bits: int | None
    bytes: int


def read_operators(content: bytes, layer_graph: LayerGraph) -> list[Operator]:
    """Describes every operator of a file in the order of execution.

    Args:
        content: The ``.tflite`` file.
        layer_graph: The layers of the Keras model that it was made from.
    """
    graph = schema.Model.GetRootAsModel(content, 0)
    codes = [graph.OperatorCodes(i) for i in range(graph.OperatorCodesLength())]
    types = [(code.CustomCode() or b"").decode() or BUILTIN_NAMES[code.BuiltinCode()] for code in codes]
    subgraph, names, counted = graph.Subgraphs(0), _LayerNames(layer_graph), set()
    dequantized, unnamed = _dequantized(graph, types), {}
    operators = []
    for index in range(subgraph.OperatorsLength()):
        operator = subgraph.Operators(index)
        type_ = types[operator.OpcodeIndex()]
        indices = operator.InputsAsNumpy() if operator.InputsLength() else []
        inputs = [subgraph.Tensors(dequantized.get(i, i)) for i in map(int, indices) if i >= 0]
        outputs = [subgraph.Tensors(i) for i in operator.OutputsAsNumpy()]
        layer = names.find(outputs[0].Name().decode(), type_ in _KERNEL_INPUTS)
        if not layer and subgraph.Outputs(0) in operator.OutputsAsNumpy():
            layer = names.answer
        constants = {tensor.Buffer(): graph.Buffers(tensor.Buffer()).DataLength() for tensor in inputs}
        output_bytes = sum(math.prod(_shape(tensor)) * _bits(tensor) // 8 for tensor in outputs)
        if operator.Outputs(0) in dequantized:
            # It runs once, when the file is loaded, for the operator that reads it.
            constants, output_bytes = {}, 0
            unnamed[operator.Outputs(0)] = index
        new = {buffer: length for buffer, length in constants.items() if buffer not in counted}
        counted.update(new)
        kernel = _kernel(type_, inputs)
        operators.append(
            Operator(
                index=index,
                type=type_,
                kind=_KIND_OF.get(type_, OTHER),
                layer=layer,
                output_shape=_output_shape(type_, inputs, outputs[0]),
                output_bytes=output_bytes,
                macs=_macs(type_, operator, inputs, outputs[0]),
                kernel_bits=None if kernel is None else 1 if type_ == "LceBconv2d" else _bits(kernel),
                bytes=sum(new.values()),
            )
        )
        for tensor in unnamed.keys() & set(map(int, indices)):
            place = unnamed.pop(tensor)
            operators[place] = replace(operators[place], layer=layer)
    return operators


def _dequantized(graph, types):
    """Constants of few bits by the tensors that they become as floats: they belong to the operator that reads those."""
    subgraph, found = graph.Subgraphs(0), {}
    for index in range(subgraph.OperatorsLength()):
        operator = subgraph.Operators(index)
        if types[operator.OpcodeIndex()] == "DEQUANTIZE":
            constant = operator.Inputs(0)
            if graph.Buffers(subgraph.Tensors(constant).Buffer()).DataLength():
                found[operator.Outputs(0)] = constant
    return found


class _LayerNames:
    """Finds the layer behind a tensor's name, such as ``model/block1_bn/FusedBatchNormV3``."""

    def __init__(self, graph):
        self._graph = graph
        self._layers = {layer.name: layer for layer in self._graph.layers}

    def find(self, tensor_name, is_convolution):
        name = next((part for part in tensor_name.split("/") if part in self._layers), "")
        return self._convolution_before(name) if name and is_convolution else name

    @property
    def answer(self):
        """The layer that gives the model's output: the file's output has no name of a layer."""
        last = [layer.name for layer in self._graph.layers if not self._graph.consumers(layer)]
        return last[0] if len(last) == 1 else ""

    def _convolution_before(self, name):
        """A convolution, or dense layer, bears the name of the last layer that has been fused into it."""
        layer = self._layers[name]
        while not has_kernel(layer):
            producers = self._graph.producers(layer)
            if len(producers) != 1:
                return name
            layer = producers[0]
        return layer.name


def _shape(tensor):
    return tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()


def _bits(tensor):
    return _BITS.get(TENSOR_TYPES[tensor.Type()], 32)


def _kernel(type_, inputs):
    return inputs[_KERNEL_INPUTS[type_]] if type_ in _KERNEL_INPUTS else None


def _output_shape(type_, inputs, output):
    shape = _shape(output)
    if type_ == "LceQuantize":
        return _shape(inputs[0])
    if type_ == "LceBconv2d":
        return (*shape[:3], _shape(inputs[1])[0])
    return shape


def _macs(type_, operator, inputs, output):
    kernel = _kernel(type_, inputs)
    if kernel is None:
        return 0
    kernel, shape = _shape(kernel), _shape(output)
    if type_ == "LceBconv2d":
        # The kernel's last dimension counts words of 32 channels.
        channels = flexbuffers.Loads(operator.CustomOptionsAsNumpy().tobytes())["channels_in"]
        return math.prod(shape[:3]) * math.prod(kernel[:3]) * channels
    if type_ == "DEPTHWISE_CONV_2D":
        return math.prod(shape) * math.prod(kernel[1:3])
    if type_ == "TRANSPOSE_CONV":
        return math.prod(_shape(inputs[2])[:3]) * math.prod(kernel)
    if type_ == "FULLY_CONNECTED":
        return math.prod(shape) * kernel[-1]
    return math.prod(shape[:3]) * math.prod(kernel)
