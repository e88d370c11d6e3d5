"""From a `converter.graph.Graph` to TensorFlow: as operations of a function, or run in float64 to prove a rewrite."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import numpy as np
import tensorflow as tf

from converter.compiler._tensorflow import inferred_attributes
from converter.compiler.kernels import filter_scales, float_kernels
from converter.compiler.lower import lower
from converter.graph import BinaryCall, Graph, Node


def emit(
    graph: Graph,
    inputs: Sequence[tf.Tensor],
    signs: Mapping[BinaryCall, list[tf.Tensor]],
    scales: Mapping[BinaryCall, list[np.ndarray]],
) -> list[tf.Tensor]:
    """Adds a graph's operators to the function that is being traced.

    Operators that the passes do not know are added as they came. Types follow from the inputs', so the graph computes
    in the precision of the images, or in float32 if there are none but whole numbers.

    Args:
        graph: The graph.
        inputs: Its ``Input`` nodes in their order; those of floats are all float32 or all float64.
        signs: For each call of a binary convolution, tensors in place of the signs of its `float_kernels`.
        scales: What these are times the signs, one number for each filter.

    Returns:
        The graph's outputs.
    """
    dtype = next((tensor.dtype for tensor in inputs if tensor.dtype.is_floating), tf.float32)
    emitted: dict[Node, tf.Tensor | list[tf.Tensor]] = dict(zip(graph.inputs.values(), inputs, strict=True))
    for node in graph.nodes()[:-1]:
        if node not in emitted:
            emitted[node] = _emit(node, [emitted[source] for source in node.inputs], dtype, signs, scales)
    return [emitted[node] for node in graph.outputs.values()]


def run(graph: Graph, *inputs: np.ndarray) -> np.ndarray | list[np.ndarray]:
    """Computes a graph's outputs in the precision of the images, one image at a time.

    Args:
        graph: The graph.
        *inputs: For each of its inputs ``(samples, ...)``; floats are float32 or float64.

    Returns:
        The output, or a list if there are several.

    Example:
        >>> import bnext_keras, numpy as np
        >>> from converter.compiler.trace import trace
        >>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
        >>> run(trace(model), np.ones((2, 32, 32, 3))).dtype, run(trace(model), np.ones((2, 32, 32, 3))).shape
        (dtype('float64'), (2, 10))
    """

    @tf.function(autograph=False)
    def evaluate(tensors):
        dtype = next((tensor.dtype for tensor in tensors if tensor.dtype.is_floating), tf.float32)
        kernels = {node.call: float_kernels(node.call) for node in graph.nodes() if node.call is not None}
        signs = {call: [tf.constant(np.sign(kernel), dtype) for kernel in each] for call, each in kernels.items()}
        return emit(graph, tensors, signs, {call: list(map(filter_scales, each)) for call, each in kernels.items()})

    results = [evaluate([tf.constant(each[np.newaxis]) for each in sample]) for sample in zip(*inputs, strict=True)]
    joined = [np.concatenate(outputs) for outputs in zip(*results, strict=True)]
    return joined[0] if len(joined) == 1 else joined


def _emit(node, inputs, dtype, signs, scales):
    if node.op == "Const":
        return tf.constant(node.value.astype(dtype.as_numpy_dtype) if node.value.dtype.kind == "f" else node.value)
    if node.op == "Item":
        return inputs[0][node.attribute("index")]
    scope, _, name = node.name.rpartition("/")
    # A slash at its end makes it this very scope; without, TensorFlow would number each one anew.
    with tf.name_scope(f"{scope}/") if scope else nullcontext():
        if node.op == "BinaryConv2D":
            return lower(node.call, inputs[0], signs[node.call], scales[node.call])
        if node.op == "PRelu":
            return _prelu(*inputs)
        if node.op == "FusedBatchNormV3" and dtype == tf.float64:
            return [_batch_norm(node, *inputs)]
        return _operation(node, inputs, dtype, name or node.op)


def _prelu(x, slopes):
    # The form that TFLite's compiler takes for its PRELU.
    return tf.nn.relu(x) + -tf.reshape(slopes, (1, 1, -1)) * tf.nn.relu(-x)


def _batch_norm(node, x, scale, offset, mean, variance):
    """What TensorFlow's FusedBatchNormV3 computes, which knows no float64."""
    return (x - mean) * scale / tf.sqrt(variance + node.attribute("epsilon")) + offset


def _operation(node, inputs, dtype, name):
    graph = tf.compat.v1.get_default_graph()
    inferred = inferred_attributes(node.op)
    attributes = {
        key: _message(value, dtype)
        for key, value in node.attributes.items()
        if key not in inferred and not key.startswith("_")
    }
    # By name and with its attributes as they came, functions among them, any operation can be made again.
    operation = graph.create_op(node.op, inputs, attrs=attributes, name=name)
    return operation.outputs if len(operation.outputs) != 1 else operation.outputs[0]


def _message(value, dtype):
    """An attribute as TensorFlow's message, with the graph's type in place of float32."""
    if not isinstance(value, tf.compat.v1.AttrValue):
        message = tf.compat.v1.AttrValue()
        if isinstance(value, bool):
            message.b = value
        elif isinstance(value, int):
            message.i = value
        elif isinstance(value, str):
            message.s = value.encode()
        else:
            message.list.i.extend(value)
        return message
    if value.type == tf.float32.as_datatype_enum:
        return tf.compat.v1.AttrValue(type=dtype.as_datatype_enum)
    return value
