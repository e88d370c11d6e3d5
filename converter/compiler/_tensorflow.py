"""All private API of TensorFlow that the compiler uses, behind three functions; ``docs/private-api.md`` tells why."""

from collections.abc import Callable

import tensorflow as tf
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2


def freeze_variables(function: Callable):
    """Traces a ``tf.function`` of one input signature and makes its variables constants.

    Control flow stays in functions of its own, as TFLite's compiler wants it.

    Returns:
        A concrete function; its ``graph``, ``inputs`` and ``outputs`` are what is wanted of it.
    """
    return convert_variables_to_constants_v2(function.get_concrete_function(), lower_control_flow=False)


def mark(tensor: tf.Tensor, name: str, number: int) -> None:
    """Gives the operation that computes a tensor an attribute, which survives `freeze_variables`.

    Args:
        tensor: A tensor of the function that is being traced.
        name: The attribute's name, beginning with ``_``: TensorFlow knows no other attributes but an operation's own.
        number: Its value.
    """
    tensor.op._set_attr(name, tf.compat.v1.AttrValue(i=number))


def inferred_attributes(op: str) -> set[str]:
    """Attributes of a type of operation that follow from its inputs' types."""
    return {argument.type_attr for argument in op_def_registry.get(op).input_arg}
