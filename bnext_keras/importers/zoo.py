"""The weights of the PyTorch networks that the zoo rebuilds, given as NumPy arrays, into the zoo's Keras models.

As with BNext (see `bnext_keras.importers.state_dict`) the model then wants images that are turned by 180 degrees. Not
so torchvision's ResNets, which are built with PyTorch's padding.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from bnext_keras.importers.state_dict import Place, affine, assign, batch_norm, to_keras

import numpy as np
import tensorflow as tf

#: {attribute of a Keras layer: PyTorch's name} of one layer, from its name; empty for a layer without weights.
Keys = Callable[[str], Mapping[str, str]]


def load_birealnet_state_dict(model: tf.keras.Model, state_dict: Mapping[str, np.ndarray]) -> tf.keras.Model:
    """Sets the weights of a Bi-Real Net from the state dict of its authors' code.

    Args:
        model: A model of `bnext_keras.zoo`: `BiRealNet18`, `BiRealNet34` or `BiRealNet50`.
        state_dict: Arrays by PyTorch's names.

    Returns:
        ``model``. It now wants images that are turned by 180 degrees, ``images[:, ::-1, ::-1]``.

    Raises:
        StateDictError: if entries are missing or have other shapes, or if there are entries that the model has no place
            for. Nothing is changed in that case.
    """
    if any(layer.name == "stage0_block0_conv3" for layer in model.layers):
        blocks = sorted({match for layer in model.layers if (match := _block_of(layer.name))})
        numbers = {block: i for i, block in enumerate(blocks)}
        # The first block's narrow shortcut is in the code and never used.
        return _load(model, state_dict, partial(_bottleneck_keys, numbers), r"layers\.0\.down_conv1x1\.weight")
    parts = {"conv": {"kernel": "binary_conv.weights"}, "bn": batch_norm("bn1"), **_SHORTCUT}
    return _load(model, state_dict, partial(_resnet_keys, parts))


def load_reactnet_state_dict(model: tf.keras.Model, state_dict: Mapping[str, np.ndarray]) -> tf.keras.Model:
    """Sets the weights of a `ReActNetA` or `ReActResNet18` from the state dict of the released code.

    Arguments, result and errors are those of `load_birealnet_state_dict`.
    """
    if any(layer.name == "block1_3x3_conv" for layer in model.layers):
        return _load(model, state_dict, _reactnet_keys)
    parts = {
        "threshold": {"bias": "move0.bias"},
        "conv": {"kernel": "binary_conv.weight"},
        "bn": batch_norm("bn1"),
        "bias1": {"bias": "move1.bias"},
        "prelu": {"alpha": "prelu.weight"},
        "bias2": {"bias": "move2.bias"},
        **_SHORTCUT,
    }
    return _load(model, state_dict, partial(_resnet_keys, parts))


def load_groupnet_state_dict(model: tf.keras.Model, state_dict: Mapping[str, np.ndarray]) -> tf.keras.Model:
    """Sets the weights of a `GroupNet18` from the state dict of the released code's form with the same options.

    Arguments, result and errors are those of `load_birealnet_state_dict`.
    """
    return _load(model, _with_joined_scales(state_dict), _groupnet_keys)


def load_boolnet_state_dict(model: tf.keras.Model, state_dict: Mapping[str, np.ndarray]) -> tf.keras.Model:
    """Sets the weights of a `BaseNet`, `BoolNet` or `BoolNetStar` from the state dict of the released code.

    Arguments, result and errors are those of `load_birealnet_state_dict`.
    """
    names = {layer.name for layer in model.layers}
    # The last block alone has a third normalization, and the code one in each block.
    return _load(model, state_dict, partial(_boolnet_keys, names), r".*\.temperature|layer\d\.\d\.bn3\..*")


def load_resnet_state_dict(model: tf.keras.Model, state_dict: Mapping[str, np.ndarray]) -> tf.keras.Model:
    """Sets the weights of a `bnext_keras.teachers.ResNet18` or `ResNet34` from torchvision's state dict.

    Arguments and errors are those of `load_birealnet_state_dict`; but the model takes images as they are.
    """
    places = (
        Place(key, layer, attribute, partial(_upright, attribute=attribute))
        for layer in model.layers
        for attribute, key in _torchvision_keys(layer.name).items()
    )
    return assign(model, state_dict, places, lambda key: key.endswith("num_batches_tracked"))


def _torchvision_keys(name):
    if name == "head":
        return affine("fc")
    match = re.fullmatch(r"(?:stem|stage(\d)_block(\d+)_(1|2|shortcut))_(conv|bn)", name)
    if match is None:
        return {}
    stage, block, part, kind = match.groups()
    if stage is None:
        path = f"{kind}1"
    elif part == "shortcut":
        path = f"layer{int(stage) + 1}.{block}.downsample.{('conv', 'bn').index(kind)}"
    else:
        path = f"layer{int(stage) + 1}.{block}.{kind}{part}"
    return batch_norm(path) if kind == "bn" else {"kernel": f"{path}.weight"}


def _upright(array, attribute):
    if attribute != "kernel":
        return array
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def _load(model: tf.keras.Model, state_dict: Mapping[str, np.ndarray], keys: Keys, unused: str = "$") -> tf.keras.Model:
    is_unused = re.compile(rf"(.*\.)?num_batches_tracked|{unused}").fullmatch
    return assign(model, state_dict, _places(model, keys), lambda key: is_unused(key) is not None)


def _places(model: tf.keras.Model, keys: Keys) -> Iterator[Place]:
    parts = [_without_part(layer.name)[0] for layer in model.layers]
    for layer in model.layers:
        name, part = _without_part(layer.name)
        options = {"layer": layer, "part": part, "number": parts.count(name)}
        for attribute, key in keys(name).items():
            if getattr(layer, attribute, None) is None:
                continue  # a bias that the layer does not have
            yield Place(key, layer, attribute, partial(_to_keras, attribute=attribute, **options))


def _without_part(name):
    """(name, which part of the slices of a sliced convolution this is); (name, None) for any other layer."""
    match = re.fullmatch(r"(stage\d_block\d+_conv\d)_(\d+)", name)
    return (match[1], int(match[2])) if match else (name, None)


def _to_keras(array, *, attribute, layer, part, number):
    shape = tuple(getattr(layer, attribute).shape)
    if part is not None:
        if array.ndim == 0 or len(array) % number:
            return None
        array = np.split(array, number)[part]
    if attribute == "depthwise_kernel":
        return array.transpose(2, 3, 0, 1)[::-1, ::-1] if array.ndim == 4 else None
    if attribute == "kernel" and len(shape) == 4 and array.ndim == 2:
        # Stored flat, as one column.
        height, width, inputs, outputs = shape
        if array.size != np.prod(shape):
            return None
        array = array.reshape(outputs, inputs, height, width)
    if attribute in ("alpha", "theta"):
        return array.reshape(shape) if array.size == np.prod(shape) else None
    return to_keras(array, attribute, layer)


def _block_of(name):
    match = re.match(r"stage(\d)_block(\d+)_", name)
    return match and (int(match[1]), int(match[2]))


_SHORTCUT = {"shortcut_conv": {"kernel": "downsample.1.weight"}, "shortcut_bn": batch_norm("downsample.2")}
_ENDS = {"stem_conv": {"kernel": "conv1.weight"}, "stem_bn": batch_norm("bn1"), "head": affine("fc")}


def _below(path, keys):
    return {attribute: f"{path}.{key}" for attribute, key in keys.items()}


def _resnet_keys(parts, name):
    if name in _ENDS:
        return _ENDS[name]
    match = re.fullmatch(r"stage(\d)_block(\d+)_(\w+)", name)
    if not match or match[3] not in parts:
        return {}
    return _below(f"layer{int(match[1]) + 1}.{match[2]}", parts[match[3]])


def _bottleneck_keys(numbers, name):
    if name in _ENDS:
        return _ENDS[name]
    parts = {
        **{f"conv{i}": {"kernel": f"conv{i}.weight"} for i in (1, 2, 3)},
        **{f"bn{i}": batch_norm(f"bn{i}") for i in (1, 2, 3)},
        "narrow_conv": {"kernel": "down_conv1x1.weight"},
        **_SHORTCUT,
    }
    part = re.sub(r"stage\d_block\d+_", "", name)
    return _below(f"layers.{numbers[_block_of(name)]}", parts[part]) if part in parts else {}


def _reactnet_keys(name):
    ends = {
        "stem_conv": {"kernel": "feature.0.conv1.weight"},
        "stem_bn": batch_norm("feature.0.bn1"),
        "head": affine("fc"),
    }
    parts: dict[str, dict[str, str]] = {}
    for size, number, conv in (("3x3", 1, "binary_3x3"), ("1x1", 2, "binary_pw")):
        parts |= {
            f"{size}_threshold": {"bias": f"move{number}1.bias"},
            f"{size}_conv": {"kernel": f"{conv}.weights"},
            f"{size}_bn": batch_norm(f"bn{number}"),
            f"{size}_bias1": {"bias": f"move{number}2.bias"},
            f"{size}_prelu": {"alpha": f"prelu{number}.weight"},
            f"{size}_bias2": {"bias": f"move{number}3.bias"},
        }
    for half, number in (("a", 1), ("b", 2)):
        parts[f"1x1{half}_conv"] = {"kernel": f"binary_pw_down{number}.weights"}
        parts[f"1x1{half}_bn"] = batch_norm(f"bn2_{number}")
    match = re.fullmatch(r"block(\d+)_(\w+)", name)
    return _below(f"feature.{match[1]}", parts.get(match[2], {})) if match else ends.get(name, {})


def _groupnet_keys(name):
    if name == "stem_conv":
        # One of the three forms has no bias here.
        return {"kernel": "conv1.weight", "bias": "conv1.bias"}
    if match := re.fullmatch(r"stage(\d)_block(\d+)_base(\d+)_(conv|bn)(\d)", name):
        path = f"layer{int(match[1]) + 1}.{match[2]}.{match[4]}{match[5]}.{match[3]}"
        return {"kernel": f"{path}.weight"} if match[4] == "conv" else batch_norm(path)
    parts = {
        "gate": {"theta": "block_gate"},
        "sum": {"scales": "scales"},
        "shortcut_conv": {"kernel": "downsample.conv.weight"},
        "shortcut_bn": batch_norm("downsample.batch_norm"),
    }
    return _resnet_keys(parts, name)


def _with_joined_scales(state_dict):
    """One entry for the scales of all bases, which are an entry each."""
    joined: dict[str, list] = {}
    rest = {}
    for key, array in state_dict.items():
        path, _, number = key.rpartition(".scales.")
        if path and number.isdigit():
            joined.setdefault(f"{path}.scales", []).append((int(number), np.asarray(array).reshape(-1)))
        else:
            rest[key] = array
    for key, parts in joined.items():
        rest[key] = np.concatenate([array for _, array in sorted(parts, key=lambda part: part[0])])
    return rest


def _boolnet_keys(names, name):
    is_wide = "stem_depthwise" in names
    zero_points = "ghostbnsign.adaptive_zero_points"
    ends = {
        "stem_bn": batch_norm("maxpool.0"),
        "stem_bn2": batch_norm("ghostbnsign.bn1" if is_wide else "ghostbnsign.0"),
        "stem_bn3": batch_norm("ghostbnsign.bn2"),
        "stem_depthwise": {"depthwise_kernel": f"{zero_points}.0.weight"},
        "stem_depthwise_bn": batch_norm(f"{zero_points}.1"),
        "head_act": {"alpha": "prelu2.weight"},
    }
    if name in ends:
        return ends[name]
    # Without a pool, the normalization behind a shortcut's convolution is the next in PyTorch's sequence.
    has_pool = f"{name.removesuffix('_bn')}_pool" in names
    parts = {
        **{f"conv{i}": {"kernel": f"conv{i}.weight"} for i in (1, 2)},
        **{f"bn{i}": batch_norm(f"bn{i}") for i in (1, 2, 3)},
        "shortcut_conv": affine("downsample.0"),
        "shortcut_bn": batch_norm("downsample.2" if has_pool else "downsample.1"),
    }
    return _resnet_keys(parts, name)
