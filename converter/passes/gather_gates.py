"""Factors that are the same for all pixels are multiplied among themselves first."""

from functools import reduce

from converter.graph import Graph, Node
from converter.passes._match import channel_constant


def gather_gates(graph: Graph) -> None:
    """The second batch normalization into the gate: ``a (g y) = (a g) y``, with ``a g`` on 1x1 maps.

    In general: a product of one or more maps and of factors without height and width, constants or gates, becomes the
    maps times one such factor.

    Proof: multiplication is associative and commutative. ``BN2(g y) = a (g y) + b = (a g) y + b``, and with an
    attention r, ``BN2(g y r) + r = ((a g) y) r + b + r``; b moves on in `converter.passes.carry_offsets`.

    Reference:
        Guo et al., arXiv 2211.12933: the order of gate and batch normalization in the Info-RCP module.
    """
    for node in graph.nodes():
        if _is_product(node) and not any(_is_product(user) and _inside(graph, node) for user in graph.users(node)):
            maps, factors = _factors(graph, node)
            gates = [factor for factor in factors if factor.op != "Const"]
            if len(factors) < 2 or not gates:
                continue
            first, *others = maps
            scale = reduce(graph.multiply, gates + [factor for factor in factors if factor.op == "Const"])
            graph.replace(node, reduce(graph.multiply, others, graph.multiply(first, scale)))


def _is_product(node):
    return node.op == "Mul" and node.is_map


def _inside(graph, node):
    return graph.has_one_user(node)


def _factors(graph, node: Node):
    """The maps and the other factors of a product, those of inner products that nobody else reads included."""
    maps, factors = [], []
    for source in node.inputs:
        if _is_product(source) and _inside(graph, source):
            for total, part in zip((maps, factors), _factors(graph, source), strict=True):
                total.extend(part)
        elif source.shape == node.shape and source.op != "Const":
            maps.append(source)
        elif channel_constant(source, node.shape[-1]) is not None or source.shape == (1, 1, 1, node.shape[-1]):
            factors.append(source)
        else:
            maps.append(source)
    return maps, factors
