"""Reads and changes LCE's flatbuffers: which operators they hold, and the kernels and signs of binary convolutions."""

import copy
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bnext_keras.errors import ConversionError

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from converter.tflite.parsing import parse

#: TFLite's names of operators and of types of tensors by their numbers.
BUILTIN_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
TENSOR_TYPES = {code: name for name, code in vars(schema.TensorType).items() if not name.startswith("_")}

#: TFLite wants constants at addresses that are multiples of this.
ALIGNMENT = 16


@dataclass(frozen=True)
class BinaryConv:
    """One ``LceBconv2d`` operator."""

    name: str  #: of the tensor that it writes
    operator: schema.OperatorT
    input_tensor: int
    kernel: np.ndarray  #: int32 ``(filters, height, width, words)``, one bit per channel, 1 for -1


@dataclass(frozen=True)
class Operation:
    """One operator of any type."""

    index: int  #: its place in the order of execution
    type: str  #: TFLite's name, or LCE's
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Flatbuffer:
    """A parsed ``.tflite`` file with one subgraph.

    Args:
        content: The bytes of the file.

    Raises:
        ConversionError: if they are no such file, or a damaged one.
    """

    def __init__(self, content: bytes):
        self._model = parse(content)
        self._graph = self._model.subgraphs[0]
        self._codes = [
            code.customCode.decode() if code.customCode else BUILTIN_NAMES[code.builtinCode]
            for code in self._model.operatorCodes
        ]

    @property
    def operators(self) -> Counter:
        """How many operators there are of each type, by TFLite's names."""
        return Counter(self._codes[operator.opcodeIndex] for operator in self._graph.operators)

    @property
    def names(self) -> list[str]:
        """The tensors' names."""
        return [(tensor.name or b"").decode() for tensor in self._graph.tensors]

    @names.setter
    def names(self, names: Sequence[str]):
        for tensor, name in zip(self._graph.tensors, names, strict=True):
            tensor.name = name.encode()

    @property
    def operations(self) -> list[Operation]:
        """The operators in the order of execution."""
        return [
            Operation(
                index,
                self._codes[operator.opcodeIndex],
                tuple(int(tensor) for tensor in operator.inputs if tensor >= 0),
                tuple(map(int, operator.outputs)),
            )
            for index, operator in enumerate(self._graph.operators)
        ]

    @property
    def outputs(self) -> list[int]:
        """The tensors that the file computes."""
        return list(map(int, self._graph.outputs))

    def shape(self, tensor: int) -> tuple[int, ...]:
        """A tensor's shape."""
        shape = self._graph.tensors[tensor].shape
        return () if shape is None else tuple(map(int, shape))

    def type(self, tensor: int) -> str:
        """A tensor's type, such as ``"FLOAT32"``."""
        return TENSOR_TYPES[self._graph.tensors[tensor].type]

    def nbytes(self, tensor: int) -> int:
        """What a constant takes in the file; 0 for what is no constant."""
        data = self._model.buffers[self._graph.tensors[tensor].buffer].data
        return 0 if data is None else len(data)

    def is_constant(self, tensor: int) -> bool:
        """Whether the file holds the tensor's values."""
        return self.nbytes(tensor) > 0

    @property
    def binary_convs(self) -> list[BinaryConv]:
        """The ``LceBconv2d`` operators in the order of execution."""
        names, operators = self.names, self._of_type("LceBconv2d")
        if any(len(operator.inputs) < 2 or min(operator.inputs[:2]) < 0 for operator in operators):
            raise ConversionError("damaged: a binary convolution has no input or no kernel")
        if not all(len(operator.outputs) for operator in [*operators, *self._of_type("FILL")]):
            raise ConversionError("damaged: an operator has no result")
        fills = {operator.outputs[0]: operator for operator in self._of_type("FILL") if len(operator.inputs) == 2}
        return [
            BinaryConv(
                name=names[operator.outputs[0]],
                operator=operator,
                input_tensor=int(operator.inputs[0]),
                kernel=self._kernel(operator.inputs[1], fills),
            )
            for operator in operators
        ]

    def _of_type(self, name):
        return [operator for operator in self._graph.operators if self._codes[operator.opcodeIndex] == name]

    def _kernel(self, index, fills):
        # LCE writes large constants of one value as an operator that makes them.
        shape = self.shape(index)
        source = fills[index].inputs[1] if index in fills else index
        data = self._model.buffers[self._graph.tensors[source].buffer].data
        expected = 4 if index in fills else 4 * math.prod(shape)
        if len(shape) != 4 or data is None or len(data) != expected:
            raise ConversionError("damaged: the kernel of a binary convolution is not as long as its shape demands")
        values = np.asarray(data, np.uint8).view(np.int32)
        return np.broadcast_to(values.reshape(-1) if index in fills else values.reshape(shape), shape)

    def set_kernel(self, convs: Sequence[BinaryConv], kernel: np.ndarray) -> None:
        """Gives binary convolutions a kernel of the same shape, which they share.

        Args:
            convs: Some of `binary_convs`.
            kernel: Its words, int32.
        """
        tensors, buffers = self._graph.tensors, self._model.buffers
        buffers.append(_buffer(np.ascontiguousarray(kernel, np.int32).reshape(-1).view(np.uint8)))
        tensor = copy.copy(tensors[convs[0].operator.inputs[1]])
        tensor.name, tensor.buffer = f"{convs[0].name}/kernel".encode(), len(buffers) - 1
        tensors.append(tensor)
        for conv in convs:
            conv.operator.inputs = np.array(conv.operator.inputs)
            conv.operator.inputs[1] = len(tensors) - 1

    def prune(self) -> None:
        """Removes constants that nothing reads any more."""
        graph, buffers = self._graph, self._model.buffers
        read = {*graph.outputs, *(index for operator in graph.operators for index in operator.inputs)}
        unread = [operator for operator in self._of_type("FILL") if operator.outputs[0] not in read]
        graph.operators = [operator for operator in graph.operators if operator not in unread]
        lists = [(owner, name) for owner in graph.operators for name in ("inputs", "outputs", "intermediates")]
        lists += [(graph, "inputs"), (graph, "outputs")]
        used = sorted({index for owner, name in lists for index in _indices(owner, name) if index >= 0})
        places = {-1: -1, **{index: place for place, index in enumerate(used)}}
        for owner, name in lists:
            setattr(owner, name, np.array([places[index] for index in _indices(owner, name)], np.int32))
        graph.tensors = [graph.tensors[index] for index in used]
        holders = [*graph.tensors, *(self._model.metadata or [])]
        # The first buffer is always there, and empty.
        used = sorted({0, *(holder.buffer for holder in holders)})
        places = {index: place for place, index in enumerate(used)}
        for holder in holders:
            holder.buffer = places[holder.buffer]
        self._model.buffers = [buffers[index] for index in used]

    def metadata(self, name: str) -> bytes | None:
        """The contents of a buffer that is for readers other than interpreters, None if there is none of that name."""
        for entry in self._model.metadata or []:
            if entry.name == name.encode():
                data = self._model.buffers[entry.buffer].data
                return b"" if data is None else bytes(data)
        return None

    def set_metadata(self, name: str, content: bytes) -> None:
        """Adds such a buffer."""
        self._model.buffers.append(_buffer(np.frombuffer(content, np.uint8)))
        entry = schema.MetadataT()
        entry.name, entry.buffer = name.encode(), len(self._model.buffers) - 1
        self._model.metadata = [*(self._model.metadata or []), entry]

    def pack(self, more_outputs: Sequence[int] = ()) -> bytes:
        """The file, on request with further tensors as outputs behind its own."""
        outputs = self._graph.outputs
        self._graph.outputs = [*outputs, *more_outputs]
        try:
            size = sum(len(buffer.data) for buffer in self._model.buffers if buffer.data is not None)
            builder = _Builder(size + size // 16 + 2**16)
            builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
            return bytes(builder.Output())
        finally:
            self._graph.outputs = outputs


def _buffer(data):
    # In TensorFlow 2.17 the constructors take no values.
    buffer = schema.BufferT()
    buffer.data = data
    return buffer


def _indices(owner, name):
    return [] if getattr(owner, name) is None else getattr(owner, name)


class _Builder(flatbuffers.Builder):
    """Aligns constants as the schema demands, which the generated code forgets for NumPy arrays, and writes equal lists
    of other numbers once: the shapes of tensors, and the zero points that all quantized channels have."""

    def __init__(self, size):
        super().__init__(size)
        self._written = {}

    def CreateNumpyVector(self, x):
        if x.dtype == np.uint8:
            self.Prep(ALIGNMENT, x.size)
            return super().CreateNumpyVector(x)
        key = (x.dtype, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]


def pack_signs(kernel: np.ndarray) -> np.ndarray:
    """LCE's bit-packing of a kernel ``(height, width, in, out)``: int32 ``(out, height, width, ceil(in / 32))``.

    Example:
        >>> import numpy as np
        >>> pack_signs(np.array([1.0, -1.0, -1.0]).reshape(1, 1, 3, 1)).ravel().tolist()
        [6]
    """
    bits = np.packbits(kernel.transpose(3, 0, 1, 2) < 0, axis=-1, bitorder="little")
    padded = np.pad(bits, [(0, 0)] * 3 + [(0, -bits.shape[-1] % 4)])
    return np.ascontiguousarray(padded).view(np.int32)


def unpack_signs(words: np.ndarray, channels: int) -> np.ndarray:
    """The +-1 that bit-packed activations ``(..., words)`` stand for, float32 ``(..., channels)``.

    Example:
        >>> import numpy as np
        >>> unpack_signs(np.array([6], np.int32), 3).tolist()
        [1.0, -1.0, -1.0]
    """
    bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little")
    return 1.0 - 2.0 * bits[..., :channels].astype(np.float32)
