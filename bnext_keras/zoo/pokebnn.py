"""PokeBNN: a binary ResNet-50 without a single float multiplication in its shortcuts.

A *PokeConv* is a binary convolution with all that keeps its signal alive: two shortcuts that cost no weight (one around
itself, one, in a block's last convolution, around the whole block), a learned activation and a gate. The first layers
and the last have 8 bits, the gates 4.

Reference:
    Zhang, Zhang, Lew, "PokeBNN: A Binary Pursuit of Lightweight Accuracy", arXiv 2112.00133 (CVPR 2022), and its
    released JAX code.
"""

from typing import TYPE_CHECKING

from bnext_keras.layers import DPReLU, FitChannels, HardSigmoid, LowBitConv2D, LowBitDense, LowBitDepthwiseConv2D
from bnext_keras.models._common import is_small
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.quantizers import PokeKernelSign, PokeSign
from bnext_keras.roles import SQUEEZE_EXPAND, STEM
from bnext_keras.zoo._blocks import RESNET34, WIDTHS, Binary, Norm

import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

NORM = Norm(0.9, 1e-5)
BINARY = Binary(PokeSign, PokeKernelSign, clip=None)


@constructor(classes="imagenet")
def PokeBNN(width: float = 1.0, **options: "Unpack[Options]") -> tf.keras.Model:
    """PokeBNN of any width, 73.4% top-1 on ImageNet at 1, 65.2% at 0.5, 70.5% at 0.75, 75.6% at 1.4.

    At 1.4 the released code fails: the stem's 64 channels cannot be repeated to 356. Here the last repetition is cut, a
    choice of this project.

    Args:
        width: What the widths of ResNet-50's bottlenecks are multiplied with.
        **options: See below.

    Raises:
        ValueError: if the width leaves the gates no channels: below 0.125.
    """
    if width < 0.125:
        raise ValueError(f"width must be at least 0.125, got {width}")
    name = f"pokebnn_{width:g}x".replace(".", "_")
    return _pokebnn(width, Ends(PokeBNN, {"name": name, **options}))


def _pokebnn(width, ends):
    image = ends.image(8 if ends.is_small else 32)
    x = _stem(image)
    for stage, (number, filters) in enumerate(zip(RESNET34, WIDTHS, strict=True)):
        for i in range(number):
            x = _bottleneck(x, int(filters * width), f"stage{stage}_block{i}", 2 if stage > 0 and i == 0 else 1)
    return ends.model(x, lambda x: ends.classifier(x, layer=LowBitDense, bits=8))


def _stem(x):
    strides = 1 if is_small(x.shape[1:]) else 4
    x = LowBitConv2D(32, 4, strides=strides, padding="valid" if strides == 4 else "same", **_EIGHT, name="stem_conv")(x)
    x = DPReLU(name="stem_act")(NORM(x, "stem_bn"))
    x = LowBitDepthwiseConv2D(3, padding="same", depth_multiplier=2, **_EIGHT, name="stem_grouped")(x)
    return DPReLU(name="stem_grouped_act")(NORM(x, "stem_grouped_bn"))


_EIGHT = {"bits": 8, "use_bias": False, "role": STEM}


def _bottleneck(block_input, filters, name, strides):
    x = _poke_conv(block_input, None, filters, 1, f"{name}_1", 1)
    x = _poke_conv(x, None, filters, 3, f"{name}_2", strides)
    return _poke_conv(x, block_input, 4 * filters, 1, f"{name}_3", 1)


def _poke_conv(x, block_input, filters, kernel_size, name, strides):
    # Only the last convolution of a block has the long shortcut; it starts as that shortcut alone.
    is_last = block_input is not None
    y = BINARY(x, filters, kernel_size, f"{name}_conv", strides=strides)
    gamma = "zeros" if is_last else "ones"
    y = Layers.BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=f"{name}_bn1")(y)
    y = Layers.Add(name=f"{name}_local_add")([y, _fit(x, y, f"{name}_local")])
    if is_last:
        y = Layers.Add(name=f"{name}_long_add")([y, _fit(block_input, y, f"{name}_long", repeat=True)])
    y = DPReLU(name=f"{name}_act")(y)
    y = Layers.Multiply(name=f"{name}_gated")([y, _gate(x, filters, name)])
    return NORM(y, f"{name}_bn2")


def _fit(x, like, name, *, repeat=False):
    """A shortcut in the shape of what it is added to."""
    if x.shape[1:3] != like.shape[1:3]:
        # Divided by 9 everywhere, the border included, where Keras' own 'same' divides by what lies inside.
        x = Layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
        x = Layers.AveragePooling2D(3, strides=2, name=f"{name}_pool")(x)
    if x.shape[-1] == like.shape[-1]:
        return x
    return FitChannels(like.shape[-1], repeat=repeat, name=f"{name}_fit")(x)


def _gate(x, filters, name):
    """Squeeze-and-expand of 4 bits, which ends in a hard sigmoid."""
    options = {"bits": 4, "role": SQUEEZE_EXPAND}
    squeezed = Layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_gate_pool")(x)
    y = LowBitConv2D(x.shape[-1] // 8, 1, activation="relu", **options, name=f"{name}_gate_squeeze")(squeezed)
    y = LowBitConv2D(filters, 1, unsigned=True, **options, name=f"{name}_gate_expand")(y)
    return HardSigmoid(name=f"{name}_gate")(y)
