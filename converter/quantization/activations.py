"""Activations of 8 bits: the float operators of a file as operators on int8.

Every float tensor gets fixed steps (`converter.quantization.steps`) from the values that it takes on inputs of the
user's, and every operator that LCE's interpreter has for int8 runs on them. Binary convolutions compute what they did,
with the same bits; what they are given and what becomes of their results is rounded.

**Signs.** LCE's ``LceQuantize`` takes the sign of int8 as it is: -1 below what stands for zero. That is the sign of the
number that is stored, exactly; but the number has been rounded, and a negative one within half a step of zero becomes
zero, whose sign is +1. A result that nothing but ``LceQuantize`` reads may leave its range, since its sign stays: its
steps are finer (`converter.quantization.tensors.FINER`).

**What stays float.** LCE's binary convolutions write int8 where they are padded with ones or not at all; those padded
with zeros write floats, which a ``QUANTIZE`` rounds. An operator that has no int8 form reads floats that a
``DEQUANTIZE`` makes. So does softmax, of whose probabilities 8 bits would leave little. Inputs and outputs of the file
are floats, so that whoever runs it need not know.

**Weights** are whole numbers with a step for each output channel, biases int32 in products of both steps. Weights that
were trained in few bits (`converter.quantization.trained`) are what they were.

TFLite's specification of 8 bits (https://ai.google.dev/edge/litert/models/quantization_spec) says what each operator
demands of steps. Quantizers that follow it run a file for its ranges, which they cannot without LCE's operators.
"""

import copy
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from converter.quantization.levels import in_steps, output_axis
from converter.quantization.quantize import Quantization
from converter.quantization.roles import BINARY, WEIGHTED, find_roles
from converter.quantization.steps import Steps, measure_ranges
from converter.quantization.tensors import Tensors
from converter.tflite.flatbuffer import Flatbuffer, Operation
from converter.tflite.interpreter import batches
from converter.tflite.schema import Padding

#: Operators whose results have steps of their own, by the version in which they learned int8.
_FREE = {
    "ADD": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "HARD_SWISH": 1,
    "LEAKY_RELU": 2,
    "MEAN": 2,
    "MUL": 2,
    "PRELU": 1,
    "RELU": 2,
    "RELU6": 2,
    "SUB": 2,
}
#: Operators whose results must have the steps of what they read.
_SAME = {
    "AVERAGE_POOL_2D": 2,
    "CONCATENATION": 2,
    "DEPTH_TO_SPACE": 1,
    "GATHER": 2,
    "MAX_POOL_2D": 2,
    "PAD": 2,
    "RESHAPE": 1,
    "RESIZE_NEAREST_NEIGHBOR": 2,
    "SLICE": 2,
    "SPACE_TO_DEPTH": 2,
    "SPLIT": 2,
    "STRIDED_SLICE": 2,
    "TRANSPOSE": 2,
}
#: Operators whose results must have these steps.
_FIXED = {"LOGISTIC": (2, Steps(1 / 256, -128)), "TANH": (2, Steps(1 / 128, 0))}
_VERSIONS = {**_FREE, **_SAME, **{name: version for name, (version, _) in _FIXED.items()}}
#: Activations within operators that their int8 forms have, too: the ReLUs.
_FUSED = (0, 1, 2, 3)
#: Steps of a sum are at most so many times finer than those of what is added.
_FINEST_SUM = 2.0**16
#: A bias is at most so many of its steps where the weights of its channel are all zero, and say nothing.
_BIAS_STEPS = 2.0**20


