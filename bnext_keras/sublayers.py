"""All layers of a model: what is imported neither from Keras nor from Larq, because their own imports want it."""

from collections.abc import Iterator
from typing import Any


def sublayers(model: Any) -> Iterator[Any]:
    """A Keras model and every layer in it: those of nested models, and those that layers hold, as Larq's quantizers.

    Keras' own list of them; the public ``submodules`` finds the same by looking through every attribute of every layer,
    which takes a third of a second for a network of a few hundred layers.

    Example:
        >>> import bnext_keras, larq as lq
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> sum(isinstance(layer, lq.layers.QuantConv2D) for layer in sublayers(model))
        3
    """
    return model._flatten_layers()
