"""DoReFa-Net: one-bit kernels and activations of few bits. Larq Zoo's has two, which no binary engine runs on bits.

Reference:
    Zhou et al., "DoReFa-Net: Training Low Bitwidth Convolutional Neural Networks with Low Bitwidth Gradients",
    arXiv 1606.06160; Larq Zoo's `DoReFaNet`, whose order of weights this one shares.
"""

from functools import partial
from typing import Any

from bnext_keras.constraints import Unbounded
from bnext_keras.models._common import imagenet_if_1000, logits
from bnext_keras.quantizers import KernelMeanSign
from bnext_keras.roles import STEM
from bnext_keras.zoo._blocks import Binary, Norm, check_is_large, conv

import larq as lq
import tensorflow as tf

Layers = tf.keras.layers

NORM = Norm(0.9, 1e-4, scale=False)
#: Activations of 0, 1/3, 2/3 and 1.
TWO_BITS = partial(lq.quantizers.DoReFa, k_bit=2)
BINARY = Binary(TWO_BITS, KernelMeanSign, clip=None)


def DoReFaNet(**kwargs: Any) -> tf.keras.Model:
    """Larq Zoo's DoReFa-Net, an AlexNet with activations of two bits, 53.4% top-1 on ImageNet.

    Larq Compute Engine and this project's engine have no activations of two bits: `bnext-convert` refuses it by the
    name of its first such layer.

    Takes the keyword arguments of every network, see `bnext_keras.zoo`.

    Raises:
        ValueError: if the images are small.
    """
    return _alexnet(**imagenet_if_1000({"name": "dorefanet", **kwargs}))


def _alexnet(*, input_shape=(224, 224, 3), num_classes=1000, classes=None, name):
    check_is_large(input_shape, name)
    image = tf.keras.Input(input_shape, name="image")
    x = conv(image, 96, 12, "conv0", strides=4, padding="valid", use_bias=True, role=STEM)
    x = _pool(_layer(x, 256, 5, "conv1"), "conv1", "same")
    x = _pool(_layer(x, 384, 3, "conv2"), "conv2", "same")
    x = _layer(x, 384, 3, "conv3")
    x = _pool(_layer(x, 256, 3, "conv4"), "conv4", "valid")
    x = Layers.Flatten(name="flatten")(x)
    x = _dense(x, 4096, "dense0")
    x = _dense(x, 4096, "dense1")
    x = Layers.ReLU(max_value=1.0, name="head_clip")(x)
    return tf.keras.Model(image, logits(x, num_classes, "head", classes=classes), name=name)


def _layer(x, filters, kernel_size, name):
    return NORM(BINARY(x, filters, kernel_size, name), f"{name}_bn")


def _pool(x, name, padding):
    return Layers.MaxPooling2D(3, strides=2, padding=padding, name=f"{name}_pool")(x)


def _dense(x, units, name):
    options = {"kernel_quantizer": KernelMeanSign(), "use_bias": False, "kernel_constraint": Unbounded()}
    return NORM(lq.layers.QuantDense(units, input_quantizer=TWO_BITS(), **options, name=name)(x), f"{name}_bn")
