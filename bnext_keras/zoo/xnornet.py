"""XNOR-Net: kernels with a scale, and batch normalization before the sign.

The paper also scales activations, by a map of their means; neither the released code nor any network here does.

Reference:
    Rastegari et al., "XNOR-Net: ImageNet Classification Using Binary Convolutional Neural Networks", arXiv 1603.05279
    (ECCV 2016); Larq Zoo's `XNORNet`, whose order of weights `XNORNet` shares.
"""

from typing import Any

from bnext_keras.layers import Dense
from bnext_keras.models._common import check_input_shape, imagenet_if_1000, is_small
from bnext_keras.quantizers import XnorSign
from bnext_keras.roles import HEAD, STEM
from bnext_keras.zoo._blocks import (
    PYTORCH,
    RESNET18,
    Binary,
    Norm,
    check_is_large,
    conv,
    head,
    projection,
    relu,
    resnet_stem,
    stages,
    ste,
)

import tensorflow as tf

Layers = tf.keras.layers

BINARY = Binary(ste(1.0), XnorSign)


def XNORNet(**kwargs: Any) -> tf.keras.Model:
    """Larq Zoo's XNOR-Net, an AlexNet, 45.0% top-1 on ImageNet.

    Takes the keyword arguments of every network, see `bnext_keras.zoo`.

    Its dense layers are written as convolutions, the first 6x6 pixels wide at 224x224.

    Raises:
        ValueError: if the images are small.
    """
    return _alexnet(**imagenet_if_1000({"name": "xnornet", **kwargs}))


def XNORResNet18(**kwargs: Any) -> tf.keras.Model:
    """XNOR-Net in the shape of ResNet-18, by description: no code was released, and no weights.

    Pre-activation blocks of two convolutions (batch normalization, sign, convolution) with one shortcut; the first, the
    last and the shortcuts' layers are float. The paper states 51.2% top-1 on ImageNet. Takes the keyword arguments of
    every network, see `bnext_keras.zoo`.
    """
    return _resnet(**imagenet_if_1000({"name": "xnor_resnet18", **kwargs}))


def _alexnet(*, input_shape=(224, 224, 3), num_classes=1000, classes=None, name):
    check_is_large(input_shape, name)
    image = tf.keras.Input(input_shape, name="image")
    x = conv(image, 96, 11, "conv0", strides=4, role=STEM)
    x = relu(Norm(0.9, 1e-5, scale=False)(x, "conv0_bn"), "conv0_relu")
    x = _pool(x, "conv0")
    x = _layer(x, 256, 5, "conv1")
    x = _pool(x, "conv1")
    x = _layer(x, 384, 3, "conv2")
    x = _layer(x, 384, 3, "conv3")
    x = _layer(x, 256, 3, "conv4")
    x = _pool(x, "conv4")
    x = _layer(x, 4096, tuple(x.shape[1:3]), "dense0", padding="valid")
    x = _layer(x, 4096, 1, "dense1")
    x = relu(Norm(0.9, 1e-3, scale=False)(x, "head_bn"), "head_relu")
    x = Layers.Flatten(name="flatten")(x)
    x = Dense(num_classes, use_bias=False, role=HEAD, classes=classes, name="head")(x)
    return tf.keras.Model(image, x, name=name)


def _layer(x, filters, kernel_size, name, **options):
    x = Norm(0.9, 1e-4, scale=False)(x, f"{name}_bn")
    return BINARY(x, filters, kernel_size, name, **options)


def _pool(x, name):
    return Layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x)


def _resnet(*, input_shape=(224, 224, 3), num_classes=1000, classes=None, name):
    check_input_shape(input_shape, 8 if is_small(input_shape) else 32)
    image = tf.keras.Input(input_shape, name="image")
    x = resnet_stem(image, PYTORCH, relu)
    x = stages(x, RESNET18, _block)
    x = PYTORCH(x, "head_bn")
    return tf.keras.Model(image, head(x, num_classes, classes, relu), name=name)


def _block(x, filters, name, *, strides):
    y = PYTORCH(x, f"{name}_bn1")
    y = BINARY(y, filters, 3, f"{name}_conv1", strides=strides)
    y = PYTORCH(y, f"{name}_bn2")
    y = BINARY(y, filters, 3, f"{name}_conv2")
    return Layers.Add(name=f"{name}_add")([y, projection(x, filters, PYTORCH, name, strides=strides)])
