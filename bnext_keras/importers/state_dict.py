"""What importers have in common: entries by PyTorch's names find their places in a Keras model, all or none of them.

PyTorch pads a strided convolution (or pooling) of an even map on the top and left, TensorFlow's 'same' on the bottom
and right. Turned by 180 degrees the one is the other, and everything else in these networks commutes with that turn
(the head averages it away). So every spatial kernel is turned on import, and **the model then computes the released
network's logits for images that are turned by 180 degrees**, exactly and with the forms of padding that Larq Compute
Engine keeps binary.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from bnext_keras.errors import StateDictError

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Place:
    """Where an entry goes. Several places may share one entry.

    Attributes:
        key: PyTorch's name of the entry.
        layer: The Keras layer.
        attribute: Name of the layer's weight.
        convert: From the entry to the weight's value; None where the entry's shape does not even allow that.
    """

    key: str
    layer: tf.keras.layers.Layer
    attribute: str
    convert: Callable[[np.ndarray], np.ndarray | None]


def assign(
    model: tf.keras.Model,
    state_dict: Mapping[str, np.ndarray],
    places: Iterable[Place],
    is_unused: Callable[[str], bool],
) -> tf.keras.Model:
    """Sets a model's weights, or changes nothing.

    Args:
        model: The model whose layers the places name.
        state_dict: Arrays by PyTorch's names.
        places: Where each entry goes.
        is_unused: Whether an entry that has no place is none of the network's weights.

    Returns:
        ``model``.

    Raises:
        StateDictError: if entries are missing, have no place or have another shape, or are not finite numbers.
    """
    places = list(places)
    values, misshapen = [], []
    for key, array in state_dict.items():
        if not is_unused(key) and (reason := why_no_weight(array)):
            raise StateDictError(f"{model.name}: {key} {reason}")
    missing: dict[str, None] = {}  # in order, once each
    for place in places:
        if place.key not in state_dict:
            missing[place.key] = None
            continue
        weight = getattr(place.layer, place.attribute)
        array = np.asarray(state_dict[place.key])
        value = place.convert(array)
        if value is None or value.shape != tuple(weight.shape):
            where = f"{place.layer.name}.{place.attribute} {tuple(weight.shape)}"
            misshapen.append(f"{place.key} {array.shape} (does not fit {where})")
        values.append((weight, value))
    taken = {place.key for place in places}
    extra = [key for key in state_dict if key not in taken and not is_unused(key)]
    check_nothing_amiss(model.name, "entries", missing, extra, misshapen)
    for weight, value in values:
        weight.assign(value)
    return model


def why_no_weight(value: np.ndarray) -> str:
    """Why an array cannot be a network's weights; empty if it can.

    >>> why_no_weight(np.ones(3)), why_no_weight(np.ones(3, int)), why_no_weight(np.array([1, np.nan]))
    ('', 'holds int64, not floating-point numbers', 'is not finite (infinite or NaN)')
    >>> why_no_weight(np.array([1e300]))
    'is not finite (infinite or NaN)'
    """
    value = np.asarray(value)
    if value.dtype.kind != "f":
        return f"holds {value.dtype}, not floating-point numbers"
    # The model holds float32, where a larger number is infinite. NaN is not at most anything.
    largest = np.abs(value).max(initial=0)
    return "" if largest <= np.finfo(np.float32).max else "is not finite (infinite or NaN)"


def check_nothing_amiss(
    model_name: str, kind: str, missing: Collection[str], extra: Collection[str], misshapen: Collection[str]
) -> None:
    """Raises StateDictError, listing what does not fit, unless all three are empty; ``kind`` says what they name."""
    problems = [
        f"{len(names)} {kind} {verb}: {', '.join(sorted(names)[:8])}{', ...' if len(names) > 8 else ''}"
        for names, verb in ((missing, "are missing"), (extra, "have no place"), (misshapen, "have another shape"))
        if names
    ]
    if problems:
        raise StateDictError(f"{model_name}: {'; '.join(problems)}")


def zero_weights(zeros: int, binary: int) -> list[str]:
    """The warning, if there is need of one, of how many binary weights one bit cannot hold."""
    if not zeros:
        return []
    return [
        f"{zeros:,} of {binary:,} binary weights are exactly 0, which one bit cannot hold: they became +1, and answers "
        "differ from PyTorch's"
    ]


def batch_norm(path: str) -> dict[str, str]:
    """Keys of a batch normalization by the attributes of Keras' layer."""
    leaves = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    return {attribute: f"{path}.{leaf}" for attribute, leaf in leaves.items()}


def affine(path: str) -> dict[str, str]:
    """Keys of a layer with kernel and bias."""
    return {"kernel": f"{path}.weight", "bias": f"{path}.bias"}


def to_keras(array: np.ndarray, attribute: str, layer: tf.keras.layers.Layer) -> np.ndarray | None:
    """PyTorch's layout to Keras', convolutions turned by 180 degrees; None where the rank does not fit."""
    if attribute == "kernel" and array.ndim == 4 and isinstance(layer, tf.keras.layers.Conv2D):
        return array.transpose(2, 3, 1, 0)[::-1, ::-1]
    if attribute == "kernel":
        return array.reshape(array.shape[:2]).T if array.ndim >= 2 and array[0, 0].size == 1 else None
    return array.reshape(-1)
