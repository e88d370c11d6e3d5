"""DoReFa-Net: one-bit kernels and activations of few bits. Larq Zoo's has two, which no binary engine runs on bits.

Reference:
    Zhou et al., "DoReFa-Net: Training Low Bitwidth Convolutional Neural Networks with Low Bitwidth Gradients",
    arXiv 1606.06160; Larq Zoo's `DoReFaNet`, whose order of weights this one shares.
"""

from functools import partial
from typing import TYPE_CHECKING

from bnext_keras.constraints import Unbounded
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.quantizers import KernelMeanSign
from bnext_keras.roles import STEM
from bnext_keras.zoo._blocks import Binary, Norm, check_is_large, conv

import larq as lq
import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

NORM = Norm(0.9, 1e-4, scale=False)
#: Activations of 0, 1/3, 2/3 and 1.
TWO_BITS = partial(lq.quantizers.DoReFa, k_bit=2)
BINARY = Binary(TWO_BITS, KernelMeanSign, clip=None)


@constructor(name="dorefanet", classes="imagenet")
def DoReFaNet(**options: "Unpack[Options]") -> tf.keras.Model:
    """Larq Zoo's DoReFa-Net, an AlexNet with activations of two bits, 53.4% top-1 on ImageNet.

    Larq Compute Engine and this project's engine have no activations of two bits: `bnext-convert` refuses it by the
    name of its first such layer.

    Raises:
        ValueError: if the images are small.
    """
    return _alexnet(Ends(DoReFaNet, options))


def _alexnet(ends):
    check_is_large(ends)
    x = conv(ends.image(), 96, 12, "conv0", strides=4, padding="valid", use_bias=True, role=STEM)
    x = _pool(_layer(x, 256, 5, "conv1"), "conv1", "same")
    x = _pool(_layer(x, 384, 3, "conv2"), "conv2", "same")
    x = _layer(x, 384, 3, "conv3")
    x = _pool(_layer(x, 256, 3, "conv4"), "conv4", "valid")
    return ends.model(x, lambda x: _top(x, ends))


def _top(x, ends):
    x = Layers.Flatten(name="flatten")(x)
    x = _dense(x, 4096, "dense0")
    x = _dense(x, 4096, "dense1")
    x = Layers.ReLU(max_value=1.0, name="head_clip")(x)
    return ends.logits(x)


def _layer(x, filters, kernel_size, name):
    return NORM(BINARY(x, filters, kernel_size, name), f"{name}_bn")


def _pool(x, name, padding):
    return Layers.MaxPooling2D(3, strides=2, padding=padding, name=f"{name}_pool")(x)


def _dense(x, units, name):
    options = {"kernel_quantizer": KernelMeanSign(), "use_bias": False, "kernel_constraint": Unbounded()}
    return NORM(lq.layers.QuantDense(units, input_quantizer=TWO_BITS(), **options, name=name)(x), f"{name}_bn")
