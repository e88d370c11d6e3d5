"""QuickNet: plain residual blocks, made to be fast in Larq Compute Engine.

A cheap stem, blocks of one binary convolution padded with ones, ReLU and batch normalization, and between sections a
max pool, a blur and a float 1x1 convolution that widens. No block changes its width, so no shortcut needs a
convolution.

Reference:
    Bannink et al., "Larq Compute Engine: Design, Benchmark, and Deploy State-of-the-Art Binarized Neural Networks",
    arXiv 2011.09398; Larq Zoo's networks, release 1.0, whose order of weights these share.
"""

from typing import TYPE_CHECKING

from bnext_keras.layers import BlurPool2D, DepthwiseConv2D
from bnext_keras.models._common import is_small
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.roles import OTHER, STEM
from bnext_keras.zoo._blocks import Binary, Norm, Residual, conv, relu, ste

import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

#: Channels and blocks of each section.
SECTIONS = {
    "QuickNetSmall": ((32, 64, 256, 512), (4, 4, 4, 4)),
    "QuickNet": ((64, 128, 256, 512), (4, 4, 4, 4)),
    "QuickNetLarge": ((64, 128, 256, 512), (6, 8, 12, 6)),
}

NORM = Norm(0.9, 1e-5)
BLOCK = Residual(Binary(ste(1.25), ste(1.25), clip=1.25, pad_value=1.0), NORM, between=("relu", "norm"))


@constructor(name="quicknet_small", classes="imagenet")
def QuickNetSmall(**options: "Unpack[Options]") -> tf.keras.Model:
    """QuickNet-Small, 59.4% top-1 on ImageNet."""
    return _quicknet(*SECTIONS["QuickNetSmall"], Ends(QuickNetSmall, options))


@constructor(name="quicknet", classes="imagenet")
def QuickNet(**options: "Unpack[Options]") -> tf.keras.Model:
    """QuickNet, 63.3% top-1 on ImageNet."""
    return _quicknet(*SECTIONS["QuickNet"], Ends(QuickNet, options))


@constructor(name="quicknet_large", classes="imagenet")
def QuickNetLarge(**options: "Unpack[Options]") -> tf.keras.Model:
    """QuickNet-Large, 66.9% top-1 on ImageNet."""
    return _quicknet(*SECTIONS["QuickNetLarge"], Ends(QuickNetLarge, options))


def _quicknet(widths, blocks, ends):
    image = ends.image(8 if ends.is_small else 32)
    x = _stem(image, widths[0])
    for section, (filters, number) in enumerate(zip(widths, blocks, strict=True)):
        if section > 0:
            x = _transition(x, filters, f"transition{section}")
        for i in range(number):
            x = BLOCK(x, filters, f"section{section}_block{i}")
    return ends.model(relu(x, "head_act"))


def _stem(x, filters):
    norm, bare = Norm(0.99, 1e-3), Norm(0.99, 1e-3, scale=False, center=False)
    strides = 1 if is_small(x.shape[1:]) else 2
    x = conv(x, filters // 4, 3, "stem_conv", strides=strides, kernel_initializer="he_normal", role=STEM)
    x = relu(norm(x, "stem_bn"), "stem_relu")
    x = DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False, role=STEM, name="stem_depthwise")(x)
    x = bare(x, "stem_depthwise_bn")
    x = conv(x, filters, 1, "stem_pointwise", kernel_initializer="he_normal", role=STEM)
    return norm(x, "stem_pointwise_bn")


def _transition(x, filters, name):
    x = relu(x, f"{name}_relu")
    x = Layers.MaxPooling2D(2, strides=1, name=f"{name}_pool")(x)
    x = BlurPool2D(strides=2, role=OTHER, name=f"{name}_blur")(x)
    x = conv(x, filters, 1, f"{name}_conv", kernel_initializer="he_normal")
    return NORM(x, f"{name}_bn")
