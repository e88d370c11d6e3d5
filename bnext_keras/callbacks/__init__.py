"""Callbacks that train binary networks through plain ``model.fit``."""

from bnext_keras.callbacks.temperature import WeightTemperature

__all__ = ["WeightTemperature"]
