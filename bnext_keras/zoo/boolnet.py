"""BoolNet: no float values between blocks. What a network of signs alone, XNOR and OR can do.

A map is binary, of several *slices* that are the signs of one float map at different thresholds (`GhostSign`). A block
is two grouped binary convolutions, slice by slice. Shortcuts are no sums: the first is an XNOR, a product of signs, the
second an OR, their maximum. BaseNet is that; BoolNet widens the stream to twice the channels, of which each block
changes the first half and mixes both.

Reference:
    Guo et al., "BoolNet: Minimizing The Energy Consumption of Binary Neural Networks", arXiv 2106.06991, and its
    released PyTorch code.
"""

from typing import TYPE_CHECKING

from bnext_keras.constraints import Unbounded
from bnext_keras.layers import BinaryConv2D, DepthwiseConv2D, GhostSign, RepeatEdges, SplitChannels, TakeChannels
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.quantizers import AnnealedMeanSign
from bnext_keras.roles import STEM
from bnext_keras.zoo._blocks import PYTORCH, RESNET18, WIDTHS, prelu, resnet_stem

import larq as lq
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers


@constructor(name="basenet", classes="imagenet")
def BaseNet(*, slices: int = 4, **options: "Unpack[Options]") -> tf.keras.Model:
    """BaseNet, 55.1% top-1 on ImageNet with 4 slices, 48.9% with one.

    Args:
        slices: How many signs each channel has; 1 or an even number.
        **options: See below.
    """
    return _boolnet(slices, Ends(BaseNet, options), wide=False, keep=False)


@constructor(name="boolnet", classes="imagenet")
def BoolNet(*, slices: int = 4, **options: "Unpack[Options]") -> tf.keras.Model:
    """BoolNet, 57.6% top-1 on ImageNet with 4 slices.

    Args:
        slices: How many signs each channel has; an even number.
        **options: See below.
    """
    return _boolnet(slices, Ends(BoolNet, options), wide=True, keep=False)


@constructor(name="boolnet_star", classes="imagenet")
def BoolNetStar(*, slices: int = 4, **options: "Unpack[Options]") -> tf.keras.Model:
    """BoolNet*, whose last stage keeps its resolution and is dilated instead, 59.6% top-1 on ImageNet with 4 slices.

    Args:
        slices: How many signs each channel has; an even number.
        **options: See below.
    """
    return _boolnet(slices, Ends(BoolNetStar, options), wide=True, keep=True)


def _boolnet(slices, ends, *, wide, keep):
    image = ends.image((1 if ends.is_small else 4) * (4 if keep else 8))
    x = resnet_stem(image, PYTORCH)
    x = GhostSign(slices, name="stem_sign")(_two_paths(x) if wide else PYTORCH(x, "stem_bn2"))
    for stage, (number, filters) in enumerate(zip(RESNET18, WIDTHS, strict=True)):
        kept = keep and stage == len(WIDTHS) - 1
        for i in range(number):
            x = _block(
                x,
                filters,
                slices,
                f"stage{stage}_block{i}",
                strides=2 if stage > 0 and i == 0 and not kept else 1,
                rate=2 if kept and i > 0 else 1,
                widens=stage > 0 and i == 0,
                is_wide=wide and x.shape[-1] > slices * filters,
                interleaves=wide,
                is_last=(stage, i) == (len(WIDTHS) - 1, number - 1),
            )
    return ends.model(prelu(x, "head_act"))


def _two_paths(x):
    """BoolNet's stem ends in two normalizations, one behind a depthwise convolution."""
    y = PYTORCH(x, "stem_bn3")
    y = DepthwiseConv2D(3, padding="same", use_bias=False, role=STEM, name="stem_depthwise")(y)
    y = PYTORCH(y, "stem_depthwise_bn")
    return Layers.Add(name="stem_add")([PYTORCH(x, "stem_bn2"), y])


def _block(x, filters, slices, name, *, strides, rate, widens, is_wide, interleaves, is_last):
    rest = None
    if is_wide:
        x, rest = _halves(x, slices, name)
    shortcut = _shortcut(x, filters, slices, strides, name) if widens else x

    y = _sliced_conv(x, filters, slices, f"{name}_conv1", strides, rate)
    first = GhostSign(slices, name=f"{name}_sign1")(PYTORCH(y, f"{name}_bn1"))
    first = Layers.Multiply(name=f"{name}_xnor")([first, shortcut])

    y = PYTORCH(_sliced_conv(first, filters, slices, f"{name}_conv2", 1, rate), f"{name}_bn2")
    if is_last:
        parts = SplitChannels(slices, name=f"{name}_slices")(first) if slices > 1 else [first]
        mean = Layers.Average(name=f"{name}_mean")(parts) if slices > 1 else first
        return Layers.Add(name=f"{name}_add")([y, PYTORCH(mean, f"{name}_bn3")])
    second = GhostSign(slices, name=f"{name}_sign2")(y)
    out = Layers.Maximum(name=f"{name}_or")([second, shortcut])
    return _interleaved(out, shortcut if rest is None else rest, slices, name) if interleaves else out


def _shortcut(x, filters, slices, strides, name):
    """Reads every slice; the one convolution with a bias."""
    x = _binary_conv(x, filters, 1, f"{name}_shortcut_conv", use_bias=True)
    if strides > 1:
        x = Layers.MaxPooling2D(2, name=f"{name}_shortcut_pool")(x)
    return GhostSign(slices, name=f"{name}_shortcut_sign")(PYTORCH(x, f"{name}_shortcut_bn"))


def _sliced_conv(x, filters, slices, name, strides, rate):
    """A convolution of each slice by itself, behind a border that repeats the edge: zero is no sign."""
    # As 'same' pads: for a stride of 2 at the bottom and on the right only.
    before = rate if strides == 1 else 0
    x = RepeatEdges(((before, rate), (before, rate)), name=f"{name}_pad")(x)
    options = {"strides": strides, "dilation_rate": rate}
    if slices == 1:
        return _binary_conv(x, filters, 3, name, **options)
    parts = SplitChannels(slices, name=f"{name}_split")(x)
    parts = [_binary_conv(part, filters // slices, 3, f"{name}_{i}", **options) for i, part in enumerate(parts)]
    return Layers.Concatenate(name=f"{name}_concat")(parts)


def _binary_conv(x, filters, kernel_size, name, **options):
    quantizers = {"input_quantizer": lq.quantizers.SteSign(1.0), "kernel_quantizer": AnnealedMeanSign()}
    fixed = {"padding": "valid", "kernel_initializer": "glorot_normal", "kernel_constraint": Unbounded()}
    return BinaryConv2D(filters, kernel_size, **quantizers, **fixed, **options, name=name)(x)


def _halves(x, slices, name):
    """The first and the last channels of every slice."""
    channels = np.arange(x.shape[-1]).reshape(slices, 2, -1)
    first, last = (TakeChannels(channels[:, i].ravel(), name=f"{name}_half{i}")(x) for i in range(2))
    return first, last


def _interleaved(even, odd, slices, name):
    """Slice by slice, channels of the first map and of the second in turn."""
    x = Layers.Concatenate(name=f"{name}_both")([even, odd])
    order = np.arange(x.shape[-1]).reshape(2, slices, -1).transpose(1, 2, 0)
    return TakeChannels(order.ravel(), name=f"{name}_interleaved")(x)
