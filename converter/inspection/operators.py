"""The operators of a ``.tflite`` file, one by one: what they are, which Keras layer they come from, what they cost.

Multiply-accumulates are counted as in `bnext_keras.models.count`: those of convolutions and dense layers for one image.
"""

import math
from dataclasses import dataclass, replace

from bnext_keras.layer_graph import LayerGraph, has_kernel

from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.kinds import Kind, kind_of

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
        kind: The kind of work that it does.
        layer: The Keras layer that its name tells of, "" if none; of several fused ones the convolution or the last.
        output_shape: Shape of its first output; of signs, packed 32 to a word, in channels.
        output_bytes: Bytes of all outputs in memory; 0 for weights that are turned into floats once.
        macs: Multiply-accumulates.
        kernel_bits: Bits of a weight of a convolution or dense layer, None for all others.
        bytes: Bytes of its constants in the file. A constant that several operators share is counted for the first of
            them, and 8-bit weights that are turned into floats for the operator that reads those.
    """

    index: int
    type: str
    kind: Kind
    layer: str
    output_shape: tuple[int, ...]
    output_bytes: int
    macs: int
    kernel_bits: int | None
    bytes: int


def read_operators(flatbuffer: Flatbuffer, layer_graph: LayerGraph) -> list[Operator]:
    """Describes every operator of a file in the order of execution.

    Args:
        flatbuffer: The ``.tflite`` file.
        layer_graph: The layers of the Keras model that it was made from.
    """
    names, layers = flatbuffer.names, _LayerNames(layer_graph)
    stored, answers = stored_weights(flatbuffer), layers.of_outputs(flatbuffer.outputs)
    counted: set[int] = set()  # Buffers that an operator has been charged with.
    unnamed: dict[int, int] = {}  # Places of operators that get the name of the reader of their tensor.
    operators = []
    for operation in flatbuffer.operations:
        inputs = [stored.get(tensor, tensor) for tensor in operation.inputs]
        output = operation.outputs[0]
        layer = layers.find(names[output], operation.type in _KERNEL_INPUTS)
        if output in answers and (len(flatbuffer.outputs) > 1 or not layer):
            layer = layers.find(answers[output], operation.type in _KERNEL_INPUTS)
        constants = {flatbuffer.buffer(tensor): flatbuffer.nbytes(tensor) for tensor in inputs}
        output_bytes = sum(tensor_bytes(flatbuffer, tensor) for tensor in operation.outputs)
        if output in stored:
            # It runs once, when the file is loaded, for the operator that reads it: that one has its bytes and name.
            constants, output_bytes = {}, 0
            unnamed[output] = operation.index
        new = {buffer: length for buffer, length in constants.items() if buffer not in counted}
        counted.update(new)
        operators.append(
            Operator(
                index=operation.index,
                type=operation.type,
                kind=kind_of(operation.type),
                layer=layer,
                output_shape=_output_shape(flatbuffer, operation),
                output_bytes=output_bytes,
                macs=_macs(flatbuffer, operation),
                kernel_bits=_kernel_bits(flatbuffer, operation, inputs),
                bytes=sum(new.values()),
            )
        )
        for tensor in unnamed.keys() & set(operation.inputs):
            place = unnamed.pop(tensor)
            operators[place] = replace(operators[place], layer=layer)
    return operators


def tensor_bytes(flatbuffer: Flatbuffer, tensor: int) -> int:
    """Bytes of a tensor in memory."""
    return math.prod(flatbuffer.shape(tensor)) * bits(flatbuffer, tensor) // 8


def stored_weights(flatbuffer: Flatbuffer) -> dict[int, int]:
    """Constants of few bits by the tensors that they become as floats: they belong to the operator that reads those."""
    return {
        operation.outputs[0]: operation.inputs[0]
        for operation in flatbuffer.operations
        if operation.type == "DEQUANTIZE" and flatbuffer.is_constant(operation.inputs[0])
    }


class _LayerNames:
    """Finds the layer behind a tensor's name, such as ``model/block1_bn/FusedBatchNormV3``."""

    def __init__(self, graph):
        self._graph = graph
        self._layers = {layer.name: layer for layer in self._graph.layers}

    def find(self, tensor_name, is_convolution):
        name = next((part for part in tensor_name.split("/") if part in self._layers), "")
        return self._convolution_before(name) if name and is_convolution else name

    def of_outputs(self, tensors):
        """The layer that gives each of the file's outputs, whose names need not be those of layers."""
        if len(tensors) > 1:
            origins = zip(tensors, self._graph.origins, strict=True)
            return {tensor: layer.name for tensor, layer in origins if layer is not None}
        last = [layer.name for layer in self._graph.layers if not self._graph.consumers(layer)]
        return {tensors[0]: last[0]} if len(last) == 1 else {}

    def _convolution_before(self, name):
        """A convolution, or dense layer, bears the name of the last layer that has been fused into it."""
        layer = self._layers[name]
        while not has_kernel(layer):
            producers = self._graph.producers(layer)
            if len(producers) != 1:
                return name
            layer = producers[0]
        return layer.name


def bits(flatbuffer: Flatbuffer, tensor: int) -> int:
    """Bits of one number of a tensor; of signs, those of a word of 32."""
    return _BITS.get(flatbuffer.type(tensor), 32)


def _kernel_bits(flatbuffer, operation, inputs):
    if operation.type not in _KERNEL_INPUTS:
        return None
    # Words of 32 channels have the type of int32.
    return 1 if operation.type == "LceBconv2d" else bits(flatbuffer, inputs[_KERNEL_INPUTS[operation.type]])


def _output_shape(flatbuffer, operation):
    shape = flatbuffer.shape(operation.outputs[0])
    if operation.type == "LceQuantize":
        return flatbuffer.shape(operation.inputs[0])
    if operation.type == "LceBconv2d":
        return (*shape[:3], flatbuffer.shape(operation.inputs[1])[0])
    return shape


def _macs(flatbuffer, operation):
    if operation.type not in _KERNEL_INPUTS:
        return 0
    kernel = flatbuffer.shape(operation.inputs[_KERNEL_INPUTS[operation.type]])
    shape = flatbuffer.shape(operation.outputs[0])
    if operation.type == "LceBconv2d":
        # The kernel's last dimension counts words of 32 channels.
        channels = flatbuffer.options(operation)["channels_in"]
        return math.prod(shape[:3]) * math.prod(kernel[:3]) * channels
    if operation.type == "DEPTHWISE_CONV_2D":
        return math.prod(shape) * math.prod(kernel[1:3])
    if operation.type == "TRANSPOSE_CONV":
        return math.prod(flatbuffer.shape(operation.inputs[2])[:3]) * math.prod(kernel)
    if operation.type == "FULLY_CONNECTED":
        return math.prod(shape) * kernel[-1]
    return math.prod(shape[:3]) * math.prod(kernel)
