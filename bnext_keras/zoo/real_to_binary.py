"""Real-to-Binary: gates that are computed from the real values before a sign, and much training.

The published training goes in four steps: from a float ResNet-18, by matching attention maps, over a network with
binary activations, to the binary network that is here.

Reference:
    Martinez et al., "Training Binary Neural Networks with Real-to-Binary Convolutions", arXiv 2003.11535 (ICLR 2020);
    Larq Zoo's network, which the authors point to, and whose order of weights this one shares.
"""

from typing import TYPE_CHECKING

from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.zoo._blocks import Binary, Norm, Residual, prelu, resnet_stem, stages, ste

import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

NORM = Norm(0.99, 1e-3)
BLOCK = Residual(Binary(ste(1.0), ste(1.0)), NORM, before="norm", between=("gate", "prelu"))


@constructor(name="real_to_binary_net", classes="imagenet")
def RealToBinaryNet(**options: "Unpack[Options]") -> tf.keras.Model:
    """Real-to-Binary's binary ResNet-18, 65.0% top-1 on ImageNet (65.4% in the paper)."""
    return _real_to_binary(Ends(RealToBinaryNet, options))


def _real_to_binary(ends):
    image = ends.image(8 if ends.is_small else 32)
    # The paper's text has a ReLU here, the network that was trained a PReLU.
    x = resnet_stem(image, NORM, prelu)
    x = stages(x, (4, 4, 4, 4), BLOCK)
    return ends.model(x)
