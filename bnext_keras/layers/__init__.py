"""The layers that the networks need beside those of Keras and Larq; all of them are found here, by their names.

`bnext_keras.layers.common` has those of BNext and MeliusNet, which serve many others, and float layers that state their
role (`bnext_keras.roles`); the other files have those of the comparison networks (`bnext_keras.zoo`).
"""

from bnext_keras.layers.activations import DPReLU, HardSigmoid, LeakyClip
from bnext_keras.layers.boolean import GhostSign, RepeatEdges, TakeChannels
from bnext_keras.layers.combining import ScaledSum, SoftGate
from bnext_keras.layers.common import (
    BinaryConv2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LearnableBias,
    LearnableMix,
    ShuffleChannels,
    SplitChannels,
)
from bnext_keras.layers.embedding import BinaryEmbedding, PackedEmbedding
from bnext_keras.layers.fitting import FitChannels
from bnext_keras.layers.low_bit import LowBitConv2D, LowBitDense, LowBitDepthwiseConv2D
from bnext_keras.layers.multi_base import MultiBaseConv2D
from bnext_keras.layers.pooling import BlurPool2D

__all__ = [
    "BinaryConv2D",
    "BinaryEmbedding",
    "BlurPool2D",
    "Conv2D",
    "DPReLU",
    "Dense",
    "DepthwiseConv2D",
    "FitChannels",
    "GhostSign",
    "HardSigmoid",
    "LeakyClip",
    "LearnableBias",
    "LearnableMix",
    "LowBitConv2D",
    "LowBitDense",
    "LowBitDepthwiseConv2D",
    "MultiBaseConv2D",
    "PackedEmbedding",
    "RepeatEdges",
    "ScaledSum",
    "ShuffleChannels",
    "SoftGate",
    "SplitChannels",
    "TakeChannels",
]
