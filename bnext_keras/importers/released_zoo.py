"""From a checkpoint of a comparison network's released PyTorch code to a ready Keras model, without PyTorch.

Which network it is follows from the names and shapes in the checkpoint. Of ReActNet, its ResNet-18 and Group-Net
checkpoints are published; those of Bi-Real Net and BoolNet are one's own, trained with their authors' code.
torchvision's ResNet-18 and -34, which taught some of them, are read too.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bnext_keras import networks
from bnext_keras.errors import StateDictError
from bnext_keras.importers.checkpoint import CheckpointError
from bnext_keras.importers.state_dict import zero_weights
from bnext_keras.importers.zoo import (
    load_birealnet_state_dict,
    load_boolnet_state_dict,
    load_groupnet_state_dict,
    load_reactnet_state_dict,
    load_resnet_state_dict,
)
from bnext_keras.orientation import add_rotation

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Found:
    """What network a checkpoint holds.

    Attributes:
        network: Name of the function in `bnext_keras.zoo` or `bnext_keras.teachers`.
        load: What sets its weights.
        options: Keyword arguments of that function.
        is_turned: Whether it then wants its images turned by 180 degrees, see `bnext_keras.orientation`.
    """

    network: str
    load: Callable[[tf.keras.Model, Mapping[str, np.ndarray]], tf.keras.Model]
    options: Mapping[str, Any] = field(default_factory=dict)
    is_turned: bool = True


def detect(state_dict: Mapping[str, np.ndarray]) -> Found | None:
    """Which comparison network a state dict belongs to, None if it is none of them.

    Raises:
        CheckpointError: if it is one of a form that the zoo does not have.

    Example:
        >>> from bnext_keras.importers.released_zoo import detect
        >>> detect({"layer1.0.move0.bias": None}).network
        'ReActResNet18'
        >>> detect({"conv1.weight": None}) is None
        True
    """
    if "feature.1.binary_3x3.weights" in state_dict:
        return Found("ReActNetA", load_reactnet_state_dict)
    if "layer1.0.move0.bias" in state_dict:
        return Found("ReActResNet18", load_reactnet_state_dict)
    if "layer1.0.binary_conv.weights" in state_dict:
        is_34 = "layer1.4.binary_conv.weights" in state_dict
        return Found("BiRealNet34" if is_34 else "BiRealNet18", load_birealnet_state_dict)
    if "layers.0.down_conv1x1.weight" in state_dict:
        return Found("BiRealNet50", load_birealnet_state_dict)
    if "layer1.0.conv1.0.weight" in state_dict:
        return _groupnet(state_dict)
    if "layer1.0.ghostsign1.temperature" in state_dict:
        return _boolnet(state_dict)
    if {"conv1.weight", "layer1.0.conv1.weight", "layer1.0.bn2.weight", "layer4.1.conv2.weight"} <= set(state_dict):
        return _resnet(state_dict)
    return None


def _resnet(state_dict):
    stages = [key.split(".")[0] for key in state_dict if re.fullmatch(r"layer[1-4]\.\d+\.conv1\.weight", key)]
    blocks = tuple(stages.count(f"layer{stage}") for stage in range(1, 5))
    if "layer1.0.conv3.weight" in state_dict or blocks not in _RESNETS:
        raise CheckpointError(f"a ResNet of {', '.join(map(str, blocks))} blocks; known are ResNet-18 and ResNet-34")
    return Found(_RESNETS[blocks], load_resnet_state_dict, is_turned=False)


_RESNETS = {(2, 2, 2, 2): "ResNet18", (3, 4, 6, 3): "ResNet34"}


def _groupnet(state_dict):
    if any(key.startswith("layer1.2.") for key in state_dict):
        raise CheckpointError("a Group-Net of 34 layers or more, which bnext_keras.zoo does not have")
    options = {
        "bases": sum(re.fullmatch(r"layer1\.0\.conv1\.\d+\.weight", key) is not None for key in state_dict),
        "gates": any(key.endswith(".block_gate") for key in state_dict),
        "scales": any(".scales." in key for key in state_dict),
    }
    return Found("GroupNet18", load_groupnet_state_dict, options)


def _boolnet(state_dict):
    inputs = (*np.shape(state_dict.get("layer2.0.downsample.0.weight")), 0, 0)[1]
    if "ghostbnsign.bn1.weight" not in state_dict:
        return Found("BaseNet", load_boolnet_state_dict, {"slices": inputs // 64 or 1})
    # Without a pool there, the last stage keeps its resolution.
    is_star = "layer4.0.downsample.1.running_mean" in state_dict
    network = "BoolNetStar" if is_star else "BoolNet"
    return Found(network, load_boolnet_state_dict, {"slices": inputs // 128 or 2})


def import_zoo(
    path: str | Path, state_dict: Mapping[str, np.ndarray], found: Found, input_size: int | None = None
) -> tuple[tf.keras.Model, list[str]]:
    """Makes a Keras model from a state dict of a comparison network's released code.

    Args:
        path: Where it is from, for messages.
        state_dict: Arrays by PyTorch's names, as `bnext_keras.importers.read_checkpoint` reads them.
        found: What `detect` has made of it.
        input_size: Height and width of the images, 224 by default; a multiple of 32 above 64.

    Returns:
        The model, which takes upright images and computes the checkpoint's logits, and in which ways, if any, it does
        not compute exactly what the checkpoint's network does.

    Raises:
        CheckpointError: if the input size does not fit, or there is no head.
        StateDictError: if entries are missing, left over or of another shape; the message lists them.
    """
    size = 224 if input_size is None else input_size
    if size <= 64:
        raise CheckpointError(f"input size {size}: {found.network}'s released code is for images above 64")
    head = state_dict.get("fc.weight")
    if head is None or np.ndim(head) != 2:
        raise CheckpointError(f"{path}: a {found.network} without a head, fc.weight")
    function = networks.find(found.network)
    assert function is not None, found.network
    try:
        model = function(input_shape=(size, size, 3), num_classes=len(head), **found.options)
    except ValueError as error:
        raise CheckpointError(f"{path}, input size {size}: {error}") from error
    if found.is_turned:
        model = add_rotation(model)
    try:
        found.load(model, state_dict)
    except StateDictError as error:
        raise StateDictError(f"{path}: {error}") from error
    kernels = [
        layer.kernel.numpy()
        for layer in model.layers
        if getattr(getattr(layer, "kernel_quantizer", None), "precision", None) == 1
    ]
    zeros = sum(int(np.sum(kernel == 0)) for kernel in kernels)
    return model, zero_weights(zeros, sum(kernel.size for kernel in kernels))
