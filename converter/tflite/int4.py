"""Weights of 4 bits in a ``.tflite`` file: type ``INT4``, whole numbers from -8 to 7, two to a byte, low half first.

A ``DEQUANTIZE`` makes floats of them, as of int8, with a scale for each output channel: its version 6, so that a
runtime from before refuses the file, as LCE 0.16's interpreter does. Of an odd number the last half byte is 0.
"""

import math

from bnext_keras.errors import ConversionError

import numpy as np

from converter.tflite.adding import new_code
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.schema import BufferT, TensorType

#: The version in which ``DEQUANTIZE`` learned int4.
DEQUANTIZE_VERSION = 6
_LOWEST, _HIGHEST = -8, 7


def fits(levels: np.ndarray) -> bool:
    """Whether 4 bits hold these whole numbers."""
    return bool(levels.size) and bool(levels.min() >= _LOWEST) and bool(levels.max() <= _HIGHEST)


def packed_bytes(count: int) -> int:
    """What so many numbers take.

    >>> packed_bytes(4), packed_bytes(5)
    (2, 3)
    """
    return (count + 1) // 2


def pack(levels: np.ndarray) -> np.ndarray:
    """The bytes of whole numbers from -8 to 7, in the order of their memory.

    >>> pack(np.array([1, -1, 7], np.int8)).tolist()
    [241, 7]
    """
    halves = np.zeros(2 * packed_bytes(levels.size), np.uint8)
    halves[: levels.size] = levels.reshape(-1).view(np.uint8) & 0x0F
    return halves[0::2] | halves[1::2] << 4


def unpack(data: np.ndarray, count: int) -> np.ndarray:
    """So many whole numbers, int8, of their bytes.

    Raises:
        ValueError: if there are not as many bytes, or the half byte behind the last of an odd number is not 0.

    Example:
        >>> unpack(np.array([241, 7], np.uint8), 3).tolist()
        [1, -1, 7]
    """
    if len(data) != packed_bytes(count):
        raise ValueError(f"{count} numbers of 4 bits take {packed_bytes(count)} bytes, not {len(data)}")
    halves = np.stack([data << 4, data & 0xF0], axis=1).reshape(-1).view(np.int8) >> 4
    if halves[count:].any():
        raise ValueError(f"of {count} numbers of 4 bits the last half byte is not 0")
    return halves[:count]


def read(file: Flatbuffer, tensor: int) -> np.ndarray:
    """A constant of 4 bits as int8 of its own shape.

    Raises:
        ConversionError: if its bytes do not fit its shape; the message names it.
    """
    shape = file.shape(tensor)
    data = np.asarray(file.model.buffers[file.buffer(tensor)].data, np.uint8)
    try:
        return unpack(data, math.prod(shape)).reshape(shape)
    except ValueError as error:
        raise ConversionError(f"damaged: {error}", where=f"weights '{file.names[tensor]}'") from error


def to_int4(flatbuffer: Flatbuffer) -> Flatbuffer:
    """The same network with 4 bits for each constant of int8 that these hold and that is turned into floats.

    The floats are the same, so answers are, to the bit. Weights that were trained or quantized in 4 bits are such;
    those of 8 bits never are, as the largest of a channel is 127 steps, unless they are all 0.

    Args:
        flatbuffer: The file, which stays as it is.
    """
    file = Flatbuffer(flatbuffer.pack())
    model, tensors = file.model, file.model.subgraphs[0].tensors
    operators = file.model.subgraphs[0].operators
    readers: dict[int, list[str]] = {}
    for operation in file.operations:
        for tensor in operation.inputs:
            readers.setdefault(tensor, []).append(operation.type)
    chosen = {
        tensor
        for tensor, types in readers.items()
        if {*types} == {"DEQUANTIZE"} and tensor not in file.outputs and _is_small(file, tensor)
    }
    if not chosen:
        return file
    code, buffers = len(model.operatorCodes), dict[int, int]()
    model.operatorCodes.append(new_code("DEQUANTIZE", DEQUANTIZE_VERSION))
    for tensor in sorted(chosen):
        # Equal constants may share a buffer, and go on doing so.
        if (old := file.buffer(tensor)) not in buffers:
            buffer = BufferT()
            buffer.data = pack(_levels(file, tensor))
            buffers[old] = len(model.buffers)
            model.buffers.append(buffer)
        tensors[tensor].type, tensors[tensor].buffer = TensorType.INT4, buffers[old]
        tensors[tensor].name = (tensors[tensor].name or b"").removesuffix(b"/int8") + b"/int4"
    for operation in file.operations:
        if operation.type == "DEQUANTIZE" and operation.inputs[0] in chosen:
            operators[operation.index].opcodeIndex = code
    new = Flatbuffer(file.pack())
    new.prune()
    return new


def _is_small(file, tensor):
    return file.type(tensor) == "INT8" and file.is_constant(tensor) and fits(_levels(file, tensor))


def _levels(file, tensor):
    return np.asarray(file.model.buffers[file.buffer(tensor)].data, np.uint8).view(np.int8)
