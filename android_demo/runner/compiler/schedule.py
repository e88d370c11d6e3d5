"""In which order the nodes run, and which of them go through memory together as one map.

A node's *level* is the number of barriers before it: results of maps that it cannot read within their map. Steps of
their own (convolutions, ...) of a level run before its maps; all operations on elements of a level and of one size that
read a value in common are one map, which also pools 2x2 pixels of what it computes. So a value is written only if a
later level reads it, and a value that costs one operation on the sums of a binary convolution is not even written then:
the later map computes it again.
"""

from dataclasses import dataclass, field

import numpy as np

from android_demo.runner.compiler.network import SINKS, Network, Node, Value
from android_demo.runner.plan import MOST_INSTRUCTIONS, MOST_REGISTERS, MOST_SUMS, Type

#: Operations that are computed again rather than stored: the sums take half of the memory.
_CHEAP = ("Affine", "AffinePrelu")
#: Which readers of a result come first.
_ORDER = {"Sum": 0, "MeanPool": 1, "MaxPool": 1, "Pack": 2, "Prelu": 3}


@dataclass
class Group:
    """Nodes that are one step: a map's, or a single one."""

    nodes: list[Node] = field(default_factory=list)

    @property
    def is_map(self) -> bool:
        """Whether it works on single elements."""
        return self.nodes[0].in_map


def schedule(network: Network) -> list[Group]:
    """The steps in order. ``Concat`` and ``View`` are groups of their own, which take no time."""
    levels = _levels(network)
    alone = [node for node in network.nodes if not node.in_map]
    maps = _maps(network, levels)
    order = {node: place for place, node in enumerate(network.nodes)}
    keyed = [((levels[node], 0, order[node]), Group([node])) for node in alone]
    keyed += [((levels[nodes[0]], 1, order[nodes[0]]), Group(nodes)) for nodes in maps]
    groups = [group for _, group in sorted(keyed, key=lambda entry: entry[0])]
    _recompute(network, groups)
    for group in groups:
        group.nodes = _in_sequences(group.nodes)
    network.nodes = [node for group in groups for node in group.nodes]
    network.remove_dead()
    alive = set(network.nodes)
    groups = [Group([node for node in group.nodes if node in alive]) for group in groups]
    return [piece for group in groups if group.nodes for piece in _pieces(group)]


def has_barrier(source: Node, reader: Node) -> bool:
    """Whether a node has to wait for the next level to read what another computes.

    Steps of a level run in order and before its maps, which run in any order.
    """
    if not source.in_map:
        return False
    own = reader.in_map or pools_in_map(reader)
    return not own or source.op in SINKS or size_of(source) != size_of(reader)


def pools_in_map(node: Node) -> bool:
    """Whether it is pooling that a map could do with what it computes: of 2x2 pixels each, all of them."""
    if node.op != "Pool" or node.inputs[0].type != Type.FLOAT or node.attributes["window"] != (2, 2, 2, 2, 1, 1, 0, 0):
        return False
    value, out, (least, most) = node.inputs[0], node.output, node.attributes["bounds"]
    bounded = most < np.inf or (node.attributes["mean"] and least > -np.inf)
    return not bounded and (value.height, value.width) == (2 * out.height, 2 * out.width)


def _levels(network):
    producers = network.producers()
    levels: dict[Node, int] = {}
    for node in network.nodes:
        sources = [producers[value] for value in node.inputs if value in producers]
        levels[node] = max((levels[source] + has_barrier(source, node) for source in sources), default=0)
    return levels


#: Operations whose results have fewer pixels than their maps.
_FEWER_PIXELS = {*SINKS, "Pool"} - {"Pack"}


def size_of(node: Node) -> tuple[int, int, int]:
    """Height, width and channels of the map that an operation goes through."""
    value = node.inputs[0] if node.op in _FEWER_PIXELS else node.output
    return value.height, value.width, value.channels


def _maps(network, levels):
    """Nodes of a level and a size that a value of that size connects."""
    leaders: dict[Node, Node] = {}

    def leader(node):
        while leaders[node] is not node:
            node = leaders[node]
        return node

    seen: dict[tuple, Node] = {}
    for node in network.nodes:
        if not node.in_map:
            continue
        leaders[node] = node
        height, width, channels = size_of(node)
        size = (levels[node], height, width, channels)
        values = [node.output] + [value for value in node.inputs if value.data is None]
        for value in values:
            if value.pixels == height * width or value is node.output:
                other = seen.setdefault((size, value), node)
                first, second = leader(other), leader(node)
                leaders[second] = first
    maps: dict[Node, list[Node]] = {}
    for node in network.nodes:
        if node.in_map:
            maps.setdefault(leader(node), []).append(node)
    return list(maps.values())


def _recompute(network, groups):
    home = {node.output: group for group in groups if group.is_map for node in group.nodes}
    producers = network.producers()
    for group in groups:
        if not group.is_map:
            continue
        copies: dict[Value, Value] = {}
        nodes = []
        for node in group.nodes:
            for place, value in enumerate(node.inputs):
                source = producers.get(value)
                if source is None or source.op not in _CHEAP or home[value] is group:
                    continue
                if value not in copies:
                    copies[value] = value.like()
                    nodes.append(Node(source.op, source.inputs, copies[value], source.attributes))
                node.inputs = [*node.inputs[:place], copies[value], *node.inputs[place + 1 :]]
            nodes.append(node)
        group.nodes = nodes


def _in_sequences(nodes):
    """Nodes of a map in the order in which results are read as soon as they are there: signs and sums first, and what
    reads them last. So the kernels can keep results in registers from one operation to the next.
    """
    inside = {node.output for node in nodes}
    done: set[Value] = set()
    order: list[Node] = []

    def ready(node):
        return all(value in done for value in node.inputs if value in inside)

    def run(node):
        order.append(node)
        done.add(node.output)
        readers = [other for other in nodes if node.output in other.inputs]
        run_all(readers)

    def run_all(nodes):
        for node in sorted(nodes, key=lambda node: _ORDER.get(node.op, len(_ORDER))):
            if node.output not in done and ready(node):
                run(node)

    run_all(nodes)
    return order


def _pieces(group):
    """A map that is longer than the engine takes, as several."""
    if not group.is_map:
        return [group]
    pieces, live = [Group()], 0
    for node in group.nodes:
        last = pieces[-1].nodes
        live += node.op not in SINKS
        sums = sum(other.op == "Sum" for other in last) + (node.op == "Sum")
        # Registers are reused, so so many results need at most so many.
        if len(last) == MOST_INSTRUCTIONS or sums > MOST_SUMS or live > MOST_REGISTERS:
            pieces.append(Group())
            live = 1
        pieces[-1].nodes.append(node)
    return pieces
