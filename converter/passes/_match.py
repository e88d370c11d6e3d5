"""Patterns of operators that the passes look for."""

import numpy as np

from converter.graph import Graph, Node

#: Operators with a kernel, whose results may be scaled and shifted for nothing.
WITH_KERNEL = ("BinaryConv2D", "Conv2D", "DepthwiseConv2dNative", "MatMul")


def channel_constant(node: Node, channels: int) -> np.ndarray | None:
    """A constant's value for each channel, float64 ``(channels,)``; None if it is none or differs between pixels."""
    if node.op != "Const" or node.value.dtype.kind != "f" or node.value.size not in (1, channels):
        return None
    if node.value.ndim and node.value.shape[-1] != node.value.size:
        return None
    return np.broadcast_to(node.value.astype(np.float64).ravel(), (channels,))


def with_constant(node: Node, op: str) -> tuple[Node, np.ndarray] | None:
    """Takes ``Mul`` or ``AddV2`` of something and one constant per channel apart.

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
    axes = node.inputs[1].value.ravel() % len(node.inputs[0].shape)
    return node.inputs[0].is_map and sorted(axes.tolist()) == [1, 2]


def concatenates_channels(node: Node) -> bool:
    """Whether a ``ConcatV2`` puts channels behind each other."""
    axis = node.inputs[-1]
    return axis.op == "Const" and int(axis.value) % len(node.shape) == len(node.shape) - 1


def pools_evenly(node: Node) -> bool:
    """Whether a pooling's windows are all full, do not overlap and leave nothing out."""
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
    if order.op != "Const" or order.value.ndim != 1 or axis.op != "Const" or node.attribute("batch_dims"):
        return False
    return int(axis.value) % len(node.shape) == len(node.shape) - 1


def splits_channels(node: Node) -> bool:
    """Whether a ``Split`` cuts between channels."""
    axis, value = node.inputs
    return axis.op == "Const" and int(axis.value) % len(value.shape) == len(value.shape) - 1


def is_fused(graph: Graph, node: Node) -> bool:
    """Whether a node, one of a chain ``a x + b``, is computed by the convolution before it.

    So it is for multiplications and additions of constants right behind a convolution that nobody else reads; behind a
    binary one for a ReLU between them too, and behind a dense layer for the reshaping that Keras puts there.
    """
    steps = _steps(node)
    if steps[-1].op not in WITH_KERNEL or not all(graph.has_one_user(step) for step in steps[1:]):
        return False
    return all(step.op != "Relu" for step in steps[1:]) or steps[-1].op == "BinaryConv2D"


def kernel_of(node: Node) -> Node:
    """Where a chain of multiplications, additions, ReLUs and reshapings begins: mostly a convolution."""
    return _steps(node)[-1]


def _steps(node):
    steps = [node]
    while steps[-1].op not in WITH_KERNEL:
        taken = with_constant(steps[-1], "Mul") or with_constant(steps[-1], "AddV2")
        if not taken and steps[-1].op not in ("Relu", "Reshape"):
            break
        steps.append(taken[0] if taken else steps[-1].inputs[0])
    return steps
