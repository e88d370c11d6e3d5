"""A ``.tflite`` file, read and changed: its operators and tensors, and the kernels of binary convolutions.

>>> import bnext_keras
>>> from converter import convert
>>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
>>> flatbuffer = Flatbuffer(convert(model).content)
>>> flatbuffer.operators["LceBconv2d"], flatbuffer.binary_convs[0].kernel.shape
(3, (32, 3, 3, 1))
"""

import copy
import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bnext_keras.errors import ConversionError

import numpy as np
from flatbuffers import flexbuffers

from converter.tflite.parsing import parse
from converter.tflite.schema import (
    BUILTIN_NAMES,
    TENSOR_TYPES,
    BufferT,
    MetadataT,
    ModelT,
    OperatorT,
    SignatureDefT,
    SubGraphT,
    TensorMapT,
    TensorT,
)
from converter.tflite.writing import serialize

#: The name that TensorFlow's tools look for first.
SIGNATURE = "serving_default"


@dataclass(frozen=True)
class BinaryConv:
    """One ``LceBconv2d`` operator.

    Attributes:
        name: Name of the tensor that it writes.
        operator: Its table in the file.
        input_tensor: The tensor of bit-packed signs that it reads.
        kernel: int32 ``(filters, height, width, words)``, one bit per channel, 1 for -1.
    """

    name: str
    operator: OperatorT
    input_tensor: int
    kernel: np.ndarray


