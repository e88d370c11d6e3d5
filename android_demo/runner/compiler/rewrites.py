"""Exact rewrites, before anything is laid out: what then is left maps well onto steps."""

import itertools

import numpy as np

from android_demo.runner.compiler.network import Network, Node, Value, vector
from android_demo.runner.compiler.schedule import has_barrier
from android_demo.runner.plan import Type


def rewrite(network: Network) -> None:
    """All of them, in order."""
    split_concatenations(network)  # First: it is what single operations are fused in that can stay apart.
    compare_with_thresholds(network)
    fuse_operations(network)
    network.remove_dead()


def split_concatenations(network: Network) -> None:
    """Works on the parts of a concatenation rather than on the whole, where that can be done earlier.

    Operations on elements, means, signs and pooling do to each channel what they do to it alone, so
    f(concat(a, b)) = concat(f(a), f(b)). Where f(a) can be computed in the map that computes a, or long before b, a need
    not be read again, and need not be written if nobody else reads it. Otherwise one operation on the whole is faster
    than several on its parts, as is any on vectors. Signs are split only between whole words.
    """
    parts_of: dict[Value, list[Value]] = {}
    nodes: list[Node] = []
    levels: dict[Value, int] = {}
    producers: dict[Value, Node] = {}

    def level(node: Node) -> int:
        sources = [producers[value] for value in node.inputs if value in producers]
        return max((levels[source.output] + has_barrier(source, node) for source in sources), default=0)

    def add(node: Node) -> None:
        nodes.append(node)
        producers[node.output], levels[node.output] = node, level(node)

    for node in network.nodes:
        split = [parts_of[value] for value in node.inputs if value in parts_of]
        if node.op == "Concat":
            parts = list(itertools.chain.from_iterable(parts_of.get(value, [value]) for value in node.inputs))
            whole_words = all(part.channels % 32 == 0 for part in parts[:-1])
            if node.output.type != Type.SIGNS or whole_words:
                parts_of[node.output] = parts
            add(Node("Concat", parts, node.output))
            continue
        sizes = [part.channels for part in split[0]] if split else []
        spatial = (node.in_map or node.op == "Pool") and node.inputs[0].pixels > 1
        if not spatial or not sizes or (node.op == "Pack" and any(size % 32 for size in sizes[:-1])):
            add(node)
            continue
        pieces, views, start = [], [], 0
        for size in sizes:
            inputs = [_channels(views, parts_of, value, start, size) for value in node.inputs]
            pieces.append(Node(node.op, inputs, node.output.like(channels=size), node.attributes))
            start += size
        for view in views:
            producers[view.output], levels[view.output] = view, level(view)
        if min(map(level, pieces)) >= level(node):
            add(node)
            continue
        nodes += views
        for piece in pieces:
            add(piece)
        outputs = [piece.output for piece in pieces]
        parts_of[node.output] = outputs
        add(Node("Concat", outputs, node.output))
    network.nodes = nodes
    network.remove_dead()


def _channels(nodes, parts_of, value, start, size):
    """Some channels of a value: a part of it, where there is such a part."""
    if value.data is not None:
        data = np.ascontiguousarray(value.data.reshape(value.pixels, -1)[:, start : start + size])
        return Value(value.height, value.width, size, value.type, data=data, name=value.name)
    place = 0
    for part in parts_of.get(value, []):
        if (place, part.channels) == (start, size):
            return part
        place += part.channels
    view = value.like(channels=size)
    nodes.append(Node("View", [value], view, {"start": start}))
    return view


def compare_with_thresholds(network: Network) -> None:
    """x + b < 0 becomes x < -b, and b - x < 0 becomes b < x: rounding changes neither side's sign."""
    producers, readers = network.producers(), network.readers()
    for node in network.nodes:
        source = producers.get(node.inputs[0]) if node.op == "Pack" else None
        if source is None or len(readers[source.output]) > 1 or source.output in network.outputs:
            continue
        zero = node.inputs[1]
        if zero.data is None or zero.data.any() or source.op not in ("Add", "Sub"):
            continue
        left, right = source.inputs
        if source.op == "Add" and left.data is not None:
            left, right = right, left
        if right.data is not None and right.pixels == 1 and source.op == "Add":
            node.inputs = [left, vector(-right.data)]
        elif (right.data is not None and right.pixels == 1) or (
            left.data is not None and left.pixels == 1 and source.op == "Sub"
        ):
            node.inputs = [left, right]


def fuse_operations(network: Network) -> None:
    """a b + c is one operation, as is PReLU of the sums of a binary convolution.

    The first rounds once where two operations round twice.
    """
    producers, readers = network.producers(), network.readers()
    for node in network.nodes:
        for position, value in enumerate(node.inputs[:2] if node.op == "Add" else node.inputs[:1]):
            source = producers.get(value)
            if source is None or len(readers[value]) > 1 or value in network.outputs:
                continue
            if node.op == "Add" and source.op == "Mul" and node.inputs[0] is not node.inputs[1]:
                node.op, node.inputs = "Fma", [*source.inputs, node.inputs[1 - position]]
                break
            if node.op == "Prelu" and source.op == "Affine":
                node.op, node.inputs = "AffinePrelu", [*source.inputs, node.inputs[1]]
                break
