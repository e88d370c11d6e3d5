"""ABC-Net: a sum of many binary convolutions in the place of each float one.

By description: the paper's weights and code were not released, and two re-implementations do not reach its accuracy on
ImageNet. What the paper leaves open is decided as Bi-Real Net and XNOR-Net have it: float shortcuts behind an average
pool, a batch normalization before each convolution.

Reference:
    Lin, Zhao, Pan, "Towards Accurate Binary Convolutional Neural Network", arXiv 1711.11294 (NIPS 2017).
"""

from typing import Any

from bnext_keras.layers import MultiBaseConv2D
from bnext_keras.models._common import check_input_shape, imagenet_if_1000, is_small
from bnext_keras.zoo._blocks import PYTORCH, RESNET18, RESNET34, head, projection, relu, resnet_stem, stages

import tensorflow as tf

Layers = tf.keras.layers


def ABCResNet18(*, weight_bases: int = 5, activation_bases: int = 5, **kwargs: Any) -> tf.keras.Model:
    """ABC-Net in the shape of ResNet-18, by description.

    Takes the keyword arguments of every network, see `bnext_keras.zoo`, and these:

    Args:
        weight_bases: Binary kernels of each convolution.
        activation_bases: Signs of each input.
        **kwargs: The keyword arguments of every network.
    """
    options = imagenet_if_1000({"name": "abc_resnet18", **kwargs})
    return _abcnet(RESNET18, weight_bases, activation_bases, **options)


def ABCResNet34(*, weight_bases: int = 5, activation_bases: int = 5, **kwargs: Any) -> tf.keras.Model:
    """ABC-Net in the shape of ResNet-34, by description. Takes the arguments of `ABCResNet18`."""
    options = imagenet_if_1000({"name": "abc_resnet34", **kwargs})
    return _abcnet(RESNET34, weight_bases, activation_bases, **options)


def _abcnet(blocks, weight_bases, activation_bases, *, input_shape=(224, 224, 3), num_classes=1000, classes=None, name):
    check_input_shape(input_shape, 8 if is_small(input_shape) else 32)

    def block(x, filters, prefix, *, strides):
        y = PYTORCH(x, f"{prefix}_bn1")
        y = MultiBaseConv2D(filters, 3, weight_bases, activation_bases, strides, name=f"{prefix}_conv1")(y)
        y = PYTORCH(y, f"{prefix}_bn2")
        y = MultiBaseConv2D(filters, 3, weight_bases, activation_bases, name=f"{prefix}_conv2")(y)
        return Layers.Add(name=f"{prefix}_add")([y, projection(x, filters, PYTORCH, prefix, strides=strides)])

    image = tf.keras.Input(input_shape, name="image")
    x = resnet_stem(image, PYTORCH, relu)
    x = stages(x, blocks, block)
    x = PYTORCH(x, "head_bn")
    return tf.keras.Model(image, head(x, num_classes, classes, relu), name=name)
