"""The released PyTorch weights of BNext, given as NumPy arrays, into a Keras BNext.

PyTorch pads a strided 3x3 convolution on the top and left of an even map, TensorFlow's 'same' on the bottom and right.
Turned by 180 degrees the one is the other, and everything else in BNext commutes with that turn (the head averages it
away). So every spatial kernel is turned on import, and **the model then computes the released network's logits for
images that are turned by 180 degrees**, exactly and with the one form of padding that Larq Compute Engine keeps binary.
"""

import re
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf


class StateDictError(ValueError):
    """A state dict that does not fit the model; the message lists what is missing, left over or of another shape."""


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
        bnext_keras.importers.bnext.StateDictError: bnext: 56 entries are missing: bn1.bias, ...
    """
    values, missing, misshapen = [], [], []
    places = {key: (layer, attribute) for layer in model.layers for key, attribute in _entries(layer, state_dict)}
    for key, (layer, attribute) in places.items():
        if key not in state_dict:
            missing.append(key)
            continue
        weight = getattr(layer, attribute)
        array = np.asarray(state_dict[key])
        value = _to_keras(array, attribute, layer)
        if value is None or value.shape != tuple(weight.shape):
            misshapen.append(f"{key} {array.shape} (does not fit {layer.name}.{attribute} {tuple(weight.shape)})")
        values.append((weight, value))
    extra = [key for key in state_dict if key not in places and not _is_unused(key, places)]
    problems = [
        f"{len(keys)} entries {verb}: {', '.join(sorted(keys)[:8])}{', ...' if len(keys) > 8 else ''}"
        for keys, verb in ((missing, "are missing"), (extra, "have no place"), (misshapen, "have another shape"))
        if keys
    ]
    if problems:
        raise StateDictError(f"{model.name}: " + "; ".join(problems))
    for weight, value in values:
        weight.assign(value)
    return model


def _batch_norm(path):
    leaves = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    return {attribute: f"{path}.{leaf}" for attribute, leaf in leaves.items()}


def _affine(path):
    return {"kernel": f"{path}.weight", "bias": f"{path}.bias"}


#: The last part of a Keras layer's name -> {attribute: PyTorch's name below the processor}.
_PROCESSOR = {
    "bias": {"bias": "move.bias"},
    "conv": {"kernel": "binary_conv.weight"},
    "bn1": _batch_norm("norm1"),
    "bn2": _batch_norm("norm2"),
    "prelu": {"alpha": "activation2.weight"},
    "mix": {"scale": "scale"},
    "se_squeeze": _affine("se.se.1"),
    "se_expand": _affine("se.se.3"),
    "shortcut_prelu": {"alpha": "activation1.weight"},
    "shortcut_conv": {"kernel": "downsample.1.weight"},
    "shortcut_bn": _batch_norm("downsample.2"),
}
_STEM = {"stem_conv": {"kernel": "conv1.weight"}, "stem_bn": _batch_norm("bn1")}
_HEAD = {"head_prelu": {"alpha": "prelu.weight"}, "head": _affine("fc")}


def _entries(layer: tf.keras.layers.Layer, state_dict: Mapping) -> Iterator[tuple[str, str]]:
    """(PyTorch's key, attribute of the layer) for every weight of the layer that a state dict holds."""
    if layer.name in _HEAD:
        prefix, names = "", _HEAD[layer.name]
    elif layer.name in _STEM:
        prefix, names = "feature.0." if "feature.0.conv1.weight" in state_dict else "", _STEM[layer.name]
    elif match := re.fullmatch(r"(block\d+|stage\d_block\d)_(3x3|1x1)([ab]?)_(\w+)", layer.name):
        *where, part = match.groups()
        prefix, names = _processor_path(*where, state_dict), _PROCESSOR.get(part, {})
    else:
        return
    for attribute, key in names.items():
        yield prefix + key, attribute


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
    """PyTorch's layout to Keras'; None where the rank does not fit."""
    if attribute == "kernel" and array.ndim == 4 and isinstance(layer, tf.keras.layers.Conv2D):
        return array.transpose(2, 3, 1, 0)[::-1, ::-1]
    if attribute == "kernel":
        return array.reshape(array.shape[:2]).T if array.ndim >= 2 and array[0, 0].size == 1 else None
    value = array.reshape(-1)
    if attribute == "scale" and "_1x1" in layer.name:
        # A saved scale may lie slightly outside; in evaluation the released code clips it in the 1x1 processors only.
        value = value.clip(0, 1)
    return value.reshape(1, 1, -1) if attribute == "alpha" else value


def _is_unused(key, places):
    """Whether the released code saves this entry without using it in evaluation."""
    path, _, leaf = key.rpartition(".")
    owner, _, module = path.rpartition(".")
    if leaf in ("num_batches_tracked", "temperature") or key == "feature.0.prelu.weight":
        return True
    return module in ("activation1", "norm2") and f"{owner}.binary_conv.weight" in places
