"""The forms of a file's float tensors while `converter.quantization.activations` rewrites it: as floats, and as int8.

A float tensor keeps its number. Its int8 form is a tensor of its own, as are those of other steps that some operator
demands. ``QUANTIZE`` and ``DEQUANTIZE`` make one form of the other when somebody first reads it.
"""

import numpy as np

from converter.quantization.steps import Steps
from converter.tflite.adding import add_constant, new_code, new_operator, new_tensor, quantization_of
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.schema import OperatorT

#: By so much finer are the steps of what only signs are taken of.
FINER = 16


class Tensors:
    """The tensors of a file, and the operators that it gets.

    Args:
        file: The file, which is changed.
        ranges: The least and the largest value of each float tensor that it computes.

    Attributes:
        constants: The float constants by tensor, those included that operators make when the file is loaded.
        stored: Of constants that are made of int8 then: these whole numbers, and their steps for each output channel.
        readers: Types of the operators that read a tensor.
        steps: The steps of int8 tensors.
        operators: The operators so far.
    """

    def __init__(self, file: Flatbuffer, ranges: dict[int, tuple[float, float]]):
        self.file, self.steps, self.readers = file, dict[int, Steps](), dict[int, set[str]]()
        self.constants, self.stored = _constants(file)
        self.operators: list[OperatorT] = []
        self._graph, self._ranges, self._names = file.model.subgraphs[0], ranges, file.names
        self._answers = {*file.outputs}
        #: Tensors whose float form is there.
        self._floats = {*file.inputs, *self.constants}
        self._int8: dict[int, int] = {}
        self._others: dict[tuple[int, Steps], int] = {}
        self._codes: dict[tuple[str, int], int] = {}
        for operation in file.operations:
            for tensor in operation.inputs:
                self.readers.setdefault(tensor, set()).add(operation.type)

    def is_float(self, tensor: int) -> bool:
        """Whether it was a tensor of floats; not so if the number stands for none."""
        return tensor >= 0 and self.file.type(tensor) == "FLOAT32"

    def is_answer(self, tensor: int) -> bool:
        """Whether it is an output of the file."""
        return tensor in self._answers

    def add_floats(self, tensors: tuple[int, ...]) -> None:
        """Notes that an operator computes floats."""
        self._floats.update(tensors)

    def need_float(self, tensor: int) -> None:
        """Sees that a tensor's float form is computed."""
        if self.is_float(tensor) and tensor not in self._floats:
            self._floats.add(tensor)
            self.operators.append(
                new_operator("DEQUANTIZE", self.code("DEQUANTIZE", 2), [self._int8[tensor]], [tensor])
            )

    def if_int8(self, tensor: int) -> int:
        """A tensor's int8 form if it has been computed, otherwise the tensor itself."""
        return self._int8.get(tensor, tensor)

    def as_int8(self, tensor: int, steps: Steps | None = None) -> int:
        """The int8 form of a float tensor, on demand with given steps."""
        if tensor in self.constants:
            values = self.constants[tensor]
            steps = steps or Steps.spanning(float(values.min()), float(values.max()))
            if (tensor, steps) not in self._others:
                new = self.constant(tensor, steps.store(values), steps.scale, zero=steps.zero)
                self._others[tensor, steps], self.steps[new] = new, steps
            return self._others[tensor, steps]
        if tensor not in self._int8:
            self._int8[tensor] = self._new(tensor, self.own_steps(tensor), f"{self._names[tensor]}/int8")
            self._quantize(tensor, self._int8[tensor], 1)
        found = self._int8[tensor]
        if steps is None or self.steps[found] == steps:
            return found
        if (tensor, steps) not in self._others:
            self._others[tensor, steps] = self._new(tensor, steps, f"{self._names[tensor]}/int8_{len(self._others)}")
            self._quantize(found, self._others[tensor, steps], 2)
        return self._others[tensor, steps]

    def native(self, tensor: int, steps: Steps | None = None) -> int:
        """A new int8 form that an operator writes; it takes over the tensor's name, unless that is an output's."""
        name = self._names[tensor]
        if tensor in self._answers:
            name += "/int8"
        else:
            self._graph.tensors[tensor].name = f"{name}/float32".encode()
        self._int8[tensor] = self._new(tensor, steps or self.own_steps(tensor), name)
        return self._int8[tensor]

    def own_steps(self, tensor: int) -> Steps:
        """The steps that suit the values of a tensor."""
        low, high = self._ranges[tensor]
        if self.readers.get(tensor) == {"LceQuantize"} and tensor not in self._answers:
            return Steps.around_zero(max(-low, high) / FINER)
        return Steps.spanning(low, high)

    def constant(
        self, tensor: int, values: np.ndarray, scales: float | np.ndarray, *, axis: int = 0, zero: int = 0
    ) -> int:
        """A new constant of whole numbers, named after a tensor of floats."""
        scales = np.atleast_1d(np.asarray(scales, np.float32))
        quantization = quantization_of(scales, np.full(len(scales), zero), axis)
        return add_constant(self.file.model, f"{self._names[tensor]}/{values.dtype}", values, quantization)

    def code(self, type: str, version: int) -> int:
        """The place of a type of operators in the file's list."""
        codes = self.file.model.operatorCodes
        if (type, version) not in self._codes:
            self._codes[type, version] = len(codes)
            codes.append(new_code(type, version))
        return self._codes[type, version]

    def _new(self, tensor, steps, name):
        like, tensors = self._graph.tensors[tensor], self._graph.tensors
        tensors.append(new_tensor(name, "INT8", like.shape, quantization_of([steps.scale], [steps.zero])))
        self.steps[len(tensors) - 1] = steps
        return len(tensors) - 1

    def _quantize(self, tensor, into, version):
        self.operators.append(new_operator("QUANTIZE", self.code("QUANTIZE", version), [tensor], [into]))


def _constants(file):
    constants: dict[int, np.ndarray] = {}
    stored: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for tensor in range(len(file.names)):
        if file.type(tensor) == "FLOAT32" and file.is_constant(tensor):
            constants[tensor] = _elements(file, tensor, np.float32)
    for operation in file.operations:
        if operation.type == "FILL" and len(operation.inputs) == 2 and operation.inputs[1] in constants:
            shape, value = operation.inputs
            if file.is_constant(shape):
                sides = _elements(file, shape, np.int32 if file.type(shape) == "INT32" else np.int64).reshape(-1)
                constants[operation.outputs[0]] = np.broadcast_to(constants[value].reshape(-1), sides)
        if operation.type == "DEQUANTIZE" and file.is_constant(operation.inputs[0]):
            (tensor,), (result,) = operation.inputs, operation.outputs
            quantization = file.model.subgraphs[0].tensors[tensor].quantization
            if file.type(tensor) != "INT8" or quantization is None or np.any(quantization.zeroPoint):
                continue
            levels, scales = _elements(file, tensor, np.int8), np.asarray(quantization.scale, np.float32)
            sides = [1] * levels.ndim
            sides[quantization.quantizedDimension] = len(scales)
            stored[result], constants[result] = (levels, scales), levels * scales.reshape(sides)
    return constants, stored


def _elements(file, tensor, dtype):
    return np.asarray(file.model.buffers[file.buffer(tensor)].data, np.uint8).view(dtype).reshape(file.shape(tensor))
