"""XNOR-Net: kernels with a scale, and batch normalization before the sign.

The paper also scales activations, by a map of their means; neither the released code nor any network here does.

Reference:
    Rastegari et al., "XNOR-Net: ImageNet Classification Using Binary Convolutional Neural Networks", arXiv 1603.05279
    (ECCV 2016); Larq Zoo's `XNORNet`, whose order of weights `XNORNet` shares.
"""

from typing import TYPE_CHECKING

from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.quantizers import XnorSign
from bnext_keras.roles import STEM
from bnext_keras.zoo._blocks import (
    PYTORCH,
    RESNET18,
    Binary,
    Norm,
    check_is_large,
    conv,
    projection,
    relu,
    resnet_stem,
    stages,
    ste,
)

import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

BINARY = Binary(ste(1.0), XnorSign)


@constructor(name="xnornet", classes="imagenet")
def XNORNet(**options: "Unpack[Options]") -> tf.keras.Model:
    """Larq Zoo's XNOR-Net, an AlexNet, 45.0% top-1 on ImageNet.
    Its dense layers are written as convolutions, the first 6x6 pixels wide at 224x224.

    Raises:
        ValueError: if the images are small.
    """
    return _alexnet(Ends(XNORNet, options))


@constructor(name="xnor_resnet18", classes="imagenet")
def XNORResNet18(**options: "Unpack[Options]") -> tf.keras.Model:
    """XNOR-Net in the shape of ResNet-18, by description: no code was released, and no weights.

    Pre-activation blocks of two convolutions (batch normalization, sign, convolution) with one shortcut; the first, the
    last and the shortcuts' layers are float. The paper states 51.2% top-1 on ImageNet.
    """
    return _resnet(Ends(XNORResNet18, options))


def _alexnet(ends):
    check_is_large(ends)
    x = conv(ends.image(), 96, 11, "conv0", strides=4, role=STEM)
    x = relu(Norm(0.9, 1e-5, scale=False)(x, "conv0_bn"), "conv0_relu")
    x = _pool(x, "conv0")
    x = _layer(x, 256, 5, "conv1")
    x = _pool(x, "conv1")
    x = _layer(x, 384, 3, "conv2")
    x = _layer(x, 384, 3, "conv3")
    x = _layer(x, 256, 3, "conv4")
    return ends.model(_pool(x, "conv4"), lambda x: _top(x, ends))


def _top(x, ends):
    x = _layer(x, 4096, tuple(x.shape[1:3]), "dense0", padding="valid")
    x = _layer(x, 4096, 1, "dense1")
    x = relu(Norm(0.9, 1e-3, scale=False)(x, "head_bn"), "head_relu")
    x = Layers.Flatten(name="flatten")(x)
    return ends.logits(x, use_bias=False)


def _layer(x, filters, kernel_size, name, **options):
    x = Norm(0.9, 1e-4, scale=False)(x, f"{name}_bn")
    return BINARY(x, filters, kernel_size, name, **options)


def _pool(x, name):
    return Layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x)


def _resnet(ends):
    image = ends.image(8 if ends.is_small else 32)
    x = resnet_stem(image, PYTORCH, relu)
    x = stages(x, RESNET18, _block)
    x = PYTORCH(x, "head_bn")
    return ends.model(relu(x, "head_act"))


def _block(x, filters, name, *, strides):
    y = PYTORCH(x, f"{name}_bn1")
    y = BINARY(y, filters, 3, f"{name}_conv1", strides=strides)
    y = PYTORCH(y, f"{name}_bn2")
    y = BINARY(y, filters, 3, f"{name}_conv2")
    return Layers.Add(name=f"{name}_add")([y, projection(x, filters, PYTORCH, name, strides=strides)])
