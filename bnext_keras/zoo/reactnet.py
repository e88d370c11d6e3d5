"""ReActNet: learned thresholds before every sign, and learned shifts around every PReLU.

`ReActNetA` is MobileNet without depthwise convolutions, the shape that BNext has taken over: a 3x3 and a 1x1 binary
convolution in turn, each with a shortcut; twice the channels come from two 1x1 convolutions side by side.
`ReActResNet18` has the same things in the shape of Bi-Real Net.

Reference:
    Liu et al., "ReActNet: Towards Precise Binary Neural Network with Generalized Activation Functions",
    arXiv 2003.03488 (ECCV 2020), and its released PyTorch code.
"""

from typing import TYPE_CHECKING

from bnext_keras.layers import LearnableBias, SplitChannels
from bnext_keras.models.bnext import WIDTHS
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.roles import STEM
from bnext_keras.zoo._blocks import PYTORCH, Residual, conv, resnet_stem, rprelu, stages
from bnext_keras.zoo.birealnet import BINARY

import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

RESIDUAL = Residual(BINARY, PYTORCH, before="bias", rprelu=True)


@constructor(name="reactnet_a", classes="imagenet")
def ReActNetA(**options: "Unpack[Options]") -> tf.keras.Model:
    """ReActNet-A, 69.5% top-1 on ImageNet (69.4% in the paper).

    Small images need sides divisible by 16.
    """
    return _reactnet("binary", Ends(ReActNetA, options))


@constructor(name="reactnet_b", classes="imagenet")
def ReActNetB(**options: "Unpack[Options]") -> tf.keras.Model:
    """ReActNet-B, by the paper's description: `ReActNetA` whose widening 1x1 convolutions are float, of four groups.

    No code was released. The paper states 1.63e8 operations, this network has 1.17e8.
    """
    return _reactnet("grouped", Ends(ReActNetB, options))


@constructor(name="reactnet_c", classes="imagenet")
def ReActNetC(**options: "Unpack[Options]") -> tf.keras.Model:
    """ReActNet-C, by the paper's description: `ReActNetA` whose widening 1x1 convolutions are float.

    No code was released; its operations are those that the paper states.
    """
    return _reactnet("full", Ends(ReActNetC, options))


@constructor(name="react_resnet18", classes="imagenet")
def ReActResNet18(**options: "Unpack[Options]") -> tf.keras.Model:
    """ReActNet in the shape of ResNet-18, 65.9% top-1 on ImageNet (65.5% in the paper)."""
    return _resnet(Ends(ReActResNet18, options))


def _reactnet(widening, ends):
    stem_stride = 1 if ends.is_small else 2
    widths = WIDTHS["BNextTiny"]
    image = ends.image(16 * stem_stride)
    x = conv(image, widths[0], 3, "stem_conv", strides=stem_stride, role=STEM)
    x = PYTORCH(x, "stem_bn")
    for i, filters in enumerate(widths[1:], start=1):
        # The first block widens at full resolution.
        strides = 2 if i > 1 and filters != x.shape[-1] else 1
        x = RESIDUAL(x, x.shape[-1], f"block{i}_3x3", strides=strides)
        x = _pointwise(x, filters, widening, f"block{i}_1x1")
    return ends.model(x)


def _pointwise(x, filters, widening, name):
    """The 1x1 half of a block. Twice the channels come from two convolutions side by side, which read the same signs.

    These are ``"binary"``, or else float: of four groups, ``"grouped"``, or of one, ``"full"``.
    """
    if filters == x.shape[-1]:
        y = BINARY(LearnableBias(name=f"{name}_threshold")(x), filters, 1, f"{name}_conv")
        y = Layers.Add(name=f"{name}_add")([PYTORCH(y, f"{name}_bn"), x])
        return rprelu(y, name)
    source = LearnableBias(name=f"{name}_threshold")(x) if widening == "binary" else x
    halves = []
    for half in "ab":
        if widening == "binary":
            y = BINARY(source, x.shape[-1], 1, f"{name}{half}_conv")
        else:
            y = _float_pointwise(source, 4 if widening == "grouped" else 1, f"{name}{half}_conv")
        halves.append(Layers.Add(name=f"{name}{half}_add")([PYTORCH(y, f"{name}{half}_bn"), x]))
    return rprelu(Layers.Concatenate(name=f"{name}_concat")(halves), name)


def _float_pointwise(x, groups, name):
    filters = x.shape[-1]
    if groups == 1:
        return conv(x, filters, 1, name)
    parts = SplitChannels(groups, name=f"{name}_split")(x)
    parts = [conv(part, filters // groups, 1, f"{name}{i}") for i, part in enumerate(parts)]
    return Layers.Concatenate(name=f"{name}_concat")(parts)


def _resnet(ends):
    image = ends.image(8 if ends.is_small else 32)
    x = resnet_stem(image, PYTORCH)
    x = stages(x, (4, 4, 4, 4), RESIDUAL)
    return ends.model(x)
