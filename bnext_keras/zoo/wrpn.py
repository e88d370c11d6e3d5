"""WRPN: a plain residual network that is wider, since it is cheaper: activations of 0 and 1, kernels of one bit.

By description: no weights were published, and the code of others has neither the one-bit case nor the widening.

An activation is ``a = round(clip(x, 0, 1))``, with a gradient of 1 inside. With ``u = 2 x - 1`` it is
``(sign(u) + 1) / 2``, so a convolution of it is, padding and all, half of one of signs that is padded with -1, plus
half the sum of the kernel:

    conv_0(a) = (conv_{-1}(sign(u)) + sum(W)) / 2

A batch normalization follows, which takes both away. So these networks are written with signs, and Larq Compute Engine
runs them. (At exactly x = 1/2 the sign gives 1, rounding to even 0.)

Reference:
    Mishra, Nurvitadhi, Cook, Marr, "WRPN: Wide Reduced-Precision Networks", arXiv 1709.01134.
"""

from typing import TYPE_CHECKING

from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.zoo._blocks import PYTORCH, RESNET18, RESNET34, WIDTHS, Binary, resnet_stem, stages, ste

import larq as lq
import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

#: The sign of ``2 x - 1``: its gradient of 1 where ``|2 x - 1| <= 1`` is 2, with that factor, where ``0 <= x <= 1``.
BINARY = Binary(ste(1.0), lq.quantizers.MagnitudeAwareSign, pad_value=-1.0)


@constructor(name="wrpn_resnet18", classes="imagenet")
def WRPNResNet18(width: float = 1, **options: "Unpack[Options]") -> tf.keras.Model:
    """WRPN in the shape of ResNet-18, by description. Takes the arguments of `WRPNResNet34`."""
    return _wrpn(RESNET18, width, Ends(WRPNResNet18, options))


@constructor(name="wrpn_resnet34", classes="imagenet")
def WRPNResNet34(width: float = 1, **options: "Unpack[Options]") -> tf.keras.Model:
    """WRPN in the shape of ResNet-34, by description.

    Args:
        width: What the number of filters of every layer is multiplied with: 1, 2 or 3 in the paper.
        **options: See below.
    """
    return _wrpn(RESNET34, width, Ends(WRPNResNet34, options))


def _wrpn(blocks, width, ends):
    widths = [int(width * filters) for filters in WIDTHS]
    image = ends.image(8 if ends.is_small else 32)
    x = resnet_stem(image, PYTORCH, filters=widths[0])
    x = stages(x, blocks, _block, widths)
    return ends.model(_activation(x, "head"))


def _block(x, filters, name, *, strides):
    """A plain residual block; ``x`` is not activated yet."""
    y = PYTORCH(BINARY(_centred(x, f"{name}_centred1"), filters, 3, f"{name}_conv1", strides=strides), f"{name}_bn1")
    y = PYTORCH(BINARY(_centred(y, f"{name}_centred2"), filters, 3, f"{name}_conv2"), f"{name}_bn2")
    if filters == x.shape[-1] and strides == 1:
        shortcut = _activation(x, f"{name}_shortcut")
    else:
        # Only the first and the last layer are float.
        shortcut = BINARY(_centred(x, f"{name}_shortcut"), filters, 1, f"{name}_shortcut_conv", strides=strides)
        shortcut = PYTORCH(shortcut, f"{name}_shortcut_bn")
    return Layers.Add(name=f"{name}_add")([y, shortcut])


def _centred(x, name):
    return Layers.Rescaling(2.0, -1.0, name=name)(x)


def _activation(x, name):
    """0 and 1, where no convolution takes the sign."""
    signs = lq.quantizers.SteSign(clip_value=1.0, name=f"{name}_sign")(_centred(x, f"{name}_centred"))
    return Layers.Rescaling(0.5, 0.5, name=f"{name}_act")(signs)
