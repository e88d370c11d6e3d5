"""Operators and tensors that are added to a ``.tflite`` file, as tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.tflite.schema import (
    BufferT,
    BuiltinOperator,
    BuiltinOptions,
    ModelT,
    OperatorCodeT,
    OperatorT,
    QuantizationParametersT,
    TensorT,
    TensorType,
    options_of,
)

#: The options that an operator must have, by its type.
_OPTIONS = {
    "ADD": "AddOptions",
    "CONV_2D": "Conv2DOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MUL": "MulOptions",
    "PADV2": "PadV2Options",
    "QUANTIZE": "QuantizeOptions",
}


def new_code(type: str, version: int = 1) -> OperatorCodeT:
    """The entry of a type of operators of TFLite's in a file's list of such types."""
    code = OperatorCodeT()
    code.builtinCode = getattr(BuiltinOperator, type)
    # Runtimes from before 2021 know this field alone; of those types that are used here all fit it.
    code.deprecatedBuiltinCode, code.version = code.builtinCode, version
    code.customCode = None
    return code


def new_operator(type: str, code: int, inputs: Sequence[int], outputs: Sequence[int], **options: Any) -> OperatorT:
    """An operator of TFLite's.

    Args:
        type: TFLite's name of it.
        code: Place of its type in the file's list, see `new_code`.
        inputs: Tensors that it reads.
        outputs: Tensors that it writes.
        **options: Those of the schema that are not what they are by default.
    """
    operator = OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = list(inputs), list(outputs)
    operator.intermediates = []
    if type in _OPTIONS:
        operator.builtinOptionsType = getattr(BuiltinOptions, _OPTIONS[type])
        operator.builtinOptions = options_of(_OPTIONS[type])
        for name, value in options.items():
            setattr(operator.builtinOptions, name, value)
    return operator


def new_tensor(
    name: str, type: str, shape: Sequence[int] | None, quantization: QuantizationParametersT | None = None
) -> TensorT:
    """A tensor that is computed; `add_constant` makes others.

    Args:
        name: Its name.
        type: TFLite's name of the type of its numbers.
        shape: Its shape.
        quantization: What whole numbers stand for, see `quantization_of`.
    """
    tensor = TensorT()
    tensor.name, tensor.type, tensor.buffer = name.encode(), getattr(TensorType, type), 0
    tensor.shape, tensor.shapeSignature = None if shape is None else np.array(shape, np.int32), None
    tensor.quantization = quantization
    return tensor


def quantization_of(
    scales: Sequence[float] | np.ndarray, zeros: Sequence[int] | np.ndarray, axis: int = 0
) -> QuantizationParametersT:
    """What whole numbers q stand for: ``scale * (q - zero)``.

    Args:
        scales: One for all of a tensor, or one for each place along an axis.
        zeros: As many.
        axis: That axis.
    """
    quantization = QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = np.asarray(scales, np.float32), np.asarray(zeros, np.int64)
    quantization.quantizedDimension = axis
    return quantization


def add_constant(
    model: ModelT, name: str, values: np.ndarray, quantization: QuantizationParametersT | None = None
) -> int:
    """Adds a constant to a file of one subgraph and returns its number among the tensors."""
    buffer, tensors = BufferT(), model.subgraphs[0].tensors
    buffer.data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    tensor = new_tensor(name, values.dtype.name.upper(), values.shape, quantization)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)
    tensors.append(tensor)
    return len(tensors) - 1
