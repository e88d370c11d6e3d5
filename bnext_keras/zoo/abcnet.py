"""ABC-Net: a sum of many binary convolutions in the place of each float one.

By description: the paper's weights and code were not released, and two re-implementations do not reach its accuracy on
ImageNet. What the paper leaves open is decided as Bi-Real Net and XNOR-Net have it: float shortcuts behind an average
pool, a batch normalization before each convolution.

Reference:
    Lin, Zhao, Pan, "Towards Accurate Binary Convolutional Neural Network", arXiv 1711.11294 (NIPS 2017).
"""

from typing import TYPE_CHECKING

from bnext_keras.layers import MultiBaseConv2D
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.zoo._blocks import PYTORCH, RESNET18, RESNET34, projection, relu, resnet_stem, stages

import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers


@constructor(name="abc_resnet18", classes="imagenet")
def ABCResNet18(*, weight_bases: int = 5, activation_bases: int = 5, **options: "Unpack[Options]") -> tf.keras.Model:
    """ABC-Net in the shape of ResNet-18, by description.

    Args:
        weight_bases: Binary kernels of each convolution.
        activation_bases: Signs of each input.
        **options: See below.
    """
    return _abcnet(RESNET18, weight_bases, activation_bases, Ends(ABCResNet18, options))


@constructor(name="abc_resnet34", classes="imagenet")
def ABCResNet34(*, weight_bases: int = 5, activation_bases: int = 5, **options: "Unpack[Options]") -> tf.keras.Model:
    """ABC-Net in the shape of ResNet-34, by description. Takes the arguments of `ABCResNet18`."""
    return _abcnet(RESNET34, weight_bases, activation_bases, Ends(ABCResNet34, options))


def _abcnet(blocks, weight_bases, activation_bases, ends):
    def block(x, filters, prefix, *, strides):
        y = PYTORCH(x, f"{prefix}_bn1")
        y = MultiBaseConv2D(filters, 3, weight_bases, activation_bases, strides, name=f"{prefix}_conv1")(y)
        y = PYTORCH(y, f"{prefix}_bn2")
        y = MultiBaseConv2D(filters, 3, weight_bases, activation_bases, name=f"{prefix}_conv2")(y)
        return Layers.Add(name=f"{prefix}_add")([y, projection(x, filters, PYTORCH, prefix, strides=strides)])

    image = ends.image(8 if ends.is_small else 32)
    x = resnet_stem(image, PYTORCH, relu)
    x = stages(x, blocks, block)
    x = PYTORCH(x, "head_bn")
    return ends.model(relu(x, "head_act"))
