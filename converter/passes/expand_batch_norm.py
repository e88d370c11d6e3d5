"""Batch normalization in inference is a multiplication and an addition."""

import numpy as np

from converter.graph import Graph


def expand_batch_norm(graph: Graph) -> None:
    """A batch normalization becomes ``a x + b`` per channel.

    Proof: with statistics that are constants, ``gamma (x - mean) / sqrt(variance + epsilon) + beta = a x + b`` for
    ``a = gamma / sqrt(variance + epsilon)`` and ``b = beta - a mean``, both computed in float64 and rounded once.

    Reference:
        Ioffe and Szegedy, "Batch Normalization", arXiv 1502.03167, section 3.1, algorithm 2.
    """
    for node in graph.nodes():
        if node.op != "Item" or node.attribute("index") != 0 or node.inputs[0].op != "FusedBatchNormV3":
            continue
        norm = node.inputs[0]
        x, *parameters = norm.inputs
        if (
            norm.attribute("is_training")
            or norm.attribute("data_format") != "NHWC"
            or any(parameter.op != "Const" for parameter in parameters)
        ):
            continue
        gamma, beta, mean, variance = (parameter.value.astype(np.float64) for parameter in parameters)
        a = gamma / np.sqrt(variance + norm.attribute("epsilon"))
        graph.replace(node, graph.add(graph.multiply(x, a), beta - a * mean))
