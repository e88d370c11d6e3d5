"""Callbacks that train binary networks through plain ``model.fit``."""

from bnext_keras.callbacks.attention import AttentionMatching
from bnext_keras.callbacks.clipping import LatentWeightClipping, ScaleClipping
from bnext_keras.callbacks.consecutive import DiversifiedConsecutiveDistillation
from bnext_keras.callbacks.distillation import Distillation
from bnext_keras.callbacks.finite import RaiseOnNaN
from bnext_keras.callbacks.temperature import WeightTemperature

__all__ = [
    "AttentionMatching",
    "Distillation",
    "DiversifiedConsecutiveDistillation",
    "LatentWeightClipping",
    "RaiseOnNaN",
    "ScaleClipping",
    "WeightTemperature",
]
