"""The released PyTorch weights of BNext, given as NumPy arrays, into a Keras BNext.

The model then wants images that are turned by 180 degrees: `bnext_keras.importers.state_dict` says why.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial

from bnext_keras.importers.state_dict import Place, affine, assign, batch_norm, to_keras

import numpy as np
import tensorflow as tf


def load_bnext_state_dict(model: tf.keras.Model, state_dict: Mapping[str, np.ndarray]) -> tf.keras.Model:
    """Sets the weights of a BNext from the state dict of the released PyTorch code.

    Args:
        model: A model made by `bnext_keras.models` with the same widths, classes and ablations.
        state_dict: Arrays by PyTorch's names, such as ``feature.1.FFN_1.binary_conv.weight`` of shape
            ``(out, in, height, width)``.

    Returns:
        ``model``. It now wants images that are turned by 180 degrees, ``images[:, ::-1, ::-1]``.

    Raises:
        StateDictError: if entries are missing or have other shapes, or if there are entries that the model has no
            place for. Nothing is changed in that case.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> bnext_keras.importers.load_bnext_state_dict(model, {})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        bnext_keras.errors.StateDictError: bnext: 56 entries are missing: bn1.bias, ...
    """
    places = [place for layer in model.layers for place in _places(layer, state_dict)]
    return assign(model, state_dict, places, partial(_is_unused, taken={place.key for place in places}))


#: The last part of a Keras layer's name -> {attribute: PyTorch's name below the processor}.
_PROCESSOR = {
    "bias": {"bias": "move.bias"},
    "conv": {"kernel": "binary_conv.weight"},
    "bn1": batch_norm("norm1"),
    "bn2": batch_norm("norm2"),
    "prelu": {"alpha": "activation2.weight"},
    "mix": {"scale": "scale"},
    "se_squeeze": affine("se.se.1"),
    "se_expand": affine("se.se.3"),
    "shortcut_prelu": {"alpha": "activation1.weight"},
    "shortcut_conv": {"kernel": "downsample.1.weight"},
    "shortcut_bn": batch_norm("downsample.2"),
}
_STEM = {"stem_conv": {"kernel": "conv1.weight"}, "stem_bn": batch_norm("bn1")}
_HEAD = {"head_prelu": {"alpha": "prelu.weight"}, "head": affine("fc")}


def _places(layer: tf.keras.layers.Layer, state_dict: Mapping) -> Iterator[Place]:
    """The place of every entry of the state dict that belongs to the layer."""
    if layer.name in _HEAD:
        prefix, names = "", _HEAD[layer.name]
    elif layer.name in _STEM:
        prefix, names = "feature.0." if "feature.0.conv1.weight" in state_dict else "", _STEM[layer.name]
    elif match := re.fullmatch(r"(block\d+|stage\d_block\d)_(3x3|1x1)([ab]?)_(\w+)", layer.name):
        block, kernel, half, part = match.groups()
        prefix, names = _processor_path(block, kernel, half, state_dict), _PROCESSOR.get(part, {})
    else:
        return
    for attribute, key in names.items():
        yield Place(prefix + key, layer, attribute, partial(_to_keras, attribute=attribute, layer=layer))


def _processor_path(block, kernel, half, state_dict):
    if block.startswith("stage"):  # BNext-18
        stage, index = re.findall(r"\d", block)
        return f"layer{stage}.{index}.{'Attention' if half == 'a' else 'FFN'}."
    feature = f"feature.{block.removeprefix('block')}."
    if kernel == "1x1":
        return feature + {"": "FFN.", "a": "FFN_1.", "b": "FFN_2."}[half]
    # The released code has another name for the 3x3 processor when ELM attention is off.
    return feature + ("FFN_3x3." if f"{feature}FFN_3x3.binary_conv.weight" in state_dict else "Attention.")


def _to_keras(array, attribute, layer):
    value = to_keras(array, attribute, layer)
    if value is None:
        return None
    if attribute == "scale" and "_1x1" in layer.name:
        # A saved scale may lie slightly outside; in evaluation the released code clips it in the 1x1 processors only.
        value = value.clip(0, 1)
    return value.reshape(1, 1, -1) if attribute == "alpha" else value


def _is_unused(key, taken):
    """Whether the released code saves this entry without using it in evaluation."""
    path, _, leaf = key.rpartition(".")
    owner, _, module = path.rpartition(".")
    if leaf in ("num_batches_tracked", "temperature") or key == "feature.0.prelu.weight":
        return True
    return module in ("activation1", "norm2") and f"{owner}.binary_conv.weight" in taken
