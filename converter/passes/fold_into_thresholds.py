"""A batch normalization before a sign is a comparison."""

from dataclasses import replace

import numpy as np
import tensorflow as tf

from converter.graph import Graph, SignConv
from converter.passes._match import is_fused, with_constant

#: Beyond every value of a network: the threshold of a channel whose sign is always the same.
_BEYOND = 1e30


def fold_into_thresholds(graph: Graph) -> None:
    """``sign(a x + b)`` becomes a comparison of x with ``-b / a``; where ``a < 0``, of a negated channel.

    Proof: ``a x + b >= 0`` just if ``x >= -b / a`` for ``a > 0``, and ``x <= -b / a`` for ``a < 0``. For ``a = 0`` the
    sign is that of b, as for thresholds of minus and plus 1e30, beyond all values. Larq's sign of zero is +1, so the
    bound belongs to the +1 in either case, and it still does in the file: `converter.compiler.lower` rounds the
    threshold to the outermost float32 that compares as true. The kernel takes the negation over: ``sum_c W_c s_c =
    sum_c (f_c W_c) (f_c s_c)`` for f of +-1.

    What is padded has one sign in all channels. Zeros do not mind; where +1 or -1 is padded, negating some channels and
    others not would cost a constant of the map's size behind the convolution, more than the multiplication before it:
    there only the addition becomes part of the comparison. A normalized map that others read too stays as it is.
    """
    for node in graph.nodes():
        if node.op != "BinaryConv2D" or node.conv.thresholds is not None or not takes_signs(node.conv):
            continue
        x, a, b = _affine(graph, node.inputs[0])
        if x is node.inputs[0]:
            continue
        rising = a >= 0
        uniform = rising.all() or (a <= 0).all()
        if _pads(node) and not uniform:
            added = with_constant(node.inputs[0], "AddV2")
            if not added:
                continue
            (x, b), a, rising = added, np.ones_like(a), np.ones_like(rising)
        with np.errstate(divide="ignore", invalid="ignore"):
            thresholds = np.where(a == 0, np.where(b >= 0, -_BEYOND, _BEYOND), np.clip(-b / a, -_BEYOND, _BEYOND))
        if _pads(node):
            falls = not rising.all()
            # A channel without slope compares as its neighbours do.
            thresholds = np.where((a == 0) & falls, -thresholds, thresholds)
            changes = {"falling": falls}
        else:
            changes = {"flips": None if rising.all() else np.where(rising, 1.0, -1.0)}
        # Without a threshold the sign is a plain one, unless a zero of a negated channel has to count as -1.
        plain = not thresholds.any() and changes.get("flips") is None
        if not plain and not _dies(graph, node.inputs[0], x):
            continue
        conv = replace(node.conv, thresholds=None if plain else thresholds, **changes)
        graph.replace(node, node.copy([x], conv=conv))


def _affine(graph, node):
    """x, a and b of a node ``a x + b`` that takes time to compute."""
    ones, zeros = np.ones(node.shape[-1]), np.zeros(node.shape[-1])
    if is_fused(graph, node):
        return node, ones, zeros
    total = with_constant(node, "AddV2")
    x, b = total or (node, zeros)
    product = with_constant(x, "Mul")
    x, a = product or (x, ones)
    return x, a, b


def _dies(graph, node, x):
    """Whether a node ``a x + b`` is not needed any more, and its operators outnumber the comparisons."""
    users = graph.users(node)
    return all(user.op == "BinaryConv2D" for user in users) and len(users) <= (1 if x in node.inputs else 2)


def takes_signs(conv: SignConv):
    """Whether a layer's quantizer is the sign, as all of Larq's with a precision of one bit are but one."""
    with tf.init_scope():
        probe = np.array([-2.0, -0.5, 0.0, 0.5], np.float32).reshape(1, 1, 4, 1)
        return conv.layer.input_quantizer(tf.constant(probe)).numpy().ravel().tolist() == [-1, -1, 1, 1]


def pads_ones(conv: SignConv, height: int, width: int) -> float:
    """What a convolution sees beyond the edges of its input, 0 if it never looks there."""
    layer = conv.layer
    if layer.padding != "same":
        return 0.0
    sides = zip((height, width), layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    if all((-(-side // stride) - 1) * stride + (size - 1) * rate + 1 <= side for side, size, stride, rate in sides):
        return 0.0
    return float(tf.keras.backend.get_value(layer.pad_values))


def _pads(node):
    return pads_ones(node.conv, *node.inputs[0].shape[1:3]) != 0
