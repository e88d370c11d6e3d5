"""A batch normalization before a sign is a comparison."""

from dataclasses import replace

import numpy as np

from converter.graph import Graph
from converter.passes._match import is_fused, padding_value, takes_signs, with_constant

#: Beyond every value of a network: the threshold of a channel whose sign is always the same.
_BEYOND = 1e30


def fold_into_thresholds(graph: Graph) -> None:
    """``sign(a x + b)`` becomes a comparison of x with ``-b / a``; where ``a < 0``, of a negated channel.

    Proof: for ``a > 0``, ``a x + b >= 0`` just if ``x >= -b / a``; for ``a < 0``, just if ``x <= -b / a``. For
    ``a = 0`` the sign is that of b, as for a threshold of minus or plus 1e30, beyond all values. Larq's sign of zero is
    +1, so the threshold itself belongs to the +1 in either case; in the file too, for `converter.compiler.lower` rounds
    it to the outermost float32 that compares as true. The kernel takes negations over: for f of +-1,
    ``sum_c W_c s_c = sum_c (f_c W_c) (f_c s_c)``.

    Limits: padding has the same sign in all channels. Zeros do not mind negation. But where +1 or -1 is padded, to
    negate some channels and not others would cost a constant of the map's size behind the convolution, more than the
    multiplication before it: there only the addition becomes part of the comparison, unless all channels turn alike. A
    normalized map that others read too stays as it is.

    Reference:
        Umuroglu et al., "FINN", arXiv 1612.07119, section 4.2.2: batch normalization and sign as thresholding.
    """
    for node in graph.nodes():
        if node.call is None or not node.call.is_plain or not takes_signs(node.call):
            continue
        normalized = node.inputs[0]
        x, a, b = _affine(graph, normalized)
        if x is normalized:
            continue
        rising = a >= 0
        is_padded = padding_value(node) != 0
        if is_padded and not rising.all() and not (a <= 0).all():
            added = with_constant(normalized, "AddV2")
            if not added:
                continue
            (x, b), a, rising = added, np.ones_like(a), np.ones_like(rising)
        with np.errstate(divide="ignore", invalid="ignore"):
            thresholds = np.where(a == 0, np.where(b >= 0, -_BEYOND, _BEYOND), np.clip(-b / a, -_BEYOND, _BEYOND))
        falling, flips = False, None
        if is_padded:
            falling = not rising.all()
            # A channel without slope compares as its neighbours do.
            thresholds = np.where((a == 0) & falling, -thresholds, thresholds)
        elif not rising.all():
            flips = np.where(rising, 1.0, -1.0)
        # Thresholds of zero need no operator, unless the zero of a negated channel has to count as -1.
        is_plain = not thresholds.any() and flips is None
        if is_plain or _is_cheaper(graph, normalized, x):
            call = replace(node.call, thresholds=None if is_plain else thresholds, falling=falling, flips=flips)
            graph.replace(node, node.copy([x], call=call))


def _affine(graph, node):
    """x, a and b of a node ``a x + b`` that takes time to compute."""
    ones, zeros = np.ones(node.channels), np.zeros(node.channels)
    if is_fused(graph, node):
        return node, ones, zeros
    total = with_constant(node, "AddV2")
    x, b = total or (node, zeros)
    product = with_constant(x, "Mul")
    x, a = product or (x, ones)
    return x, a, b


def _is_cheaper(graph, normalized, x):
    """Whether a comparison of x for each reader of ``a x + b`` is cheaper: then nobody else may need it."""
    users, operators = graph.users(normalized), 1 if x in normalized.inputs else 2
    return all(user.op == "BinaryConv2D" for user in users) and len(users) <= operators
