"""Real-to-Binary: gates that are computed from the real values before a sign, and much training.

The published training goes in four steps: from a float ResNet-18, by matching attention maps, over a network with
binary activations, to the binary network that is here.

Reference:
    Martinez et al., "Training Binary Neural Networks with Real-to-Binary Convolutions", arXiv 2003.11535 (ICLR 2020);
    Larq Zoo's network, which the authors point to, and whose order of weights this one shares.
"""

from typing import Any

from bnext_keras.models._common import check_input_shape, imagenet_if_1000, is_small
from bnext_keras.zoo._blocks import Binary, Norm, Residual, head, prelu, resnet_stem, stages, ste

import tensorflow as tf

NORM = Norm(0.99, 1e-3)
BLOCK = Residual(Binary(ste(1.0), ste(1.0)), NORM, before="norm", between=("gate", "prelu"))


def RealToBinaryNet(**kwargs: Any) -> tf.keras.Model:
    """Real-to-Binary's binary ResNet-18, 65.0% top-1 on ImageNet (65.4% in the paper).

    Takes the keyword arguments of every network, see `bnext_keras.zoo`.
    """
    return _real_to_binary(**imagenet_if_1000({"name": "real_to_binary_net", **kwargs}))


def _real_to_binary(*, input_shape=(224, 224, 3), num_classes=1000, classes=None, name):
    check_input_shape(input_shape, 8 if is_small(input_shape) else 32)
    image = tf.keras.Input(input_shape, name="image")
    # The paper's text has a ReLU here, the network that was trained a PReLU.
    x = resnet_stem(image, NORM, prelu)
    x = stages(x, (4, 4, 4, 4), BLOCK)
    return tf.keras.Model(image, head(x, num_classes, classes), name=name)
