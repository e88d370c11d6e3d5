"""Exact rewrites, before anything is laid out: what then is left maps well onto steps."""

import itertools

import numpy as np

from android_demo.runner.compiler.network import ELEMENTWISE, Network, Node, Value, vector
from android_demo.runner.compiler.schedule import has_barrier, pools_in_map
from android_demo.runner.plan import Type


def rewrite(network: Network) -> None:
    """All of them, in order."""
    split_concatenations(network)  # First: it is what single operations are fused in that can stay apart.
    compare_with_thresholds(network)
    fuse_operations(network)
    pool_in_maps(network)
    network.remove_dead()
    fuse_means(network)
    network.remove_dead()


def split_concatenations(network: Network) -> None:
    """Works on the parts of a concatenation rather than on the whole, where that can be done earlier.

    Operations on elements, means, signs and pooling do to each channel what they do to it alone, so
    f(concat(a, b)) = concat(f(a), f(b)). Where f(a) can be computed in the map that computes a, or long before b, a
    need not be read again, and need not be written if nobody else reads it. Otherwise one operation on the whole is
    faster than several on its parts, as is any on vectors. Signs are split only between whole words.
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

    def add_whole(parts: list[Value], whole: Value) -> None:
        # Whatever reads signs reads words.
        if whole.type != Type.SIGNS or all(part.channels % 32 == 0 for part in parts[:-1]):
            parts_of[whole] = parts
        add(Node("Concat", parts, whole))

    for node in network.nodes:
        split = [parts_of[value] for value in node.inputs if value in parts_of]
        if node.op == "Concat":
            parts = list(itertools.chain.from_iterable(parts_of.get(value, [value]) for value in node.inputs))
            add_whole(parts, node.output)
            continue
        sizes = [part.channels for part in split[0]] if split else []
        spatial = (node.in_map or node.op == "Pool") and node.inputs[0].pixels > 1
        # Maps write signs by 16.
        if not spatial or not sizes or (node.op == "Pack" and any(size % 16 for size in sizes[:-1])):
            add(node)
            continue
        pieces: list[Node] = []
        views: list[Node] = []
        start = 0
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
        add_whole([piece.output for piece in pieces], node.output)
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


def pool_in_maps(network: Network) -> None:
    """Maps pool what they compute, 2x2 pixels each: what nobody else reads need not be written."""
    producers = network.producers()
    for node in network.nodes:
        source = producers.get(node.inputs[0])
        if source is None or source.op not in ELEMENTWISE or not pools_in_map(node):
            continue
        if node.attributes["mean"]:
            node.op = "MeanPool"
        else:
            least = np.maximum(node.attributes["bounds"][0], np.finfo(np.float32).min)
            node.op, node.inputs = "MaxPool", [node.inputs[0], vector(np.full(node.output.channels, least))]


def fuse_means(network: Network) -> None:
    """A binary convolution computes the mean of what PReLU and batch normalization make of its sums.

    f(x) = prelu(a x + b) is linear on both sides of the point z = -b / a. With c the last even number up to z and x
    even, max(x, z) = (1 - t) max(x, c) + t max(x, c + 2), where t = (z - c) / 2: so the mean of f takes three sums of
    whole numbers, which are exact in any order, and no float for each pixel.
    """
    producers = network.producers()
    nodes: list[Node] = []
    means: dict[Value, Node] = {}
    for node in network.nodes:
        source = producers.get(node.inputs[0])
        if node.op == "Sum" and source is not None and source.op in ("Affine", "AffinePrelu"):
            conv = producers.get(source.inputs[0])
            vectors = all(value.data is not None and value.pixels == 1 for value in source.inputs[1:])
            if vectors and conv is not None and conv.output not in means and _has_exact_sums(conv):
                mean = Node("Mean", [conv.output, *_factors(conv, source, node)], node.output)
                means[conv.output] = mean
                continue
        nodes.append(node)
    # Where its convolution is, so that nothing lies between the two.
    network.nodes = [each for node in nodes for each in (node, means.get(node.output)) if each is not None]


def _signs(conv):
    window = conv.attributes["window"]
    return window[0] * window[1] * conv.inputs[0].channels


def _has_exact_sums(conv):
    even = conv.op == "BinaryConv" and conv.inputs[0].channels % 2 == 0
    return even and conv.output.pixels * (_signs(conv) + 2) < 2**31


def _factors(conv, affine, total):
    """Corners and factors, see `Means` in native/kernels/kernels.h."""
    scale, shift, *slope, share = (value.data.astype(np.float64) for value in [*affine.inputs[1:], total.inputs[1]])
    slope = slope[0] if slope else np.ones_like(scale)
    most = _signs(conv)
    with np.errstate(divide="ignore", invalid="ignore"):
        point = np.where(scale == 0, -np.inf, -shift / scale)
    # f(x) = start + below x up to the point, and rest + above x beyond it.
    rises = (scale > 0) | ((scale == 0) & (shift >= 0))
    below, above = np.where(rises, slope * scale, scale), np.where(rises, scale, slope * scale)
    start, rest = np.where(rises, slope * shift, shift), np.where(rises, shift, slope * shift)
    within = (-most < point) & (point < most)
    point = np.where(within, point, np.where(point <= -most, -most, most))
    corner = np.floor(point / 2) * 2
    part = (point - corner) / 2
    bend = np.where(within, above - below, 0.0)
    first = np.where(within, below, np.where(point <= -most, above, below))
    constant = np.where(within | (point <= -most), rest, start)
    factors = share * np.stack([constant * conv.output.pixels, first, bend * (1 - part), bend * part])
    corners = Value(1, 1, len(corner), Type.INT16, data=corner.astype(np.int16))
    return corners, Value(2, 2, len(corner), data=factors.astype(np.float32))
