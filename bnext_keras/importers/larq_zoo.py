"""Larq Zoo's weight files: Keras' older HDF5 layout, read by the names of layers or by their order.

MeliusNet22's layers have names of their own. Those of the comparison networks do not (``quant_conv2d_7``, counted
through whatever was built before): they are matched by their position among the layers that have weights, and which
network it is follows from the shapes. Larq Zoo trained its networks in Keras, so nothing is turned: these models take
upright images as they are.
"""

import json
import zlib
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path

from bnext_keras import networks
from bnext_keras.errors import StateDictError, UntrustedFileError
from bnext_keras.files import sha256
from bnext_keras.importers.checkpoint import CheckpointError
from bnext_keras.importers.pickle_reader import shown
from bnext_keras.importers.state_dict import check_nothing_amiss, why_no_weight
from bnext_keras.logs import get_logger
from bnext_keras.model_files.hdf5 import open_hdf5

import numpy as np
import tensorflow as tf

log = get_logger(__name__)


#: Networks by what `signature` makes of their weights.
SIGNATURES = {
    4197203167: "QuickNetSmall",
    220664511: "QuickNet",
    3668338655: "QuickNetLarge",
    2858156017: "BiRealNet",
    2006693261: "BinaryResNetE18",
    1811964617: "BinaryDenseNet28",
    240231994: "BinaryDenseNet37",
    323363191: "BinaryDenseNet45",
    172581288: "RealToBinaryNet",
    3996670963: "BinaryAlexNet",
    4257224645: "XNORNet",
    3821805360: "DoReFaNet",
}
#: SHA-256 of the published file of a network whose weights have the shapes of another one's.
DILATED = "15c1bcd79b8dc22971382fbf79acf364a3f51049d0e584a11533e6fdbb7363d3"


def signature(shapes: list[list[tuple[int, ...]]]) -> int:
    """A number that tells networks apart by the shapes of their weights, layer by layer, whatever head they have."""
    if shapes and len(shapes[-1][0]) == 2:
        shapes = shapes[:-1]
    return zlib.crc32(json.dumps(shapes).encode())


def detect(path: str | Path) -> str | None:
    """The network of `bnext_keras.zoo` that a file of Larq Zoo holds, None if it holds none of them.

    Raises:
        CheckpointError: if the file cannot be read.
    """
    try:
        with open_hdf5(path) as file:
            stored = _stored(file.get("model_weights", file))
            found = SIGNATURES.get(signature([[data.shape for data in weights] for weights in stored.values()]))
    except UntrustedFileError as error:
        raise CheckpointError(str(error)) from error
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError):
        return None  # whoever reads it next says what is wrong with it
    return "BinaryDenseNet37Dilated" if found and sha256(Path(path)) == DILATED else found


def import_larq_zoo(
    path: str | Path, network: str, input_size: int | None = None, num_classes: int | None = None
) -> tuple[tf.keras.Model, list[str]]:
    """Makes a network of `bnext_keras.zoo` from Larq Zoo's file of its weights.

    Args:
        path: The file.
        network: Name of the function, as `detect` tells it.
        input_size: Height and width of the images, 224 by default; a multiple of 32 above 64.
        num_classes: Number of classes, 1000 by default. Other numbers are for files without a head.

    Returns:
        The model, whose outputs are logits, and the names of its layers that the file does not have.

    Raises:
        CheckpointError: if the file cannot be read, or the input size does not fit.
        StateDictError: if its layers are not those of the network.
    """
    model = _fresh(network, input_size, num_classes)
    return model, load_larq_zoo_weights(model, path, by_position=True)


def import_meliusnet22(
    path: str | Path, input_size: int | None = None, num_classes: int | None = None
) -> tuple[tf.keras.Model, list[str]]:
    """Makes a MeliusNet22 from Larq Zoo's ``meliusnet22_weights.h5`` or ``meliusnet22_weights_notop.h5``.

    Args:
        path: The file.
        input_size: Height and width of the images, 224 by default; a multiple of 32 above 64.
        num_classes: Number of classes, 1000 by default. Other numbers are for files without a head.

    Returns:
        The model, whose outputs are logits (Larq Zoo's own model ends in a softmax), and the names of its layers that
        the file does not have, as in `load_larq_zoo_weights`.

    Raises:
        CheckpointError: if the file cannot be read, or the input size does not fit.
        StateDictError: if its layers are not those of the model.
    """
    model = _fresh("MeliusNet22", input_size, num_classes)
    return model, load_larq_zoo_weights(model, path)


