"""ResNet-18 and ResNet-34, float networks that teach: ReActNet, BoolNet and Real-to-Binary learned from them.

``tf.keras.applications`` has none below 50 layers. These are torchvision's, layer by layer, with its symmetric padding,
so that its published checkpoints can be read (`bnext-import`, or ``weights=``) and want images as they are:

>>> import bnext_keras
>>> bnext_keras.teachers.ResNet18(weights="resnet18-f37072fd.pth")  # doctest: +SKIP

Reference:
    He et al., "Deep Residual Learning for Image Recognition", arXiv 1512.03385; torchvision's ``resnet.py``.
"""

from typing import TYPE_CHECKING

from bnext_keras.layers import Conv2D
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.roles import OTHER, STEM

import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

WIDTHS = (64, 128, 256, 512)


@constructor(name="resnet18", classes="imagenet")
def ResNet18(**options: "Unpack[Options]") -> tf.keras.Model:
    """torchvision's ResNet-18."""
    return _resnet((2, 2, 2, 2), Ends(ResNet18, options))


@constructor(name="resnet34", classes="imagenet")
def ResNet34(**options: "Unpack[Options]") -> tf.keras.Model:
    """torchvision's ResNet-34."""
    return _resnet((3, 4, 6, 3), Ends(ResNet34, options))


def _resnet(blocks, ends):
    image = ends.image(8 if ends.is_small else 32)
    if ends.is_small:
        x = _conv(image, WIDTHS[0], 3, "stem", role=STEM)
        x = Layers.ReLU(name="stem_relu")(x)
    else:
        x = _conv(image, WIDTHS[0], 7, "stem", strides=2, role=STEM)
        x = Layers.ReLU(name="stem_relu")(x)
        # Nothing is below 0 there, so that zeros do as a border.
        x = Layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
        x = Layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for stage, (number, filters) in enumerate(zip(blocks, WIDTHS, strict=True)):
        for i in range(number):
            x = _block(x, filters, f"stage{stage}_block{i}", strides=2 if stage > 0 and i == 0 else 1)
    return ends.model(x)


def _block(x, filters, name, *, strides):
    y = _conv(x, filters, 3, f"{name}_1", strides=strides)
    y = Layers.ReLU(name=f"{name}_1_relu")(y)
    y = _conv(y, filters, 3, f"{name}_2")
    if strides > 1:
        x = _conv(x, filters, 1, f"{name}_shortcut", strides=strides)
    x = Layers.Add(name=f"{name}_add")([y, x])
    return Layers.ReLU(name=f"{name}_out")(x)


def _conv(x, filters, kernel_size, name, *, strides=1, role=OTHER):
    """A convolution with its normalization. PyTorch pads both sides alike, where TensorFlow's 'same' does not."""
    if kernel_size > 1:
        x = Layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
    options = {"strides": strides, "use_bias": False, "kernel_initializer": "he_normal", "role": role}
    x = Conv2D(filters, kernel_size, **options, name=f"{name}_conv")(x)
    return Layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
