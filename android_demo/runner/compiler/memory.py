"""Which places in the arena values have: parts of a concatenation beside each other, and what lives apart in one."""

import bisect
from dataclasses import dataclass

from android_demo.runner.compiler.network import Network, Node, Value
from android_demo.runner.compiler.schedule import Group
from android_demo.runner.plan import ALIGNMENT, Type

_BYTES = {Type.FLOAT: 4, Type.INT16: 2, Type.SIGNS: 4, Type.INT8: 1}


@dataclass
class Storage:
    """Where a value lies: in a value's memory, from an element on, with that value's stride."""

    root: Value
    start: int
    stride: int


def place_parts(network: Network) -> dict[Value, Storage]:
    """Storage of every computed value; copies are added where something would have to lie in two places.

    A part of a concatenation lies in it. Inputs, outputs and what is given another shape keep a place of their own.
    """
    _add_copies(network)
    producers = network.producers()
    homes: dict[Value, tuple[Value, int]] = {}
    for node in network.nodes:
        if node.op == "Concat":
            start = 0
            for part in node.inputs:
                homes[part] = node.output, start
                start += part.elements
    storage: dict[Value, Storage] = {}

    def find(value: Value) -> Storage:
        if value not in storage:
            source = producers.get(value)
            if source is not None and source.op == "View":
                inner = find(source.inputs[0])
                if source.attributes.get("shape"):
                    storage[value] = Storage(inner.root, inner.start, value.elements)
                else:
                    start = source.attributes["start"] // (32 if value.type == Type.SIGNS else 1)
                    storage[value] = Storage(inner.root, inner.start + start, inner.stride)
            elif value in homes:
                whole, start = homes[value]
                outer = find(whole)
                storage[value] = Storage(outer.root, outer.start + start, outer.stride)
            else:
                storage[value] = Storage(value, 0, value.elements)
        return storage[value]

    for value in [*network.inputs, *(node.output for node in network.nodes)]:
        find(value)
    return storage


def _add_copies(network: Network) -> None:
    producers = network.producers()
    placed: set[Value] = set()
    fixed = {*network.inputs, *network.outputs}
    for node in network.nodes:
        if node.op == "Move":
            fixed.add(node.output)
        if _takes_elements(node):
            fixed.add(node.inputs[0])
    nodes: list[Node] = []
    for node in network.nodes:
        if _takes_elements(node):
            source = producers.get(node.inputs[0])
            if source is not None and source.op == "View" and node.inputs[0].pixels > 1:
                node.inputs = [_copy(nodes, node.inputs[0])]
        if node.op == "Concat":
            parts = []
            for part in node.inputs:
                source = producers.get(part)
                own = part in fixed or part in placed or source is None or source.op in ("View", "Concat")
                part = _copy(nodes, part) if own else part
                placed.add(part)
                parts.append(part)
            node.inputs = parts
        nodes.append(node)
    for place, value in enumerate(network.outputs):
        source = producers.get(value)
        if source is None or source.op in ("View", "Concat") or value in network.outputs[:place]:
            network.outputs[place] = _copy(nodes, value)
    network.nodes = nodes


def _takes_elements(node):
    """Whether it takes the elements of its input one by one, which must then lie without gaps."""
    return node.op == "Move" or (node.op == "View" and node.attributes.get("shape"))


def _copy(nodes, value):
    output = value.like()
    if value.type == Type.FLOAT:
        nodes.append(Node("Copy", [value], output))
    else:
        # Elements of a pixel beside each other, pixels apart.
        nodes.append(Node("Move", [value], output, {"pixels": True}))
    return output


def lay_out(groups: list[Group], storage: dict[Value, Storage], network: Network) -> tuple[dict[Value, int], int]:
    """Byte offsets of the roots, and the size of the arena. Largest first, each at the lowest place that is free.

    Inputs and outputs keep their places for good: hosts write and read them whenever they like.
    """
    lives: dict[Value, list[int]] = {}
    for value in [*network.inputs, *network.outputs]:
        lives[storage[value].root] = [-1, len(groups)]
    for place, group in enumerate(groups):
        for node in group.nodes:
            for value in [*node.inputs, node.output]:
                if value in storage:
                    life = lives.setdefault(storage[value].root, [place, place])
                    life[0], life[1] = min(life[0], place), max(life[1], place)
    offsets: dict[Value, int] = {}
    taken: list[tuple[int, int, int, int]] = []  # Start and end in the arena, first and last group; by start.
    size = 0
    for root in sorted(lives, key=lambda value: -_bytes(value)):
        (first, last), offset, needed = lives[root], 0, _bytes(root)
        for start, end, other_first, other_last in taken:
            if start >= offset + needed:
                break
            if other_first <= last and first <= other_last and offset < end:
                offset = end
        offsets[root] = offset
        bisect.insort(taken, (offset, offset + needed, first, last))
        size = max(size, offset + needed)
    return offsets, size


def _bytes(value):
    count = value.pixels * value.elements * _BYTES[value.type]
    return -(-count // ALIGNMENT) * ALIGNMENT
