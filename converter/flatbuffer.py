"""Reads LCE's flatbuffers: which operators they hold, and the signs that their binary convolutions see."""

from collections import Counter
from dataclasses import dataclass

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

_BUILTIN_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


@dataclass(frozen=True)
class BinaryConv:
    """One ``LceBconv2d`` operator: the tensors it reads."""

    input_tensor: int
    kernel: np.ndarray  #: int32 ``(filters, height, width, words)``, one bit per channel, 1 for -1


class Flatbuffer:
    """A parsed ``.tflite`` file with one subgraph.

    Args:
        content: The bytes of the file, as LCE wrote them.
    """

    def __init__(self, content: bytes):
        self._model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
        self._graph = self._model.subgraphs[0]
        self._codes = [
            code.customCode.decode() if code.customCode else _BUILTIN_NAMES[code.builtinCode]
            for code in self._model.operatorCodes
        ]

    @property
    def operators(self) -> Counter:
        """How many operators there are of each type, by TFLite's names."""
        return Counter(self._codes[operator.opcodeIndex] for operator in self._graph.operators)

    @property
    def binary_convs(self) -> list[BinaryConv]:
        """The ``LceBconv2d`` operators in the order of execution."""
        return [
            BinaryConv(int(operator.inputs[0]), self._constant(operator.inputs[1]))
            for operator in self._graph.operators
            if self._codes[operator.opcodeIndex] == "LceBconv2d"
        ]

    def _constant(self, index):
        tensor = self._graph.tensors[index]
        data = np.asarray(self._model.buffers[tensor.buffer].data, np.uint8)
        return data.view(np.int32).reshape(tensor.shape)

    def with_outputs(self, tensors: list[int]) -> bytes:
        """The same file, with further tensors as outputs behind its own."""
        outputs = self._graph.outputs
        self._graph.outputs = [*outputs, *tensors]
        try:
            builder = flatbuffers.Builder(1024)
            builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
            return bytes(builder.Output())
        finally:
            self._graph.outputs = outputs


def pack_signs(kernel: np.ndarray) -> np.ndarray:
    """LCE's bit-packing of a kernel ``(height, width, in, out)``: int32 ``(out, height, width, ceil(in / 32))``.

    Example:
        >>> import numpy as np
        >>> pack_signs(np.array([1.0, -1.0, -1.0]).reshape(1, 1, 3, 1)).ravel().tolist()
        [6]
    """
    negative = kernel.transpose(3, 0, 1, 2) < 0
    channels = negative.shape[-1]
    padded = np.pad(negative, [(0, 0)] * 3 + [(0, -channels % 32)])
    return np.ascontiguousarray(np.packbits(padded, axis=-1, bitorder="little")).view(np.int32)


def unpack_signs(words: np.ndarray, channels: int) -> np.ndarray:
    """The +-1 that bit-packed activations ``(..., words)`` stand for, float32 ``(..., channels)``.

    Example:
        >>> import numpy as np
        >>> unpack_signs(np.array([6], np.int32), 3).tolist()
        [1.0, -1.0, -1.0]
    """
    bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little")
    return 1.0 - 2.0 * bits[..., :channels].astype(np.float32)
