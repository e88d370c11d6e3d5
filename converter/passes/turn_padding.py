"""Padding with -1, which LCE does not know, as padding with +1, which it does."""

import numpy as np

from converter.graph import Graph
from converter.passes._match import is_fused, with_constant
from converter.passes.fold_into_thresholds import pads_ones, takes_signs


def turn_padding(graph: Graph) -> None:
    """Before a convolution that pads with -1 all signs are negated, and its kernel; then it pads with +1.

    Proof: with s the signs, W the kernel and P the padding with p, ``conv(P_-1(s), W) = conv(-P_-1(s), -W) =
    conv(P_+1(-s), -W)``. A comparison with a threshold is negated for nothing, ``x <= t`` for ``x >= t``; a plain sign
    becomes a comparison with 0, still cheaper than what the padding would add behind the convolution, a constant of the
    map's size; and where a batch normalization between two convolutions is part of the first, it is negated itself.
    """
    for node in graph.nodes():
        if (
            node.op != "BinaryConv2D"
            or node.conv.flips is not None
            or not takes_signs(node.conv)
            or pads_ones(node.conv, *node.inputs[0].shape[1:3]) != -1
        ):
            continue
        x = node.inputs[0]
        total = with_constant(x, "AddV2")
        product = total and with_constant(total[0], "Mul")
        if node.conv.thresholds is None and product and graph.has_one_user(x) and is_fused(graph, x):
            # 0 counts as +1 before and after, but in what comes out of a batch normalization it does not occur.
            negated = graph.add(graph.multiply(product[0], -product[1]), -total[1])
            conv = node.conv.turned()
            conv = type(conv)(conv.layer, conv.call, flips=-np.ones(conv.channels))
            graph.replace(node, node.copy([negated], conv=conv))
        else:
            graph.replace(node, node.copy([x], conv=node.conv.turned()))
