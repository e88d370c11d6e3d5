"""What is done to an image before its first convolution goes into that convolution."""

import numpy as np

from converter.graph import Graph, Node
from converter.passes._match import INPUT_CHANNELS, scaled_kernel, with_constant

#: Operators that move pixels: every factor of a channel passes them.
_MOVING = ("Pad", "ReverseV2")


def fold_normalization(graph: Graph) -> None:
    """The factors that an image is normalized with go into the first kernel, and the offsets where that is not padded.

    Proof: for ``a != 0``, ``a x + b = a (x + b / a)``, and ``conv(a y, W) = conv(y, a W)`` with a along the kernel's
    input channels, whatever pads y with zeros: ``a pad(y) = pad(a y)``. Without padding every position sees the same
    taps, so ``conv(x + d, W) = conv(x, W) + sum(W d)``, which a convolution takes over as its bias.

    Limits: a zero of the padding stands for an average pixel, not for a black one. So before a padded convolution the
    offset stays, as one addition on the image. Values that others read stay as they are. A kernel that was trained in
    few bits takes no factors that differ (`converter.passes._match.scaled_kernel`); they stay on the image then.
    """
    for node in graph.nodes():
        if node.op not in INPUT_CHANNELS or node.inputs[1].op != "Const" or node.attribute("data_format") == "NCHW":
            continue
        path: list[Node] = []
        x = node.inputs[0]
        while x.op in _MOVING and _keeps_channels(x) and graph.has_one_user(x):
            path.append(x)
            x = x.inputs[0]
        image, factors, offsets = _affine(graph, x)
        if image is x or not _is_image(image) or not factors.all():
            continue
        kernel = scaled_kernel(node, factors)
        if kernel is None:
            continue
        shift = offsets / factors
        is_padded = node.attribute("padding") not in (None, "VALID") or any(step.op == "Pad" for step in path)
        if (factors == 1).all() and (is_padded or not shift.any()):
            continue
        y = graph.add(image, shift) if is_padded and shift.any() else image
        for step in reversed(path):
            y = step.copy([y, *step.inputs[1:]])
        new = node.copy([y, kernel])
        if shift.any() and not is_padded:
            new = graph.add(new, _sums(node, kernel.value, shift))
        graph.replace(node, new)


def _affine(graph: Graph, x: Node) -> tuple[Node, np.ndarray, np.ndarray]:
    """What ``a x + b`` is made of, with ones and zeros for what it lacks; x itself if it is something else."""
    channels = x.channels if x.rank else 0
    factors, offsets = np.ones(channels), np.zeros(channels)
    if (total := with_constant(x, "AddV2")) and graph.has_one_user(x):
        x, offsets = total
    if (product := with_constant(x, "Mul")) and graph.has_one_user(x):
        x, factors = product
    return x, factors, offsets


def _is_image(x: Node) -> bool:
    """Whether a node is the input, or that as floats."""
    while x.op == "Cast" or (x.op in _MOVING and _keeps_channels(x)):
        x = x.inputs[0]
    return x.op == "Input"


def _keeps_channels(node: Node) -> bool:
    places = node.inputs[1]
    if places.op != "Const" or node.rank != 4:
        return False
    if node.op == "Pad":
        return not places.value[-1].any()
    return 3 not in places.value.ravel() % 4


def _sums(node: Node, kernel: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """What a constant image adds to each filter's result."""
    if node.op == "MatMul":
        return shift @ kernel
    weighted = kernel * shift[:, np.newaxis]
    if node.op == "DepthwiseConv2dNative":
        return weighted.sum(axis=(0, 1)).ravel()
    return weighted.sum(axis=(0, 1, 2))
