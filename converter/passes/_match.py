"""Patterns of operators that several passes look for."""

import numpy as np
import tensorflow as tf

from converter.graph import TRAINED_BITS, BinaryCall, Graph, Node

#: Operators with a kernel, whose results may be scaled and shifted for nothing.
WITH_KERNEL = ("BinaryConv2D", "Conv2D", "DepthwiseConv2dNative", "MatMul")

#: Which axis of a kernel the input channels are.
INPUT_CHANNELS = {"Conv2D": 2, "DepthwiseConv2dNative": 2, "MatMul": 0}


def channel_constant(node: Node, channels: int) -> np.ndarray | None:
    """A constant's value for each channel.

    Returns:
        float64 ``(channels,)``; None if the node is no constant of floats, or differs between pixels.
    """
    if node.op != "Const" or node.value.dtype.kind != "f" or node.value.size not in (1, channels):
        return None
    if node.value.ndim and node.value.shape[-1] != node.value.size:
        return None
    return np.broadcast_to(node.value.astype(np.float64).ravel(), (channels,))


def with_constant(node: Node, op: str) -> tuple[Node, np.ndarray] | None:
    """Takes apart a ``Mul`` or ``AddV2`` of something and one constant per channel.

    Additions by other names and the subtraction of a constant count as ``AddV2``.

    Returns:
        The other operand and the constant, float64 ``(channels,)``; None if the node is something else.
    """
    if node.op != op and not (op == "AddV2" and node.op in ("BiasAdd", "Add", "Sub")):
        return None
    if not node.shape or None in node.shape or node.attribute("data_format") == "NCHW":
        return None
    for x, constant in (node.inputs, node.inputs[::-1]):
        if x.op != "Const" and x.shape == node.shape and len(x.shape) > 1:
            value = channel_constant(constant, x.shape[-1])
            if value is not None and (node.op != "Sub" or constant is node.inputs[1]):
                return x, -value if node.op == "Sub" else value
    return None


def is_mean(node: Node) -> bool:
    """Whether a node is the mean of a map over height and width."""
    if node.op != "Mean" or node.inputs[1].op != "Const" or not node.inputs[0].shape or not node.shape:
        return False
    axes = node.inputs[1].value.ravel() % node.inputs[0].rank
    return node.inputs[0].is_map and sorted(axes.tolist()) == [1, 2]


def concatenates_channels(node: Node) -> bool:
    """Whether a ``ConcatV2`` puts channels behind each other."""
    return _is_last(node.inputs[-1], node.rank)


def pools_evenly(node: Node) -> bool:
    """Whether a pooling's windows are all full, do not overlap and leave nothing out."""
    assert node.inputs[0].shape is not None
    (_, height, width, _), sizes, strides = node.inputs[0].shape, node.attribute("ksize"), node.attribute("strides")
    return (
        node.attribute("data_format") in (None, "NHWC")
        and sizes == strides
        and sizes[0] == sizes[3] == 1
        and height % sizes[1] == width % sizes[2] == 0
    )


def gathers_channels(node: Node) -> bool:
    """Whether a ``GatherV2`` picks channels by constant numbers."""
    _, order, axis = node.inputs
    is_list = order.op == "Const" and order.value.ndim == 1 and not node.attribute("batch_dims")
    return is_list and _is_last(axis, node.rank)


def splits_channels(node: Node) -> bool:
    """Whether a ``Split`` cuts between channels."""
    axis, value = node.inputs
    return _is_last(axis, value.rank)


def is_fused(graph: Graph, node: Node) -> bool:
    """Whether LCE computes a node, one of a chain ``a x + b``, within the convolution before it: it then costs nothing.

    That holds for multiplications and additions of constants right behind a convolution that nobody else reads; behind
    a binary one also with a ReLU between; behind a dense layer also with the reshaping that Keras puts there.
    """
    steps = _steps(node)
    if steps[-1].op not in WITH_KERNEL or not all(graph.has_one_user(step) for step in steps[1:]):
        return False
    return all(step.op != "Relu" for step in steps[1:]) or steps[-1].op == "BinaryConv2D"


def origin(node: Node) -> Node:
    """Where a chain of multiplications, additions, ReLUs and reshapings begins: mostly a convolution."""
    return _steps(node)[-1]


def takes_signs(call: BinaryCall) -> bool:
    """Whether the layer's quantizer is the sign, with +1 for 0: all of Larq's one-bit quantizers but one are."""
    with tf.init_scope():
        probe = np.array([-2.0, -0.5, 0.0, 0.5], np.float32).reshape(1, 1, 4, 1)
        return call.layer.input_quantizer(tf.constant(probe)).numpy().ravel().tolist() == [-1, -1, 1, 1]


def padding_value(node: Node) -> float:
    """What a ``BinaryConv2D`` sees beyond the edges of its input, mostly -1, 0 or 1; 0 if it never looks there."""
    assert node.call is not None
    assert node.inputs[0].shape is not None
    _, height, width, _ = node.inputs[0].shape
    return node.call.pad_value if any(map(sum, node.call.padding(height, width))) else 0.0


def takes_factors(node: Node) -> bool:
    """Whether a ``Conv2D`` or its like has a constant kernel that any factors of its input may go into."""
    kernel = node.inputs[1]
    return kernel.op == "Const" and not kernel.attribute(TRAINED_BITS)


def feeds_trained(graph: Graph, node: Node) -> bool:
    """Whether a kernel that was trained in few bits reads a node, perhaps pooled and with a constant added.

    A factor must not come right before it: LCE's compiler would fold it into a dense layer's kernel.
    """
    return any(
        (user.op in INPUT_CHANNELS and user.inputs[1].op == "Const" and not takes_factors(user))
        or (
            (user.op in ("AvgPool", "Mean", "Reshape") or with_constant(user, "AddV2") is not None)
            and feeds_trained(graph, user)
        )
        for user in graph.users(node)
    )


def scaled_kernel(node: Node, factors: np.ndarray) -> Node | None:
    """The constant kernel of a ``Conv2D`` or its like, each input channel times a factor; None if they do not fit.

    Different factors do not fit a kernel that was trained in few bits: the steps of an output channel would differ.
    """
    (_, constant), axis = node.inputs, INPUT_CHANNELS[node.op]
    kernel = constant.value.astype(np.float64)
    if node.attribute("transpose_a") or node.attribute("transpose_b") or kernel.shape[axis] != factors.size:
        return None
    if constant.attribute(TRAINED_BITS) and (factors != factors[0]).any():
        return None
    scaled = kernel * factors.reshape([-1 if i == axis else 1 for i in range(kernel.ndim)])
    return constant.copy([], value=scaled)


def _steps(node):
    steps = [node]
    while steps[-1].op not in WITH_KERNEL:
        taken = with_constant(steps[-1], "Mul") or with_constant(steps[-1], "AddV2")
        if not taken and steps[-1].op not in ("Relu", "Reshape"):
            break
        steps.append(taken[0] if taken else steps[-1].inputs[0])
    return steps


def _is_last(axis, rank):
    return axis.op == "Const" and int(axis.value) % rank == rank - 1
