"""Constants move along the residual stream to where they vanish."""

import numpy as np

from converter.graph import Graph, Node
from converter.passes._match import (
    WITH_KERNEL,
    concatenates_channels,
    gathers_channels,
    is_fused,
    is_mean,
    pools_evenly,
    splits_channels,
    with_constant,
)

#: What an operator costs besides its elements, in elements.
_OVERHEAD = 500


def carry_offsets(graph: Graph) -> None:
    """Each value x is carried as T with ``x = T + B``, B a constant per channel, until somebody must read x itself.

    So the offset of a batch normalization and the learned bias of the next sign become one: ``sign(x + b) = sign(T +
    (B + b))``, and the stream goes on without either.

    Proof, by induction over the nodes, with ``u = T + B`` and ``v = S + C``:

        u + c  = T + (B + c)          c u    = c T + c B
        u + v  = (T + S) + (B + C)    [u, v] = [T, S] + [B, C]

    Mean, maximum and average over pixels commute with adding what is the same for all pixels. A convolution without
    padding and a dense layer add ``B W``, which becomes part of their bias. Anything else reads ``T + B``, written out
    once, and then everybody does.

    Limits: a constant that splits into two streams might have to be written out in both; the rewritten graph is taken
    only if its additions cost less.
    """
    carried: dict[Node, tuple[Node, np.ndarray | None]] = {}
    for node in graph.nodes():
        carry, offset = _carry(graph, node, carried)
        if offset is not None and not _all_pass(graph, node):
            carry, offset = graph.add(carry, offset), None
        carried[node] = carry, offset
    shifted = Graph(graph.inputs, {name: carried[node][0] for name, node in graph.outputs.items()})
    if _cost(shifted) < _cost(graph):
        for name, node in shifted.outputs.items():
            if node is not graph.outputs[name]:
                graph.replace(graph.outputs[name], node)


def _carry(graph, node, carried):
    """T and B of a node; B is None if it is zero."""
    pairs = [carried[source] for source in node.inputs]
    sources = [source for source, _ in pairs]
    taken = with_constant(node, "AddV2")
    if taken:
        place = node.inputs.index(taken[0])
        constant = taken[1] if pairs[place][1] is None else taken[1] + pairs[place][1]
        if not is_fused(graph, node):
            return sources[place], constant
        return (node if _same(node, pairs) else graph.add(sources[place], constant)), None
    carry = node if _same(node, pairs) else node.copy(sources)
    if all(offset is None for _, offset in pairs):
        return carry, None
    offset = _passed(node, [offset for _, offset in pairs])
    # A bias of a convolution costs nothing.
    return (graph.add(carry, offset), None) if node.op in WITH_KERNEL else (carry, offset)


def _same(node, pairs):
    """Whether a node's inputs are carried as themselves, so that it need not be copied."""
    return all(carry is source and offset is None for source, (carry, offset) in zip(node.inputs, pairs, strict=True))


def _all_pass(graph, node):
    """Whether everybody who reads a node can read T and carry B on."""
    return all(
        with_constant(user, "AddV2")
        or _passed(user, [np.zeros(_channels(node)) if source is node else None for source in user.inputs]) is not None
        for user in graph.users(node)
    )


def _channels(node):
    # A Split has no shape; its last input has.
    return (node.inputs[-1] if node.shape is None else node).channels


def _passed(node, offsets):
    """The offset that a node's result has if its inputs have these; None if it is not the same for all pixels."""
    rule = _RULES.get(node.op)
    return rule(node, offsets) if rule else None


def _sum(node, offsets):
    if any(source.op == "Const" or source.shape != node.shape for source in node.inputs):
        return None
    first, second = (0.0 if offset is None else offset for offset in offsets)
    return first - second if node.op == "Sub" else first + second


def _product(node, offsets):
    taken = with_constant(node, "Mul")
    return None if taken is None else taken[1] * next(offset for offset in offsets if offset is not None)


def _concatenation(node, offsets):
    if not concatenates_channels(node):
        return None
    parts = zip(node.inputs[:-1], offsets, strict=False)
    return np.concatenate([np.zeros(part.channels) if offset is None else offset for part, offset in parts])


def _mean(node, offsets):
    return offsets[0] if is_mean(node) else None


def _average(node, offsets):
    return offsets[0] if pools_evenly(node) or node.attribute("padding") == "VALID" else None


def _maximum(node, offsets):
    return offsets[0] if node.attribute("data_format") in (None, "NHWC") else None


def _reshape(node, offsets):
    is_vector = node.channels == node.inputs[0].channels == node.size
    return offsets[0] if is_vector and node.inputs[1].op == "Const" else None


def _gather(node, offsets):
    return offsets[0][node.inputs[1].value] if gathers_channels(node) else None


def _split(node, offsets):
    return offsets[1] if splits_channels(node) else None


def _item(node, offsets):
    if node.inputs[0].op != "Split":
        return None
    return offsets[0][node.attribute("index") * node.channels :][: node.channels]


def _dense(node, offsets):
    weights = node.inputs[1]
    transposed = node.attribute("transpose_a") or node.attribute("transpose_b")
    return None if weights.op != "Const" or transposed else offsets[0] @ weights.value.astype(np.float64)


def _convolution(node, offsets):
    kernel = node.inputs[1]
    if kernel.op != "Const" or not _unpadded(node) or kernel.shape[2] != node.inputs[0].channels:
        return None
    taps = kernel.value.astype(np.float64).sum(axis=(0, 1))
    return offsets[0] @ taps if node.op == "Conv2D" else (offsets[0][:, np.newaxis] * taps).ravel()


def _unpadded(node):
    return node.attribute("data_format") in (None, "NHWC") and (
        node.attribute("padding") == "VALID"
        or (node.attribute("padding") == "SAME" and node.inputs[1].shape[:2] == (1, 1))
    )


_RULES = {
    "AddV2": _sum,
    "AvgPool": _average,
    "ConcatV2": _concatenation,
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _convolution,
    "GatherV2": _gather,
    "Item": _item,
    "MatMul": _dense,
    "MaxPool": _maximum,
    "Mean": _mean,
    "Mul": _product,
    "Reshape": _reshape,
    "Split": _split,
    "Sub": _sum,
}


def _cost(graph):
    """Elements of all additions of constants that no convolution takes over."""
    return sum(
        node.size + _OVERHEAD for node in graph.nodes() if with_constant(node, "AddV2") and not is_fused(graph, node)
    )
