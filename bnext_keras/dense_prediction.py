"""Detectors and decoders on the feature maps of a network: binary 3x3 convolutions, and float 1x1 ones for the answers.

They stand on `bnext_keras.features`, whatever network that is of:

>>> import bnext_keras
>>> network = bnext_keras.models.BNext([32, 32, 64, 128], input_shape=(64, 64, 3), stem_stride=2, include_top=False)
>>> backbone = bnext_keras.features(network)
>>> {name: tuple(output.shape[1:]) for name, output in detector(backbone, 3).output.items()}
{'scores_P2': (16, 16, 3), 'boxes_P2': (16, 16, 4), 'scores_P3': (8, 8, 3), 'boxes_P3': (8, 8, 4)}
>>> segmenter(backbone, 4).output_shape
(None, 64, 64, 4)

Nothing in them but convolutions, sums and moved pixels: Larq Compute Engine and this project's engine run all of it.
"""

from collections.abc import Sequence
from math import log

from bnext_keras.layers import BinaryConv2D, Conv2D, LearnableBias
from bnext_keras.models._common import batch_norm
from bnext_keras.roles import HEAD

import tensorflow as tf

Layers = tf.keras.layers

#: Probability of an object that a new detector gives every place: so the many places without one do not drown the few.
PRIOR = 0.01


def binary_block(x: tf.Tensor, name: str, dilation: int = 1) -> tf.Tensor:
    """A binary 3x3 convolution with its threshold, normalization and PReLU, added to what it reads.

    Args:
        x: A feature map ``(batch, height, width, channels)``.
        name: What the names of its layers begin with.
        dilation: Distance of the taps of its kernel: it looks ``dilation`` pixels far.

    Reference:
        The shortcut around every binary convolution is that of Bi-Real Net, arXiv 1808.00278; threshold and PReLU are
        those of ReActNet, arXiv 2003.03488.
    """
    y = LearnableBias(name=f"{name}_bias")(x)
    y = BinaryConv2D(x.shape[-1], 3, dilation_rate=dilation, name=f"{name}_conv")(y)
    y = batch_norm(f"{name}_bn")(y)
    y = Layers.PReLU(shared_axes=[1, 2], alpha_initializer=tf.keras.initializers.Constant(0.25), name=f"{name}_prelu")(
        y
    )
    return Layers.Add(name=f"{name}_add")([x, y])


def detector(
    backbone: tf.keras.Model, classes: int, *, boxes: int = 1, depth: int = 2, name: str | None = None
) -> tf.keras.Model:
    """A single-shot detector: scores of classes and offsets of boxes at every place of every map.

    Each map goes through binary blocks of its own, then through two float 1x1 convolutions. What the offsets mean, and
    the default boxes that they belong to, are for the loss to say; ``examples/detector.py`` has SSD's.

    Args:
        backbone: A model from an image to a dictionary of feature maps, as `bnext_keras.features` makes it.
        classes: Number of classes; that there is nothing is none of them.
        boxes: Number of default boxes at each place.
        depth: Number of binary blocks for each map.
        name: Name of the model.

    Returns:
        A model to a dictionary. For each map, ``"P3"`` say, it has the logits ``"scores_P3"``, of ``boxes * classes``
        channels, and the offsets ``"boxes_P3"``, of ``boxes * 4``.

    Raises:
        ValueError: if the backbone does not return a dictionary of maps.

    Reference:
        Liu et al., "SSD: Single Shot MultiBox Detector", arXiv 1512.02325; the bias of the scores: Lin et al., "Focal
        Loss for Dense Object Detection", arXiv 1708.02002, section 4.1.
    """
    outputs = {}
    prior = tf.keras.initializers.Constant(-log((1 - PRIOR) / PRIOR))
    for level, x in _maps(backbone).items():
        for i in range(depth):
            x = binary_block(x, f"detector_{level}_block{i}")
        outputs[f"scores_{level}"] = Conv2D(
            boxes * classes, 1, bias_initializer=prior, role=HEAD, name=f"scores_{level}"
        )(x)
        outputs[f"boxes_{level}"] = Conv2D(boxes * 4, 1, role=HEAD, name=f"boxes_{level}")(x)
    return tf.keras.Model(backbone.inputs, outputs, name=name or f"{backbone.name}_detector")


def segmenter(
    backbone: tf.keras.Model, classes: int, *, dilations: Sequence[int] = (1, 2, 4), name: str | None = None
) -> tf.keras.Model:
    """A light decoder: logits of classes for every pixel of the image.

    The coarsest map goes through binary blocks of growing dilation, which see more and more of the image. Then it is
    brought to the size of the next finer one, added to it, and goes through another binary block, and so on. Sizes grow
    by moving channels to pixels, behind a float 1x1 convolution.

    Args:
        backbone: A model from an image to a dictionary of feature maps, as `bnext_keras.features` makes it, each half
            as large as the one before.
        classes: Number of classes, the background among them.
        dilations: Those of the blocks for the coarsest map.
        name: Name of the model.

    Returns:
        A model to ``(batch, height, width, classes)``, of the image's own size.

    Raises:
        ValueError: if the backbone does not return a dictionary of such maps.

    Reference:
        Yu and Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", arXiv 1511.07122; Shi et al.,
        "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN", arXiv 1609.05158.
    """
    maps = _maps(backbone)
    coarsest, *finer = sorted(maps, key=lambda level: maps[level].shape[1])
    x = maps[coarsest]
    for dilation in dilations:
        x = binary_block(x, f"segmenter_{coarsest}_dilated{dilation}", dilation)
    for level in finer:
        map = maps[level]
        x = _enlarged(x, map.shape[-1], _factor(backbone, map, x), f"segmenter_{level}_up")
        x = Layers.Add(name=f"segmenter_{level}_sum")([x, map])
        x = binary_block(x, f"segmenter_{level}_block")
    x = _enlarged(x, classes, _factor(backbone, backbone.inputs[0], x), "segmenter_classes", role=HEAD)
    return tf.keras.Model(backbone.inputs, x, name=name or f"{backbone.name}_segmenter")


def _maps(backbone):
    maps = backbone.output
    if not isinstance(maps, dict) or any(len(map.shape) != 4 or None in map.shape[1:] for map in maps.values()):
        raise ValueError(f"model '{backbone.name}' must return a dictionary of maps, as bnext_keras.features makes it")
    return maps


def _factor(backbone, larger, smaller):
    factor = larger.shape[1] // smaller.shape[1]
    if any(factor * small != large for small, large in zip(smaller.shape[1:3], larger.shape[1:3], strict=True)):
        raise ValueError(
            f"model '{backbone.name}' has maps of {smaller.shape[1]} x {smaller.shape[2]} and {larger.shape[1]} x "
            f"{larger.shape[2]} pixels; the larger must be a multiple of the smaller"
        )
    return factor


def _enlarged(x, channels, factor, name, **options):
    """A map of factor^2 as many pixels: each is a part of the channels of the one in its place."""
    x = Conv2D(channels * factor**2, 1, name=f"{name}_conv", **options)(x)
    return tf.nn.depth_to_space(x, factor, name=name) if factor > 1 else x