def quantize_activations(
    flatbuffer: Flatbuffer,
    calibration: np.ndarray | Sequence[np.ndarray],
    progress: Callable[[str], None] = lambda step: None,
) -> tuple[Flatbuffer, Quantization]:
    """Quantizes the float operators of a file, weights and activations.

    Args:
        flatbuffer: The float file, which stays as it is.
        calibration: Inputs like those that the file will see, whose values decide on the steps: ``(samples, ...)``; of
            a file of several inputs a list.
        progress: Called with a line for the user as these are run.

    Returns:
        The new file and what became of which role's weights; `converter.quantization.quantize.compare` tells the rest.

    Raises:
        ConversionError: if a value is infinite or NaN on these inputs.
    """
    rewriting = _Rewriting(flatbuffer, measure_ranges(flatbuffer, calibration, progress))
    quantized = rewriting.run()
    roles = find_roles(flatbuffer)
    weights = {role: [rewriting.weight_bytes(operation) for operation in found] for role, found in roles.items()}
    result = Quantization(
        weights=dict.fromkeys(roles, "int8"),
        layers={role: len(operations) for role, operations in roles.items()},
        bytes_before={role: sum(before for before, _ in pairs) for role, pairs in weights.items()},
        bytes_after={role: sum(after for _, after in pairs) for role, pairs in weights.items()},
        activations="int8",
        calibrated_on=len(batches(calibration)[0]),
        left_float=dict(rewriting.left_float),
        file_bytes=(len(flatbuffer.pack()), len(quantized.pack())),
    )
    return quantized, result


