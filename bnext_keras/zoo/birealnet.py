"""Bi-Real Net: a shortcut around every binary convolution, so that real values reach the end.

Nets of 18 and 34 layers are ResNets whose blocks have one 3x3 convolution each. Those of 50 and 152 layers are made of
bottlenecks with two streams: the wide one (`original` in the released code) that the head reads, and a narrow one that
goes around the first two convolutions of each bottleneck.

References:
    Liu et al., "Bi-Real Net", arXiv 1808.00278 (ECCV 2018), and "Bi-Real Net: Binarizing Deep Network Towards
    Real-Network Performance", arXiv 1811.01335 (IJCV 2019); its released PyTorch code.
    Larq Zoo's `BiRealNet`, whose order of weights `BiRealNet` shares.
"""

from typing import TYPE_CHECKING

from bnext_keras.layers import LeakyClip
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.zoo._blocks import PYTORCH, RESNET34, WIDTHS, Binary, Norm, Residual, conv, resnet_stem, stages

import larq as lq
import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

BINARY = Binary(lq.quantizers.ApproxSign, lq.quantizers.MagnitudeAwareSign)
BLOCKS = {18: (4, 4, 4, 4), 34: (6, 8, 12, 6), 50: RESNET34, 152: (3, 8, 36, 3)}


@constructor(name="birealnet", classes="imagenet")
def BiRealNet(**options: "Unpack[Options]") -> tf.keras.Model:
    """Larq Zoo's Bi-Real Net of 18 layers, 57.5% top-1 on ImageNet."""
    return _basic(BLOCKS[18], Norm(0.8, 1e-3), Ends(BiRealNet, options))


@constructor(name="birealnet18", classes="imagenet")
def BiRealNet18(**options: "Unpack[Options]") -> tf.keras.Model:
    """The authors' Bi-Real Net of 18 layers, 56.4% top-1 on ImageNet: `BiRealNet` with PyTorch's normalization."""
    return _basic(BLOCKS[18], PYTORCH, Ends(BiRealNet18, options))


@constructor(name="birealnet34", classes="imagenet")
def BiRealNet34(**options: "Unpack[Options]") -> tf.keras.Model:
    """Bi-Real Net of 34 layers, 62.2% top-1 on ImageNet."""
    return _basic(BLOCKS[34], PYTORCH, Ends(BiRealNet34, options))


@constructor(name="birealnet50", classes="imagenet")
def BiRealNet50(**options: "Unpack[Options]") -> tf.keras.Model:
    """Bi-Real Net of 50 layers, bottlenecks of two streams, 62.6% top-1 on ImageNet."""
    return _bottlenecks(BLOCKS[50], Ends(BiRealNet50, options))


@constructor(name="birealnet152", classes="imagenet")
def BiRealNet152(**options: "Unpack[Options]") -> tf.keras.Model:
    """Bi-Real Net of 152 layers: `BiRealNet50` with more blocks, by the paper's description; no code was released."""
    return _bottlenecks(BLOCKS[152], Ends(BiRealNet152, options))


def _basic(blocks, norm, ends):
    image = ends.image(8 if ends.is_small else 32)
    x = resnet_stem(image, norm)
    x = stages(x, blocks, Residual(BINARY, norm))
    return ends.model(x)


def _bottlenecks(blocks, ends):
    image = ends.image(8 if ends.is_small else 32)
    narrow, wide = None, resnet_stem(image, PYTORCH)
    for stage, (number, filters) in enumerate(zip(blocks, WIDTHS, strict=True)):
        for i in range(number):
            strides = 2 if stage > 0 and i == 0 else 1
            narrow, wide = _bottleneck(narrow, wide, filters, f"stage{stage}_block{i}", strides)
    return ends.model(wide)


def _bottleneck(narrow, wide, filters, name, strides):
    """The two streams behind three convolutions; the first block has no narrow stream, and its first one is float."""
    if narrow is None:
        y = conv(LeakyClip(name=f"{name}_leaky_clip")(wide), filters, 1, f"{name}_conv1")
        first = PYTORCH(y, f"{name}_bn1")
    else:
        y = PYTORCH(BINARY(wide, filters, 1, f"{name}_conv1"), f"{name}_bn1")
        if narrow.shape[-1] != filters:
            narrow = conv(narrow, filters, 1, f"{name}_narrow_conv")
        first = Layers.Add(name=f"{name}_add1")([y, narrow])

    y = PYTORCH(BINARY(first, filters, 3, f"{name}_conv2", strides=strides), f"{name}_bn2")
    around = first if strides == 1 else Layers.AveragePooling2D(2, padding="same", name=f"{name}_pool")(first)
    second = Layers.Add(name=f"{name}_add2")([y, around])

    y = PYTORCH(BINARY(second, 4 * filters, 1, f"{name}_conv3"), f"{name}_bn3")
    if wide.shape[-1] != 4 * filters:
        if strides > 1:
            wide = Layers.AveragePooling2D(2, padding="same", name=f"{name}_shortcut_pool")(wide)
        wide = PYTORCH(conv(wide, 4 * filters, 1, f"{name}_shortcut_conv"), f"{name}_shortcut_bn")
    return second, Layers.Add(name=f"{name}_add3")([y, wide])
