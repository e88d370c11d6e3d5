"""What the networks of the zoo are put together from: normalization, binary convolution, stem, residual block, head.

Most of them are residual networks with a shortcut around *every* binary convolution. These differ in what stands around
the convolution, which a `Residual` says in a line for each network:

==============  ===========  ============  ==================  =========  =====================  =================
network         before sign  sign          kernel              padding    between conv and sum   behind the sum
==============  ===========  ============  ==================  =========  =====================  =================
Bi-Real Net                  approximate   scaled              0          BN
ResNetE                      clip 1.25     clip 1.25           0          BN
ReAct-ResNet    bias         approximate   scaled              0          BN                     bias, PReLU, bias
Real-to-Binary  BN           clip 1        clip 1              0          gate, PReLU
QuickNet                     clip 1.25     clip 1.25           +1         ReLU, BN
==============  ===========  ============  ==================  =========  =====================  =================

*Clip c* is the sign with a gradient of 1 where ``|x| <= c``; *approximate* is Bi-Real Net's, ``2 - 2 |x|`` where
``|x| <= 1``; a *scaled* kernel is the sign of its latent weights times their mean magnitude, channel by channel.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bnext_keras.constraints import Unbounded
from bnext_keras.layers import Conv2D, Dense, LearnableBias
from bnext_keras.models._common import SMALL_IMAGE, is_small
from bnext_keras.roles import OTHER, SQUEEZE_EXPAND, STEM

import larq as lq
import tensorflow as tf

Layers = tf.keras.layers

#: Blocks of each stage of a ResNet, basic ones or, at 50 layers, bottlenecks like those of RESNET34.
RESNET18, RESNET34 = (2, 2, 2, 2), (3, 4, 6, 3)
#: Channels of each stage.
WIDTHS = (64, 128, 256, 512)


@dataclass(frozen=True)
class Norm:
    """A batch normalization of certain settings: ``norm(x, "name")``."""

    momentum: float = 0.9
    epsilon: float = 1e-5
    scale: bool = True
    center: bool = True

    def __call__(self, x, name):
        options = {"momentum": self.momentum, "epsilon": self.epsilon, "scale": self.scale, "center": self.center}
        return Layers.BatchNormalization(**options, name=name)(x)


#: PyTorch's defaults.
PYTORCH = Norm()


@dataclass(frozen=True)
class Binary:
    """A way of making convolutions binary: ``binary(x, filters, kernel_size, "name")``.

    Attributes:
        sign: Makes the quantizer of the input.
        kernel: Makes the quantizer of the kernel.
        clip: Latent weights are clipped to [-clip, clip]; None where nothing clips them.
        pad_value: What 'same' padding adds.
    """

    sign: Callable[[], Any]
    kernel: Callable[[], Any]
    clip: float | None = 1.0
    pad_value: float = 0.0

    def __call__(self, x, filters, kernel_size, name, **options):
        defaults = {
            "padding": "same",
            "pad_values": self.pad_value,
            "use_bias": False,
            "kernel_initializer": "glorot_normal",
            "kernel_constraint": Unbounded() if self.clip is None else lq.constraints.WeightClip(self.clip),
        }
        quantizers = {"input_quantizer": self.sign(), "kernel_quantizer": self.kernel()}
        return lq.layers.QuantConv2D(filters, kernel_size, **quantizers, **{**defaults, **options}, name=name)(x)


def ste(clip: float = 1.0) -> Callable[[], lq.quantizers.Quantizer]:
    """Makes signs with a gradient of 1 where ``|x| <= clip``."""
    return partial(lq.quantizers.SteSign, clip_value=clip)


@dataclass(frozen=True)
class Residual:
    """A binary 3x3 convolution with its shortcut: ``residual(x, filters, "name", strides=2)``.

    The shortcut reads the block's input as it is: through a 2x2 average pool if the stride is 2, then a float 1x1
    convolution and a batch normalization if the width changes.

    Attributes:
        binary: The convolution.
        norm: Settings of all batch normalizations of the block.
        before: What the sign is taken of: ``""`` for the input itself, ``"norm"`` for its normalization, ``"bias"`` for
            the input with a learned threshold for each channel.
        between: What happens to the result before it is added, in this order: any of ``"gate"``, ``"relu"``,
            ``"norm"``, ``"prelu"``. The gate is squeeze-and-expand of what the sign is taken of.
        rprelu: Whether a PReLU between two learned biases follows the sum, as in ReActNet.
    """

    binary: Binary
    norm: Norm
    before: str = ""
    between: Sequence[str] = ("norm",)
    rprelu: bool = False

    def __call__(self, x, filters, name, *, strides=1):
        signed = x
        if self.before == "norm":
            signed = self.norm(x, f"{name}_bn")
        elif self.before == "bias":
            signed = LearnableBias(name=f"{name}_threshold")(x)
        factor = gate(signed, filters, name) if "gate" in self.between else None
        y = self.binary(signed, filters, 3, f"{name}_conv", strides=strides)
        for step in self.between:
            if step == "gate":
                # The factor first: so Keras lists its layers before the convolution, as Real-to-Binary's files do.
                y = Layers.Multiply(name=f"{name}_gated")([factor, y])
            elif step == "relu":
                y = Layers.ReLU(name=f"{name}_relu")(y)
            elif step == "norm":
                y = self.norm(y, f"{name}_bn")
            else:
                y = prelu(y, f"{name}_prelu")
        # In this order Keras lists the layers as published files do: the main path's before the shortcut's.
        y = Layers.Add(name=f"{name}_add")([y, projection(x, filters, self.norm, name, strides=strides)])
        if self.rprelu:
            y = rprelu(y, name)
        return y


def projection(x, filters, norm, name, *, strides):
    """The shortcut of a residual block; the input itself where neither width nor resolution change."""
    if strides > 1:
        x = Layers.AveragePooling2D(strides, padding="same", name=f"{name}_shortcut_pool")(x)
    if filters == x.shape[-1]:
        return x
    x = conv(x, filters, 1, f"{name}_shortcut_conv")
    return norm(x, f"{name}_shortcut_bn")


def conv(x, filters, kernel_size, name, *, role=OTHER, **options):
    """A float convolution, 'same' and without bias unless the options say otherwise."""
    defaults = {"padding": "same", "use_bias": False, "kernel_initializer": "glorot_normal"}
    return Conv2D(filters, kernel_size, **{**defaults, **options}, role=role, name=name)(x)


def gate(x, filters, name):
    """One factor in (0, 1) for each image and channel: Real-to-Binary's squeeze-and-expand, without biases."""
    squeezed = Layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_gate_pool")(x)
    options = {"use_bias": False, "kernel_initializer": "he_normal", "role": SQUEEZE_EXPAND}
    hidden = Dense(x.shape[-1] // 8, activation="relu", **options, name=f"{name}_gate_squeeze")(squeezed)
    return Dense(filters, activation="sigmoid", **options, name=f"{name}_gate_expand")(hidden)


def prelu(x, name):
    """A PReLU with one slope for each channel."""
    initial = tf.keras.initializers.Constant(0.25)
    return Layers.PReLU(shared_axes=[1, 2], alpha_initializer=initial, name=name)(x)


def rprelu(x, name):
    """ReActNet's PReLU between two learned biases."""
    x = LearnableBias(name=f"{name}_bias1")(x)
    x = prelu(x, f"{name}_prelu")
    return LearnableBias(name=f"{name}_bias2")(x)


def resnet_stem(x, norm, activation=None, filters=64):
    """ResNet's 7x7 convolution and max pool; for small images a 3x3 convolution that keeps their resolution.

    Args:
        x: The image.
        norm: The batch normalization.
        activation: ``(x, name)`` to what stands behind it, if anything does.
        filters: Width.
    """
    small = is_small(x.shape[1:])
    x = conv(x, filters, 3 if small else 7, "stem_conv", strides=1 if small else 2, role=STEM)
    x = norm(x, "stem_bn")
    if activation is not None:
        x = activation(x, "stem_act")
    return x if small else Layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)


def relu(x, name):
    """A ReLU, in the form that `resnet_stem` takes."""
    return Layers.ReLU(name=name)(x)


def stages(x, blocks, block, widths=WIDTHS):
    """Residual stages: ``block(x, filters, name, strides=...)`` for each; all stages but the first halve the map."""
    for stage, (number, filters) in enumerate(zip(blocks, widths, strict=True)):
        for i in range(number):
            x = block(x, filters, f"stage{stage}_block{i}", strides=2 if stage > 0 and i == 0 else 1)
    return x


def check_is_large(ends):
    """Refuses images that the large kernels and pools of an AlexNet leave nothing of.

    Raises:
        ValueError: if they are small, or of unknown size.
    """
    if ends.is_small or None in ends.input_shape[:2]:
        raise ValueError(
            f"input_shape {ends.input_shape}: {ends.name}'s first layers and its flattened maps need a fixed size "
            f"above {SMALL_IMAGE} pixels"
        )
