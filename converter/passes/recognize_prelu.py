"""Keras writes a parametric ReLU as six operators; TFLite has one."""

from converter.graph import Graph, Node
from converter.passes._match import with_constant


def recognize_prelu(graph: Graph) -> None:
    """``relu(x) - alpha relu(-x)`` becomes one ``PRelu`` node, which the later passes recognize.

    Proof: for ``x >= 0`` both are x, for ``x < 0`` both are ``alpha x``. TFLite's compiler does the same, so this alone
    does not change the file.

    Limits: only slopes that are the same for all pixels of a map.

    Reference:
        He et al., "Delving Deep into Rectifiers", arXiv 1502.01852, section 2.1.
    """
    for node in graph.nodes():
        if node.op != "AddV2":
            continue
        for positive, negative in (node.inputs, node.inputs[::-1]):
            scaled = with_constant(negative, "Mul")
            if positive.op != "Relu" or not scaled or scaled[0].op != "Relu":
                continue
            x, opposite = positive.inputs[0], scaled[0].inputs[0]
            if opposite.op == "Neg" and opposite.inputs[0] is x and x.rank == 4:
                slopes = graph.constant(-scaled[1])
                graph.replace(node, Node("PRelu", [x, slopes], shape=node.shape, name=node.name))
                break
