"""Squeeze-and-expand of a mix, without the mix."""

import numpy as np

from converter.graph import Graph, Node
from converter.passes._match import concatenates_channels, feeds_trained, is_mean, pools_evenly, with_constant


def distribute_means(graph: Graph) -> None:
    """Means over all pixels are taken of the terms of a sum, where that is cheaper: mostly they are known already.

    So in BNext, ``mean(out) = g' mean(y) + mean(in) + b'`` with g' on 1x1 maps, where mean(y) and mean(in) have been
    needed before: a gate costs one mean at full resolution and its mix nothing.

    Proof: the mean is linear, so ``mean(s x + (1 - s) y) = s mean(x) + (1 - s) mean(y)`` for s per channel; the same
    holds for factors and terms that are the same for all pixels. It goes channel by channel, so it commutes with
    concatenation. And the mean of the means over windows that are equally large and do not overlap is the mean.

    Limits: a term's mean is taken only if reading the term costs less than what is not computed any more. A factor
    stays on the map if the mean is for a kernel that was trained in few bits, which must not take the factor over.

    Reference:
        Guo et al., arXiv 2211.12933, the Info-RCP module; the linearity of the mean.
    """
    known: dict[tuple[Node, bool], Node] = {}
    for node in graph.nodes():
        if not is_mean(node):
            continue
        source, keeps = node.inputs[0], bool(node.attribute("keep_dims"))
        means = _Means(graph, known, node)
        stays = _is_scaled(source) and feeds_trained(graph, node)
        if (source, keeps) not in known and (stays or means.cost(source, True) >= source.size):
            known[source, keeps] = node
            continue
        graph.replace(node, means.build(source, True))


class _Means:
    """What the mean of a map would cost, in elements read and written, and the operators that compute it so.

    Args:
        graph: The graph.
        known: Nodes that are the mean of a map already, by the map and whether they keep its dimensions.
        like: The ``Mean`` that is replaced.
    """

    def __init__(self, graph: Graph, known: dict[tuple[Node, bool], Node], like: Node):
        self._graph, self._known, self._like = graph, known, like
        self._keeps = bool(like.attribute("keep_dims"))
        self._costs: dict[tuple[Node, bool], float] = {}

    def cost(self, node, dies):
        """Cost of the mean of a node, negative where it saves more.

        Args:
            node: A map.
            dies: Whether nobody else will read the node, so that it need not be computed.
        """
        if (node, self._keeps) in self._known:
            return 0
        return min(node.size, self._cost_of_terms(node, dies))

    def build(self, node, dies):
        """The mean of a node in the cheapest way."""
        key = node, self._keeps
        if key not in self._known:
            if self._cost_of_terms(node, dies) >= node.size:
                self._known[key] = self._like.copy(
                    [node, self._like.inputs[1]], shape=self._shape(node), name=node.name
                )
            else:
                dies = dies and self._graph.has_one_user(node)
                means = [self.build(term, dies) for term in self._terms(node)]
                self._known[key] = self._combine(node, means)
        return self._known[key]

    def _shape(self, node):
        return (1, 1, 1, node.channels) if self._keeps else (1, node.channels)

    def _cost_of_terms(self, node, dies):
        terms = self._terms(node)
        if not terms:
            return np.inf
        dies = dies and self._graph.has_one_user(node)
        if (node, dies) not in self._costs:
            saved = node.size + sum(term.size for term in terms) if dies else 0
            # Operators on 1x1 maps are not for nothing.
            self._costs[node, dies] = sum(self.cost(term, dies) for term in terms) - saved + 2 * node.channels
        return self._costs[node, dies]

    def _terms(self, node):
        """The maps whose means make up the mean of a node; none if it is not linear in any."""
        if not node.is_map:
            return []
        for op in ("Mul", "AddV2"):
            taken = with_constant(node, op)
            if taken:
                return [taken[0]]
        if node.op in ("AddV2", "Sub") and all(source.shape == node.shape for source in node.inputs):
            return node.inputs if _are_maps(node.inputs) else []
        if node.op == "Mul" and self._keeps:
            maps = [source for source in node.inputs if source.shape == node.shape]
            return maps if len(maps) == 1 and _gate_of(node) is not None else []
        if node.op == "AvgPool" and pools_evenly(node):
            return node.inputs[:1]
        if node.op == "ConcatV2" and concatenates_channels(node) and _are_maps(node.inputs[:-1]):
            return node.inputs[:-1]
        return []

    def _combine(self, node, means):
        """What a node does, done to the means of its terms."""
        graph = self._graph
        for op, build in (("Mul", graph.multiply), ("AddV2", graph.add)):
            taken = with_constant(node, op)
            if taken:
                return build(means[0], taken[1])
        if node.op == "AvgPool":
            return means[0]
        if node.op == "Mul":
            return graph.multiply(means[0], _gate_of(node))
        if node.op == "ConcatV2":
            axis = graph.constant(np.int32(len(self._shape(node)) - 1))
            return node.copy([*means, axis], shape=self._shape(node))
        return node.copy(means, shape=self._shape(node))


def _is_scaled(node):
    total = with_constant(node, "AddV2")
    return with_constant(total[0] if total else node, "Mul") is not None


def _are_maps(sources):
    return all(source.op != "Const" and source.is_map for source in sources)


def _gate_of(node):
    return next((source for source in node.inputs if source.shape == (1, 1, 1, node.channels)), None)
