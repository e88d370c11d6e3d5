"""What follows the branches of a grouped convolution becomes part of them."""

import numpy as np

from converter.graph import Graph
from converter.passes._match import concatenates_channels, is_fused, origin, with_constant


def move_into_branches(graph: Graph) -> None:
    """A multiplication, an addition or a ReLU behind a concatenation of convolutions moves into each of them.

    A grouped convolution is one convolution for each group and a concatenation, and the batch normalization behind
    costs two operators on the whole map; behind each branch it costs none.

    Proof: all three go channel by channel, and so does the concatenation.

    Limits: only where nobody else reads the branches or the concatenation, and every branch takes the operator over for
    nothing; a ReLU therefore only behind float convolutions.

    Reference:
        Bethge et al., "MeliusNet", arXiv 2001.05936, section 4.2: the grouped stem.
    """
    graph.rewrite(_move)


def _move(graph, node):
    taken = with_constant(node, "Mul") or with_constant(node, "AddV2")
    if not taken and node.op != "Relu":
        return False
    joined = taken[0] if taken else node.inputs[0]
    if joined.op != "ConcatV2" or not concatenates_channels(joined) or not graph.has_one_user(joined):
        return False
    *parts, axis = joined.inputs
    if not all(graph.has_one_user(part) and is_fused(graph, part) for part in parts):
        return False
    if not taken:
        if any(part.op == "Relu" or origin(part).op not in ("Conv2D", "DepthwiseConv2dNative") for part in parts):
            return False
        moved = [node.copy([part], shape=part.shape, name=part.name) for part in parts]
    else:
        ends = np.cumsum([part.channels for part in parts])[:-1]
        build = graph.multiply if node.op == "Mul" else graph.add
        moved = [build(part, value) for part, value in zip(parts, np.split(taken[1], ends), strict=True)]
    graph.replace(node, joined.copy([*moved, axis]))
    return True
