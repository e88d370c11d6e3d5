"""Which places in the arena values have: parts of a concatenation beside each other, and what lives apart in one."""

import bisect
from dataclasses import dataclass

from android_demo.runner.compiler.network import SINKS, Network, Node, Value
from android_demo.runner.compiler.schedule import Group
from android_demo.runner.plan import ALIGNMENT, CHANNEL_BLOCK, Type

_BYTES = {Type.FLOAT: 4, Type.INT16: 2, Type.SIGNS: 4, Type.INT8: 1}


@dataclass
class Storage:
    """Where a value lies: in a value's memory, from a channel of each pixel on, with that value's stride.

    Of a blocked root all values have the stride `CHANNEL_BLOCK`.
    """

    root: Value
    start: int
    stride: int
    blocked: bool = False

    @property
    def offset(self) -> int:
        """Bytes from the root's first element to its own. Signs may begin in the middle of a word."""
        if self.root.type == Type.SIGNS:
            return self.start // 8
        return self.start * (self.root.pixels if self.blocked else 1) * _BYTES[self.root.type]


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
                start += part.channels
    storage: dict[Value, Storage] = {}

    def find(value: Value) -> Storage:
        if value not in storage:
            source = producers.get(value)
            if source is not None and source.op == "View":
                inner = find(source.inputs[0])
                if source.attributes.get("shape"):
                    storage[value] = Storage(inner.root, inner.start, value.elements)
                else:
                    storage[value] = Storage(inner.root, inner.start + source.attributes["start"], inner.stride)
            elif value in homes:
                whole, start = homes[value]
                outer = find(whole)
                storage[value] = Storage(outer.root, outer.start + start, outer.stride)
            else:
                storage[value] = Storage(value, 0, value.elements)
        return storage[value]

    for value in [*network.inputs, *(node.output for node in network.nodes)]:
        find(value)
    _block(network, storage)
    return storage


def _block(network, storage):
    """Blocks the channels of what maps read and write, wherever whatever else reads and writes that takes them so."""
    plain = {storage[value].root for value in [*network.inputs, *network.outputs]}
    for place in storage.values():
        root = place.root
        is_map = root.type in (Type.FLOAT, Type.INT16) and root.pixels > 1
        if not is_map or root.channels % CHANNEL_BLOCK or place.start % CHANNEL_BLOCK:
            plain.add(root)
    for node in network.nodes:
        values = [*node.inputs, node.output]
        if node.in_map or node.op in ("Concat", "Mean") or (node.op == "View" and not node.attributes.get("shape")):
            continue
        if node.op in ("BinaryConv", "Conv"):
            values.remove(node.output)
        plain |= {storage[value].root for value in values if value in storage}
    for place in storage.values():
        if place.root not in plain:
            place.stride, place.blocked = CHANNEL_BLOCK, True


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
    shared = _share_memory(groups, storage, lives)
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
    for root, other in shared.items():
        offsets[root] = offsets[other]
    return offsets, size


def _share_memory(groups, storage, lives):
    """Lets maps work in place: what one writes takes the memory of what it reads for the last time.

    A map computes pixel by pixel, so that is possible if none of its operations reads the old value behind the one that
    writes the new. Returns whose memory each root takes that ``lives`` has no more.
    """
    shared: dict[Value, Value] = {}
    for place, group in enumerate(groups):
        if not group.is_map:
            continue
        last_read: dict[Value, int] = {}
        for position, node in enumerate(group.nodes):
            for value in node.inputs:
                if value in storage:
                    root = storage[value].root
                    last_read[shared.get(root, root)] = position
        for position, node in enumerate(group.nodes):
            new = node.output
            if new not in lives or lives[new][0] < place or lives[new][1] == len(groups) or node.op in SINKS:
                continue
            for old, read in last_read.items():
                ends = old in lives and lives[old][0] < place == lives[old][1]
                if ends and read <= position and _alike(old, new, storage):
                    lives[old][1] = lives.pop(new)[1]
                    shared[new] = old
                    break
    return shared


def _alike(one, other, storage):
    """Whether two roots have elements of the same type at the same places."""
    same = all(getattr(one, name) == getattr(other, name) for name in ("type", "height", "width", "channels"))
    return same and storage[one].blocked == storage[other].blocked


def _bytes(value):
    count = value.pixels * value.elements * _BYTES[value.type]
    return -(-count // ALIGNMENT) * ALIGNMENT
