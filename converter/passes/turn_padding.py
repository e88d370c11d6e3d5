"""Padding with -1, which LCE does not know, as padding with +1, which it does."""

from dataclasses import replace

import numpy as np

from converter.graph import Graph
from converter.passes._match import is_fused, padding_value, takes_signs, with_constant


def turn_padding(graph: Graph) -> None:
    """Before a convolution that pads with -1 all signs are negated, and its kernel; then it pads with +1.

    Proof: with s the signs, W the kernel and P_p padding with p, ``conv(P_-1(s), W) = conv(-P_-1(s), -W) =
    conv(P_+1(-s), -W)``.

    To negate a comparison with a threshold costs nothing: ``x <= t`` for ``x >= t``. A plain sign becomes a comparison
    with 0, which is still cheaper than what else -1 would add behind the convolution, a constant of the map's size.
    Where LCE fuses a batch normalization into the convolution before, that is negated itself, for nothing.
    """
    for node in graph.nodes():
        call = node.call
        if call is None or call.flips is not None or not takes_signs(call) or padding_value(node) != -1:
            continue
        x = node.inputs[0]
        added = with_constant(x, "AddV2")
        product = with_constant(added[0], "Mul") if added else None
        if call.is_plain and added and product and graph.has_one_user(x) and is_fused(graph, x):
            # 0 counts as +1 before and after, but in what comes out of a batch normalization it does not occur.
            negated = graph.add(graph.multiply(product[0], -product[1]), -added[1])
            graph.replace(node, node.copy([negated], call=replace(call, flips=-np.ones(call.channels))))
        else:
            graph.replace(node, node.copy([x], call=call.turned()))
