"""The PyTorch weights of bitorch 0.3.0's MeliusNet, given as NumPy arrays, into a Keras MeliusNet.

As with BNext (see `bnext_keras.importers.state_dict`) the model then wants images that are turned by 180 degrees.

bitorch pads binary convolutions with -1. A model built with ``pad_value=-1`` computes just that. One with
``pad_value=1`` gets the batch normalization before each sign and the kernel behind it negated: the signs, the padding
and the kernel all change sign, their products do not. Of the two, Larq Compute Engine runs only +1 as it is; -1 costs a
constant map for each convolution. (They differ only where a normalized value is exactly 0, whose sign is +1.)
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

from bnext_keras.errors import StateDictError
from bnext_keras.importers.state_dict import Place, affine, assign, batch_norm, to_keras

import larq as lq
import numpy as np
import tensorflow as tf


def load_meliusnet_state_dict(model: tf.keras.Model, state_dict: Mapping[str, np.ndarray]) -> tf.keras.Model:
    """Sets the weights of a MeliusNet from the state dict of bitorch 0.3.0's model.

    Args:
        model: A model made by `bnext_keras.models` with the same sections and classes, ``stem="conv7x7"`` and a
            ``pad_value`` of -1 or 1.
        state_dict: Arrays by PyTorch's names, such as
            ``_model.features.DenseBlock_1.DenseLayer_1.features.1.weight`` of shape ``(out, in, height, width)``.

    Returns:
        ``model``. It now wants images that are turned by 180 degrees, ``images[:, ::-1, ::-1]``.

    Raises:
        StateDictError: if the model has another stem or padding than bitorch's, if entries are missing or have other
            shapes, or if there are entries that the model has no place for. Nothing is changed in that case.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.MeliusNet([1], [], input_shape=(32, 32, 3), num_classes=2, pad_value=-1)
        >>> bnext_keras.importers.load_meliusnet_state_dict(model, {})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        bnext_keras.errors.StateDictError: meliusnet: 17 entries are missing: _model.features...
    """
    negate = _pad_value(model) == 1
    return assign(model, state_dict, _places(model, negate), _is_unused)


def _pad_value(model):
    if any(layer.name == "stem_s0_conv" for layer in model.layers):
        raise StateDictError(
            f"{model.name}: it has the grouped stem; build it with stem='conv7x7' for bitorch's weights"
        )
    values = {
        float(tf.keras.backend.get_value(layer.pad_values))
        for layer in model.layers
        if isinstance(layer, lq.layers.QuantConv2D)
    }
    if values not in ({-1.0}, {1.0}):
        raise StateDictError(
            f"{model.name}: it pads binary convolutions with {', '.join(map(str, sorted(values)))}, bitorch's weights "
            "are for -1; build it with pad_value=-1 or, for the same network in another form, with pad_value=1"
        )
    return values.pop()


def _places(model: tf.keras.Model, negate: bool) -> Iterator[Place]:
    parts = Counter(_without_group(layer.name)[0] for layer in model.layers)
    for layer in model.layers:
        name, group = _without_group(layer.name)
        options = {
            "layer": layer,
            "group": group,
            "groups": parts[name],
            "negate": negate and re.search(r"_(dense|improve)_(bn|binconv)$", name),
        }
        for attribute, key in _keys(name, grouped=group is not None).items():
            yield Place(f"_model.{key}", layer, attribute, partial(_to_keras, attribute=attribute, **options))


def _without_group(name):
    """(name of the grouped convolution, which group this layer computes); (name, None) for any other layer."""
    match = re.fullmatch(r"(section_\d+_transition_pw)_conv(\d+)", name)
    return (match[1], int(match[2])) if match else (name, None)


def _keys(name: str, grouped: bool) -> dict[str, str]:
    """{attribute: bitorch's name below ``_model``} of a Keras layer's weights."""
    if name in _ENDS:
        return _ENDS[name]
    if match := re.fullmatch(r"section_(\d+)_block_(\d+)_(dense|improve)_(bn|binconv)", name):
        section, block, half, part = match.groups()
        path = "DenseLayer_{}.features" if half == "dense" else "ImprovementBlock{}.body"
        path = f"features.DenseBlock_{int(section) + 1}.{path.format(int(block) + 1)}"
        return batch_norm(f"{path}.0") if part == "bn" else {"kernel": f"{path}.1.weight"}
    if match := re.fullmatch(r"section_(\d+)_transition_(bn|pw)", name):
        path = f"features.Transition_{int(match[1]) + 1}"
        # The shuffle before a grouped convolution has a place of its own in PyTorch's sequence.
        return batch_norm(f"{path}.0") if match[2] == "bn" else {"kernel": f"{path}.{4 if grouped else 3}.weight"}
    return {}


_ENDS = {
    "stem_conv": {"kernel": "features.0.weight"},
    "stem_bn": batch_norm("features.1"),
    "head_bn": batch_norm("finalize.0"),
    "head_dense": affine("output"),
}


def _to_keras(array, *, attribute, layer, group, groups, negate):
    if group is not None:
        if array.ndim == 0 or len(array) % groups:
            return None
        array = np.split(array, groups)[group]
    value = to_keras(array, attribute, layer)
    if value is None or not negate or attribute not in ("gamma", "beta", "kernel"):
        return value
    # The sign of 0 is +1, so a negated 0 must become the least that is below it.
    return -np.where(value == 0, np.finfo(np.float32).tiny, value) if attribute == "kernel" else -value


def _is_unused(key):
    """Whether bitorch saves this entry without using it in evaluation, or under a second name."""
    return key.endswith(".num_batches_tracked") or key.startswith("_model.current_dense_block.")