@dataclass(frozen=True)
class Operation:
    """One operator of any type.

    Attributes:
        index: Its place in the order of execution.
        type: TFLite's name, or LCE's.
        inputs: The tensors that it reads; inputs that it does without are left out.
        outputs: The tensors that it writes.
    """

    index: int
    type: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Flatbuffer:
    """A parsed ``.tflite`` file with one subgraph. Tensors are numbers, as in the file.

    Args:
        content: The bytes of the file.

    Attributes:
        model: Its tables, unpacked.

    Raises:
        ConversionError: if they are no such file, or a damaged one.
    """

    def __init__(self, content: bytes):
        self.model = parse(content)
        self._graph = self.model.subgraphs[0]
        self._codes = [
            code.customCode.decode() if code.customCode else BUILTIN_NAMES[code.builtinCode]
            for code in self.model.operatorCodes
        ]

    @property
    def operators(self) -> Counter[str]:
        """How many operators there are of each type, by TFLite's names and LCE's."""
        return Counter(self._codes[operator.opcodeIndex] for operator in self._graph.operators)

    @property
    def names(self) -> list[str]:
        """The tensors' names."""
        return [(tensor.name or b"").decode() for tensor in self._graph.tensors]

    @names.setter
    def names(self, names: Sequence[str]) -> None:
        for tensor, name in zip(self._graph.tensors, names, strict=True):
            tensor.name = name.encode()

    def name_interface(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Gives the inputs and outputs names, in their order; other tensors that have one of these get another.

        An output that is an input too, or another output, keeps the first name that it gets.
        """
        named = dict(zip(self.outputs[::-1], outputs[::-1], strict=True))
        named |= dict(zip(self.inputs, inputs, strict=True))
        taken, names = {*named.values()}, self.names
        for index, name in enumerate(names):
            candidates = (f"{name}_{count}" if count > 1 else name for count in itertools.count(1))
            names[index] = named[index] if index in named else next(each for each in candidates if each not in taken)
        self.names = names

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

    def options(self, operation: Operation) -> dict[str, Any]:
        """An operator's options by name: the schema's, or what a custom operator of LCE's stores as a flexbuffer."""
        operator = self._graph.operators[operation.index]
        if operator.customOptions is not None and len(operator.customOptions):
            return flexbuffers.Loads(bytes(operator.customOptions))
        return {} if operator.builtinOptions is None else dict(vars(operator.builtinOptions))

    @property
    def inputs(self) -> list[int]:
        """The tensors that the file takes."""
        return list(map(int, self._graph.inputs))

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

    def buffer(self, tensor: int) -> int:
        """The buffer that holds a constant's values; tensors may share one. 0, which is empty, for what is computed."""
        return int(self._graph.tensors[tensor].buffer)

    def nbytes(self, tensor: int) -> int:
        """Bytes of a constant in the file; 0 for what is computed."""
        data = self.model.buffers[self.buffer(tensor)].data
        return 0 if data is None else len(data)

    def is_constant(self, tensor: int) -> bool:
        """Whether the file holds the tensor's values."""
        return self.nbytes(tensor) > 0

    @property
    def has_int4(self) -> bool:
        """Whether it has numbers of 4 bits, which no runtime of binary operators reads but this project's engine."""
        return any(TENSOR_TYPES[tensor.type] == "INT4" for tensor in self._graph.tensors)

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
        data = self.model.buffers[self.buffer(source)].data
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
        tensors, buffers = self._graph.tensors, self.model.buffers
        buffers.append(_buffer(np.ascontiguousarray(kernel, np.int32).reshape(-1).view(np.uint8)))
        tensor = copy.copy(tensors[convs[0].operator.inputs[1]])
        tensor.name, tensor.buffer = f"{convs[0].name}/kernel".encode(), len(buffers) - 1
        tensors.append(tensor)
        for conv in convs:
            conv.operator.inputs = np.array(conv.operator.inputs)
            conv.operator.inputs[1] = len(tensors) - 1

    def prune(self) -> None:
        """Removes constants that nothing reads any more, and types of operators of which there are none."""
        graph, buffers = self._graph, self.model.buffers
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
        holders = [*graph.tensors, *(self.model.metadata or [])]
        # The first buffer is always there, and empty.
        used = sorted({0, *(holder.buffer for holder in holders)})
        places = {index: place for place, index in enumerate(used)}
        for holder in holders:
            holder.buffer = places[holder.buffer]
        self.model.buffers = [buffers[index] for index in used]
        self._prune_codes()

    def _prune_codes(self):
        # A reader without an operator that a file only lists refuses the file.
        used = sorted({operator.opcodeIndex for operator in self._graph.operators})
        places = {index: place for place, index in enumerate(used)}
        for operator in self._graph.operators:
            operator.opcodeIndex = places[operator.opcodeIndex]
        self.model.operatorCodes = [self.model.operatorCodes[index] for index in used]
        self._codes = [self._codes[index] for index in used]

    def metadata(self, name: str) -> bytes | None:
        """The contents of a buffer that is for readers other than interpreters, None if there is none of that name."""
        for entry in self.model.metadata or []:
            if entry.name == name.encode():
                data = self.model.buffers[entry.buffer].data
                return b"" if data is None else bytes(data)
        return None

    def set_metadata(self, name: str, content: bytes) -> None:
        """Adds such a buffer."""
        self.model.buffers.append(_buffer(np.frombuffer(content, np.uint8)))
        entry = MetadataT()
        entry.name, entry.buffer = name.encode(), len(self.model.buffers) - 1
        self.model.metadata = [*(self.model.metadata or []), entry]

    def set_signature(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Names the file's inputs and outputs for readers that ask by name: TensorFlow's signature of a served model.

        Tensors are named in it by their numbers, so nothing may be pruned afterwards.

        Args:
            inputs: A name for each input.
            outputs: A name for each output.
        """
        signature = SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
        signature.inputs = list(map(_named, inputs, self.inputs))
        signature.outputs = list(map(_named, outputs, self.outputs))
        self.model.signatureDefs = [signature]

    @property
    def signature(self) -> tuple[list[str], list[str]]:
        """Names of inputs and of outputs in the file's signature, none if it has none."""
        for signature in self.model.signatureDefs or []:
            return [part.name.decode() for part in signature.inputs], [part.name.decode() for part in signature.outputs]
        return [], []

    def cut_out(self, operation: Operation, copies: int) -> bytes:
        """A file of nothing but one operator, several times over.

        All copies read the same inputs, those of the file, and write the same outputs, over and over: with outputs of
        its own each copy would touch fresh memory, which the network, whose tensors share theirs, does not. Constants
        stay what they are.
        """
        operator = copy.copy(self._graph.operators[operation.index])
        tensors: list[TensorT] = []
        buffers, places = [BufferT()], {-1: -1}
        for index in (*operation.inputs, *operation.outputs):
            if index in places:
                continue
            tensor = copy.copy(self._graph.tensors[index])
            constant, tensor.buffer = self.model.buffers[tensor.buffer], 0
            if self.is_constant(index):
                tensor.buffer = len(buffers)
                buffers.append(constant)
            places[index] = len(tensors)
            tensors.append(tensor)
        graph, piece = SubGraphT(), ModelT()
        # An input that it does without keeps its place: the operator knows the others by theirs.
        operator.inputs = [places[int(index)] for index in operator.inputs]
        operator.outputs, operator.intermediates = [places[index] for index in operation.outputs], []
        graph.name, graph.tensors, graph.operators = b"main", tensors, [operator] * copies
        graph.inputs = [places[index] for index in dict.fromkeys(operation.inputs) if not self.is_constant(index)]
        graph.outputs = operator.outputs
        piece.version, piece.operatorCodes = self.model.version, self.model.operatorCodes
        piece.subgraphs, piece.buffers = [graph], buffers
        return serialize(piece)

    def pack(self, more_outputs: Sequence[int] = ()) -> bytes:
        """The file, on request with further tensors as outputs behind its own."""
        outputs = self._graph.outputs
        self._graph.outputs = [*outputs, *more_outputs]
        try:
            return serialize(self.model)
        finally:
            self._graph.outputs = outputs


def _named(name, tensor):
    part = TensorMapT()
    part.name, part.tensorIndex = name.encode(), int(tensor)
    return part


def _buffer(data):
    # In TensorFlow 2.17 the constructors take no values.
    buffer = BufferT()
    buffer.data = data
    return buffer


def _indices(owner, name):
    return [] if getattr(owner, name) is None else getattr(owner, name)
