"""All private API of TensorFlow that the compiler uses, behind few functions; ``docs/private-api.md`` tells why."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from bnext_keras.cli._tool import silenced
from bnext_keras.errors import ConversionError

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

_Parameters, _Result = ParamSpec("_Parameters"), TypeVar("_Result")

_forked = False


def _note_fork():
    global _forked
    # TensorFlow's threads are there once it has computed something, and a forked process has none of them.
    _forked = _forked or context.context()._context_handle is not None


os.register_at_fork(after_in_child=_note_fork)


def eagerly(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Makes a function compute at once, wherever it is called: within a ``tf.Graph`` or a ``tf.function``, too.

    Graphs belong to the thread that builds them, so there the function runs in another one.

    Raises:
        ConversionError: where it cannot: in a process that was forked after TensorFlow had been used, where it would
            hang, and in one that executes nothing eagerly.
    """

    @functools.wraps(function)
    def outside(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        if _forked:
            raise ConversionError(
                "this process was forked from one that had used TensorFlow, which hangs in such a process",
                remedy="start it with multiprocessing.get_context('spawn')",
            )
        if tf.executing_eagerly():
            return function(*arguments, **options)
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(at_once, *arguments, **options).result()

    def at_once(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        if not tf.executing_eagerly():
            raise ConversionError(
                "TensorFlow executes nothing eagerly in this process",
                remedy="leave out tf.compat.v1.disable_eager_execution()",
            )
        return function(*arguments, **options)

    return tf.autograph.experimental.do_not_convert(outside)


def freeze_variables(function: Callable):
    """Traces a ``tf.function`` of one input signature and makes its variables constants.

    Control flow stays in functions of its own, as TFLite's compiler wants it.

    Returns:
        A concrete function; its ``graph``, ``inputs`` and ``outputs`` are what is wanted of it.
    """
    concrete = function.get_concrete_function()
    # Grappler tells of GPUs and sessions.
    with silenced():
        return convert_variables_to_constants_v2(concrete, lower_control_flow=False)


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