def _fresh(network, input_size, num_classes):
    size = 224 if input_size is None else input_size
    if size <= 64:
        raise CheckpointError(f"input size {size}: Larq Zoo's {network} is for images above 64")
    function = networks.find(network)
    assert function is not None, network
    try:
        return function(input_shape=(size, size, 3), num_classes=num_classes or 1000)
    except ValueError as error:
        raise CheckpointError(f"input size {size}: {error}") from error


def load_larq_zoo_weights(model: tf.keras.Model, path: str | Path, *, by_position: bool = False) -> list[str]:
    """Sets the weights of a Keras model from a file in the layout of ``model.save_weights("weights.h5")`` in Keras 2.

    Layers are matched by name or by their order, the weights of a layer by their order.

    Args:
        model: A model with the file's layer names, or with its layers in the same order.
        path: The HDF5 file; of a whole model's, the weights are taken.
        by_position: Whether layers are matched by their order among those that have weights.

    Returns:
        The names of layers that keep their fresh weights: none, or the model's last layer if the file has no head.

    Raises:
        CheckpointError: if the file cannot be read as such.
        StateDictError: if layers are missing, left over or of another shape, or their weights are not finite numbers;
            the message lists them, and nothing is changed.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.MeliusNet22()  # doctest: +SKIP
        >>> bnext_keras.importers.load_larq_zoo_weights(model, "meliusnet22_weights.h5")  # doctest: +SKIP
        []
    """
    places = {layer.name: ordered_weights(layer) for layer in model.layers if layer.weights}
    head = list(places)[-1:]
    with _reading(path) as file:
        stored = _stored(file.get("model_weights", file))
        if by_position:
            # A file without a head ends sooner; one with more layers keeps their names, which have no place.
            stored = dict(zip([*places, *list(stored)[len(places) :]], stored.values(), strict=False))
        _check(model.name, places, stored, head)
        pairs = [pair for name in stored for pair in zip(places[name], stored[name], strict=True)]
        values = [(weight, _value(data).astype(weight.dtype.as_numpy_dtype)) for weight, data in pairs]
    for weight, value in values:
        weight.assign(value)
    fresh = [name for name in places if name not in stored]
    if fresh:
        log.warning("%s has no weights for %s, which keeps its fresh ones: train it", path, ", ".join(fresh))
    return fresh


def read_layers(path: str | Path) -> dict[str, list[np.ndarray]]:
    """The weights in a file of ``model.save_weights("weights.h5")`` in Keras 2, by the names of layers that have any.

    Raises:
        CheckpointError: if it cannot be read as such.
        StateDictError: if its weights are not finite numbers.
    """
    with _reading(path) as file:
        return {name: list(map(_value, weights)) for name, weights in _stored(file).items()}


@contextmanager
def _reading(path):
    is_whole = False
    try:
        with open_hdf5(path) as file:
            is_whole = "model_config" in file.attrs
            yield file
    except UntrustedFileError as error:
        raise CheckpointError(str(error)) from error
    except StateDictError as error:
        hint = "it is no file of Larq Zoo's weights but a whole Keras model, which bnext-convert takes as it is"
        raise StateDictError(f"{path}: {hint} ({error})" if is_whole else f"{path}: {error}") from error
    # h5py meets damage with errors of many types.
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a weight file of Keras, or a damaged one ({shown(error)})") from error


def ordered_weights(layer: tf.keras.layers.Layer) -> list[tf.Variable]:
    """A layer's weights as Keras 2 writes them."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _stored(group):
    """{layer: its datasets} of all layers with weights."""
    layers = {name: group[name] for name in _names(group, "layer_names")}
    found = {name: [layer[weight] for weight in _names(layer, "weight_names")] for name, layer in layers.items()}
    return {name: weights for name, weights in found.items() if weights}


def _value(data):
    value = data[()]
    if reason := why_no_weight(value):
        raise StateDictError(f"{shown(data.name)} {reason}")
    return value


def _names(group, attribute):
    """A list of names, which Keras cuts into several attributes where it is long."""
    numbered = takewhile(group.attrs.__contains__, (f"{attribute}{i}" for i in count()))
    parts = [attribute] if attribute in group.attrs else list(numbered)
    if not parts:
        raise KeyError(f"no attribute {attribute}")
    names = [name for part in parts for name in group.attrs[part]]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _check(model_name, places, stored, head):
    missing = [name for name in places if name not in stored and name not in head]
    extra = [name for name in stored if name not in places]
    misshapen = []
    for name in places.keys() & stored.keys():
        expected, found = [tuple(weight.shape) for weight in places[name]], [data.shape for data in stored[name]]
        if expected != found:
            misshapen.append(f"{name} {found} (the model has {expected})")
    check_nothing_amiss(model_name, "layers", missing, extra, misshapen)