class _Rewriting:
    """A copy of a file on its way, operator by operator."""

    def __init__(self, flatbuffer: Flatbuffer, ranges: dict[int, tuple[float, float]]):
        self.file = Flatbuffer(flatbuffer.pack())
        self.left_float: Counter[str] = Counter()
        self._tensors, self._operators = Tensors(self.file, ranges), list(self.file.model.subgraphs[0].operators)
        self._weights: dict[int, int] = {}

    def run(self) -> Flatbuffer:
        """Rewrites all operators and returns the new file."""
        tensors, makers = self._tensors, []
        for operation in self.file.operations:
            if operation.outputs and operation.outputs[0] in tensors.constants:
                makers.append(self._operators[operation.index])
            elif operation.type == "LceQuantize":
                self._emit(operation, [tensors.if_int8(tensor) for tensor in operation.inputs])
            elif operation.type == BINARY and self._writes_int8(operation):
                self._emit(operation, outputs=list(map(tensors.native, operation.outputs)))
            elif not self._emit_int8(operation):
                self._emit_float(operation)
        for tensor in self.file.outputs:
            tensors.need_float(tensor)
        read = {*self.file.outputs, *(int(tensor) for operator in tensors.operators for tensor in operator.inputs)}
        makers = [maker for maker in makers if int(maker.outputs[0]) in read]
        self.file.model.subgraphs[0].operators = [*makers, *tensors.operators]
        new = Flatbuffer(self.file.pack())
        new.prune()
        return new

    def weight_bytes(self, operation: Operation) -> tuple[int, int]:
        """What an operator's weights took, and take now."""
        before, new = self.file.nbytes(operation.inputs[1]), self._weights.get(operation.index)
        return before, before if new is None else self.file.nbytes(new)

    def _emit(self, operation, inputs=None, outputs=None, version=None):
        operator = copy.copy(self._operators[operation.index])
        if inputs is not None:
            operator.inputs = inputs
        if outputs is None:
            self._tensors.add_floats(operation.outputs)
        else:
            operator.outputs = outputs
        if version is not None:
            operator.opcodeIndex = self._tensors.code(operation.type, version)
        self._tensors.operators.append(operator)

    def _emit_float(self, operation):
        for tensor in operation.inputs:
            self._tensors.need_float(tensor)
        if self._tensors.is_float(operation.outputs[0]):
            self.left_float[operation.type] += 1
        self._emit(operation)

    def _emit_int8(self, operation):
        """Adds an operator's int8 form, if it has one."""
        tensors, options = self._tensors, self.file.options(operation)
        computed = [index for index in operation.inputs if tensors.is_float(index) and index not in tensors.constants]
        has_form = operation.type in _VERSIONS and computed and all(map(tensors.is_float, operation.outputs))
        if not has_form or options.get("fusedActivationFunction", 0) not in _FUSED:
            return False
        if operation.type in WEIGHTED:
            inputs = self._with_weights(operation)
            if inputs is None:
                return False
        else:
            common = self._common(operation, computed) if operation.type == "CONCATENATION" else None
            inputs = [
                tensors.as_int8(index, common) if tensors.is_float(index) else index
                for index in map(int, self._operators[operation.index].inputs)
            ]
        given = [tensors.steps[index] for index in inputs if index in tensors.steps]
        outputs = [tensors.native(index, self._steps(operation.type, index, given)) for index in operation.outputs]
        self._emit(operation, inputs, outputs, _VERSIONS[operation.type])
        return True

    def _steps(self, type, tensor, given):
        """Steps of a result, by those of what it is computed from."""
        if type in _FIXED:
            return _FIXED[type][1]
        if type in _SAME:
            return given[0]
        steps, least = self._tensors.own_steps(tensor), max(each.scale for each in given) / _FINEST_SUM
        # TFLite ends the process where a sum's steps are much finer than those of what is added.
        return Steps(least, 0) if type in ("ADD", "SUB") and steps.scale < least else steps

    def _common(self, operation, computed):
        """Steps for all that is concatenated, which must have the same; None for those that they have."""
        tensors = self._tensors
        steps = {tensors.steps[tensors.as_int8(tensor)] for tensor in computed}
        constants = [tensors.constants[tensor] for tensor in operation.inputs if tensor in tensors.constants]
        if len(steps) == 1 and not constants:
            return None
        spans = [each.span for each in steps] + [(float(values.min()), float(values.max())) for values in constants]
        return Steps.spanning(min(low for low, _ in spans), max(high for _, high in spans))

    def _with_weights(self, operation):
        """The inputs of a convolution or dense layer in int8, with a bias of int32; None if they have no such form."""
        tensors = self._tensors
        data, weights, *rest = map(int, self._operators[operation.index].inputs)
        biases = [tensor for tensor in rest if tensor >= 0]
        if not {weights, *biases} <= tensors.constants.keys():
            return None
        axis = output_axis(operation)
        if weights in tensors.stored:
            levels, scales = tensors.stored[weights]
        else:
            rows = np.moveaxis(tensors.constants[weights], axis, 0)
            levels, scales = in_steps(rows.reshape(len(rows), -1), 8)
            levels = np.moveaxis(levels.reshape(rows.shape), 0, axis)
        scales = np.broadcast_to(scales, levels.shape[axis : axis + 1])
        taken = tensors.if_int8(data)
        scale = (tensors.steps[taken] if taken in tensors.steps else tensors.own_steps(data)).scale
        bias = tensors.constants[biases[0]].reshape(-1) if biases else np.zeros(len(scales), np.float32)
        empty = ~np.moveaxis(levels, axis, 0).reshape(len(scales), -1).any(axis=1)
        least = np.abs(bias) / (scale * _BIAS_STEPS)
        scales = np.where(empty & (least > 0), least, scales).astype(np.float32)
        products = np.float32(scale) * scales
        numbers = np.rint(bias / products.astype(np.float64))
        if np.abs(numbers).max(initial=0) >= 2.0**31:
            return None
        self._weights[operation.index] = tensors.constant(weights, levels, scales, axis=axis)
        inputs = [tensors.as_int8(data), self._weights[operation.index]]
        return inputs + [tensors.constant(tensor, numbers.astype(np.int32), products) for tensor in biases]

    def _writes_int8(self, operation):
        """Whether a binary convolution can, and something else than signs would read it."""
        (tensor,), options = operation.outputs, self.file.options(operation)
        has_form = options.get("padding", 0) != Padding.SAME or options.get("pad_values", 0) == 1
        is_wanted = not self._tensors.readers.get(tensor, set()).isdisjoint(_VERSIONS)
        return has_form and is_wanted and self._tensors.is_float(tensor) and not self._tensors.is_answer(tensor)
