"""Chains of multiplications and additions with constants become one of each."""

from converter.graph import Graph
from converter.passes._match import with_constant


def merge_affine(graph: Graph) -> None:
    """Any chain of ``x -> a x`` and ``x -> x + b`` with constants per channel becomes ``a x + b``.

    Proof: ``a2 (a1 x) = (a2 a1) x``, ``(x + b1) + b2 = x + (b1 + b2)`` and ``a (x + b) = a x + a b``.

    Limits: only where nobody else reads the value between, so that no operator is added.
    """
    graph.rewrite(_merge)


def _merge(graph, node):
    """Merges a node with the one before it; says whether it did."""
    for op in ("Mul", "AddV2"):
        outer = with_constant(node, op)
        if not outer or not graph.has_one_user(outer[0]):
            continue
        x, b = outer
        product, total = with_constant(x, "Mul"), with_constant(x, "AddV2")
        if op == "AddV2" and total:
            new = graph.add(total[0], total[1] + b)
        elif op == "Mul" and product:
            new = graph.multiply(product[0], product[1] * b)
        elif op == "Mul" and total:
            new = graph.add(graph.multiply(total[0], b), total[1] * b)
        else:
            continue
        graph.replace(node, new)
        return True
    return False
