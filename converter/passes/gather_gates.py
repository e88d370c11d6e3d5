"""Factors that are the same for all pixels are multiplied among themselves first."""

from functools import reduce

from converter.graph import Graph, Node
from converter.passes._match import channel_constant


def gather_gates(graph: Graph) -> None:
    """A product of maps, gates and constants becomes the maps times one gate: ``a (g y) = (a g) y``, a g on 1x1 maps.

    So in BNext the second batch normalization moves into the gate: ``BN2(g y) = a (g y) + b = (a g) y + b``, and with
    an attention r, ``BN2(g y r) + r = ((a g) y) r + b + r``; b moves on in `converter.passes.carry_offsets`.

    Proof: multiplication is associative and commutative.

    Limits: only through products that nobody else reads, and only where there is a gate; constants alone are
    `converter.passes.merge_affine`'s.

    Reference:
        Guo et al., arXiv 2211.12933: the order of gate and batch normalization in the Info-RCP module.
    """
    for node in graph.nodes():
        is_factor = graph.has_one_user(node) and any(map(_is_product, graph.users(node)))
        if not _is_product(node) or is_factor:
            continue
        maps, gates, constants = _factors(graph, node)
        if not gates or len(gates) + len(constants) < 2:
            continue
        first, *others = maps
        scale = reduce(graph.multiply, [*gates, *constants])
        graph.replace(node, reduce(graph.multiply, others, graph.multiply(first, scale)))


def _is_product(node):
    return node.op == "Mul" and node.is_map


def _factors(graph: Graph, node: Node) -> tuple[list[Node], list[Node], list[Node]]:
    """Maps, gates and constants of a product, those of inner products that nobody else reads included."""
    maps: list[Node] = []
    gates: list[Node] = []
    constants: list[Node] = []
    for source in node.inputs:
        if _is_product(source) and graph.has_one_user(source):
            for total, part in zip((maps, gates, constants), _factors(graph, source), strict=True):
                total.extend(part)
        elif channel_constant(source, node.channels) is not None:
            constants.append(source)
        elif source.shape == (1, 1, 1, node.channels):
            gates.append(source)
        else:
            maps.append(source)
    return maps, gates, constants
