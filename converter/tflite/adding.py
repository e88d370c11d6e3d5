"""Operators that are added to a ``.tflite`` file, as tables."""

from collections.abc import Sequence
from typing import Any

from converter.tflite.schema import BuiltinOperator, BuiltinOptions, OperatorCodeT, OperatorT, options_of

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
