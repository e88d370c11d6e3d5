"""Positive factors move through pooling and ReLUs into the next kernel."""

from converter.graph import Graph, Node
from converter.passes._match import (
    INPUT_CHANNELS,
    feeds_trained,
    gathers_channels,
    is_fused,
    is_mean,
    pools_evenly,
    scaled_kernel,
    splits_channels,
    takes_factors,
    with_constant,
)


def move_scales(graph: Graph) -> None:
    """A multiplication by positive constants moves on until a kernel takes it over.

    What a batch normalization adds goes with it behind a pooling, where there are fewer pixels.

    Proof: for ``a > 0``, ``max(a x) = a max(x)``, ``relu(a x + b) = a relu(x + b / a)``, and the same for PReLU;
    ``max(x + b) = max(x) + b`` for all b; means are linear, for all a; ``conv(a x, W) = conv(x, a W)`` with a along the
    kernel's input channels, whatever the padding, for it is zero.

    Limits: only where nobody else reads the value between, and not where the multiplication costs nothing anyway, being
    part of the convolution before it. A channel with gamma <= 0 keeps the multiplication where it was. So does what a
    kernel reads that was trained in few bits: right before a dense layer LCE's compiler would fold it into the kernel,
    which then is not what was trained (`converter.quantization.trained`).
    """
    graph.rewrite(_move)


def _move(graph, node):
    """Moves what is before a node behind it or into its kernel; says whether it did."""
    source = node.inputs[1 if node.op == "Split" else 0] if node.inputs else None
    if source is None or is_fused(graph, source):
        return False
    # A mean leaves so little to compute that others may read the map as well.
    if not graph.has_one_user(source) and not (source.is_map and not node.is_map and _is_linear(node)):
        return False
    product, total = with_constant(source, "Mul"), with_constant(source, "AddV2")
    if total and (node.op == "MaxPool" or _is_linear(node)):
        new = graph.add(_on(node, total[0]), total[1])
    elif product and node.op == "MaxPool" and (product[1] > 0).all():
        new = graph.multiply(_on(node, product[0]), product[1])
    elif node.op in ("Relu", "PRelu") and _ends_in_kernel(graph, node):
        product = with_constant(total[0], "Mul") if total and graph.has_one_user(total[0]) else product
        if not product or not (product[1] > 0).all():
            return False
        x = graph.add(product[0], total[1] / product[1]) if total else product[0]
        new = graph.multiply(_on(node, x), product[1])
    elif product and node.op == "Split":
        return _move_through_split(graph, node, *product)
    elif product and node.op == "GatherV2" and gathers_channels(node) and _ends_in_kernel(graph, node):
        new = graph.multiply(_on(node, product[0]), product[1][node.inputs[1].value])
    elif product and _is_linear(node) and not feeds_trained(graph, node):
        new = graph.multiply(_on(node, product[0]), product[1])
    elif product and node.op in INPUT_CHANNELS and node.inputs[1].op == "Const":
        kernel = scaled_kernel(node, product[1])
        if kernel is None:
            return False
        new = node.copy([product[0], kernel])
    else:
        return False
    graph.replace(node, new)
    return True


def _move_through_split(graph, split, x, factors):
    items = graph.users(split)
    if not splits_channels(split) or not all(_ends_in_kernel(graph, item) for item in items):
        return False
    new_split = split.copy([split.inputs[0], x])
    for item in items:
        part = factors[item.attribute("index") * item.channels :][: item.channels]
        graph.replace(item, graph.multiply(item.copy([new_split]), part))
    return True


def _is_linear(node):
    """Whether a node makes fewer pixels or a vector of a map in a way that any factor passes, negative ones too."""
    if node.op == "Reshape":
        return node.size == node.channels == node.inputs[0].channels and node.inputs[1].op == "Const"
    return is_mean(node) or (node.op == "AvgPool" and pools_evenly(node))


def _on(node: Node, x: Node) -> Node:
    """The same operator on another first input."""
    return node.copy([x, *node.inputs[1:]])


def _ends_in_kernel(graph, node):
    """Whether a kernel would take a factor behind a node over in the end."""
    if not graph.has_one_user(node):
        return False
    user = graph.users(node)[0]
    if user.op in INPUT_CHANNELS:
        return takes_factors(user) and user.inputs[0] is node
    if user.op == "Split":
        return splits_channels(user) and all(_ends_in_kernel(graph, item) for item in graph.users(user))
    passes = _is_linear(user) or user.op == "MaxPool" or (user.op == "GatherV2" and gathers_channels(user))
    return passes and _ends_in_kernel(graph, user)
