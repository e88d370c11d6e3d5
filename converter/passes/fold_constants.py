"""What does not depend on the image is computed once."""

from collections.abc import Callable

import numpy as np

from converter.graph import Graph
from converter.passes._match import with_constant

#: Operators that return their input.
_IDENTITIES = ("Identity", "StopGradient", "Snapshot")
#: What is computed here of constants: mostly the arithmetic that Keras layers do with their weights.
_FOLDED: dict[str, Callable] = {
    "Add": np.add,
    "AddV2": np.add,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mul": np.multiply,
    "Neg": np.negative,
    "RealDiv": np.divide,
    "Reshape": np.reshape,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Sub": np.subtract,
}


def fold_constants(graph: Graph) -> None:
    """Operators on constants become constants; ``x + 0``, ``1 x`` and identities become x.

    Proof: these operators return the same for the same input. What is computed here in float64 differs from what the
    device would compute by the device's rounding alone.
    """
    for node in graph.nodes():
        if node.op in _IDENTITIES:
            graph.replace(node, node.inputs[0])
        elif node.op in _FOLDED and all(source.op == "Const" for source in node.inputs):
            values = [_float64(source.value) for source in node.inputs]
            graph.replace(node, graph.constant(_FOLDED[node.op](*values)))
        else:
            for op, neutral in (("Mul", 1), ("AddV2", 0)):
                taken = with_constant(node, op)
                if taken and (taken[1] == neutral).all():
                    graph.replace(node, taken[0])


def _float64(value):
    return value.astype(np.float64) if value.dtype.kind == "f" else value
