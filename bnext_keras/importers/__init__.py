"""Published weights, as arrays, into this project's Keras models."""

from bnext_keras.importers.bnext import StateDictError, load_bnext_state_dict

__all__ = ["StateDictError", "load_bnext_state_dict"]
