"""Weights of a network from whatever file has them, for a network that may end otherwise than the file's.

This is what the constructors' ``weights=`` does. `bnext_keras.cli.import_` makes whole models of published files; here
a model is there already, perhaps without a classifier or with another one, and takes what belongs to it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bnext_keras.classes import stated
from bnext_keras.errors import FileError, UserError
from bnext_keras.files import check_exists
from bnext_keras.importers.checkpoint import read_checkpoint
from bnext_keras.importers.larq_zoo import detect as detect_larq_zoo
from bnext_keras.importers.larq_zoo import import_larq_zoo, ordered_weights, read_layers
from bnext_keras.importers.released import import_bnext
from bnext_keras.importers.released_zoo import detect as detect_released
from bnext_keras.importers.released_zoo import import_zoo
from bnext_keras.importers.state_dict import check_nothing_amiss
from bnext_keras.logs import get_logger
from bnext_keras.model_files import load_model, open_hdf5
from bnext_keras.orientation import is_rotating
from bnext_keras.preprocessing import Normalization

import numpy as np
import tensorflow as tf

log = get_logger(__name__)

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass
class Pretrained:
    """The weights of a file.

    Attributes:
        path: The file.
        layers: The weights of each layer that has any, by the layer's name and in Keras' order.
        is_turned: Whether they want their images turned by 180 degrees, see `bnext_keras.orientation`.
        normalization: How they want their images normalized, if the file says so.
        class_names: What the file calls its classes, if it does.
        wants_fresh_head: Whether the network's classes are others than the file's though there may be as many of them.
    """

    path: Path
    layers: Mapping[str, list[np.ndarray]]
    is_turned: bool = False
    normalization: Normalization | None = None
    class_names: tuple[str, ...] | None = None
    wants_fresh_head: bool = False

    def for_classes(self, names: Collection[str] | None) -> "Pretrained":
        """The same for a network of classes of these names: if the file's are others, it is to get a fresh head."""
        is_other = None not in (names, self.class_names) and tuple(names or ()) != self.class_names
        return replace(self, wants_fresh_head=is_other)

    def put_into(self, model: tf.keras.Model, top: Collection[str] = ()) -> list[str]:
        """Sets the weights of a model.

        Args:
            model: A model with the file's layers, those of its classifier aside.
            top: Names of the layers of its classifier.

        Returns:
            The names of layers that keep their fresh weights: those of the top that the file does not have, or has for
            another number of classes, or for others.

        Raises:
            StateDictError: if other layers are missing, left over or of another shape; nothing is changed then.
        """
        places = {layer.name: layer for layer in model.layers if layer.weights}
        missing = [name for name in places if name not in self.layers]
        misshapen = {}
        for name in places.keys() & self.layers.keys():
            expected, found = map(_shapes, (ordered_weights(places[name]), self.layers[name]))
            if expected != found:
                misshapen[name] = f"{name} {found} (the model has {expected})"
        # A classifier that the model does without stands at the file's end.
        order = list(self.layers)
        last = max((order.index(name) for name in places if name in self.layers), default=-1)
        # A pool alone is no classifier.
        has_classifier = not places.keys().isdisjoint(top)
        extra = [name for i, name in enumerate(order) if name not in places and (i < last or has_classifier)]
        last_of_top = next((name for name in reversed(places) if name in top), None)
        fresh = [
            name
            for name in places
            if name in top and (name in missing or name in misshapen or (self.wants_fresh_head and name == last_of_top))
        ]
        wrong = [text for name, text in misshapen.items() if name not in fresh]
        check_nothing_amiss(model.name, "layers", [name for name in missing if name not in fresh], extra, wrong)
        for name, layer in places.items():
            if name not in fresh:
                for weight, value in zip(ordered_weights(layer), self.layers[name], strict=True):
                    weight.assign(value)
        if fresh:
            classes = "these classes in" if self.wants_fresh_head else ""
            what = f"no weights for {classes} {', '.join(fresh)}".replace("  ", " ")
            log.warning("%s has %s, which keeps its fresh ones: train it", self.path, what)
        return fresh


def read_pretrained(path: str | Path) -> Pretrained:
    """Reads the weights of a published checkpoint, of Larq Zoo's or of one's own file; nothing that it brings is run.

    Args:
        path: A PyTorch checkpoint (see `bnext_keras.importers.read_checkpoint`), Larq Zoo's weights, or a model or
            weights that Keras saved (``.h5``, ``.keras`` or a SavedModel folder).

    Raises:
        FileError: if it cannot be read.
        CheckpointError: if it is a PyTorch checkpoint of no network of this package.
    """
    path = Path(path)
    if not path.exists() and str(path) in ("imagenet", "noisy-student"):
        raise UserError(
            "nothing is downloaded",
            where=f"weights={str(path)!r}",
            remedy="give the path of a file: a published checkpoint, Larq Zoo's weights, or your own model",
        )
    check_exists(path)
    if path.is_dir() or path.suffix == ".keras":
        return _of_model(path, load_model(path))
    try:
        with path.open("rb") as file:
            is_hdf5 = file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE
    except OSError as error:
        raise FileError(f"cannot be read ({error.strerror})", where=str(path)) from error
    if is_hdf5:
        return _hdf5(path)
    state_dict = read_checkpoint(path).state_dict
    found = detect_released(state_dict)
    model = import_bnext(path).model if found is None else import_zoo(path, state_dict, found)[0]
    return _of_model(path, model)


def _hdf5(path):
    with open_hdf5(path) as file:
        is_whole = "model_config" in file.attrs
    if is_whole:
        return _of_model(path, load_model(path))
    network = detect_larq_zoo(path)
    return (
        Pretrained(path, read_layers(path)) if network is None else _of_model(path, import_larq_zoo(path, network)[0])
    )


def _of_model(path, model):
    layers = {
        layer.name: [weight.numpy() for weight in ordered_weights(layer)] for layer in model.layers if layer.weights
    }
    known = stated(model)
    return Pretrained(path, layers, is_rotating(model), known.normalization, known.class_names)


def _shapes(arrays):
    return [tuple(array.shape) for array in arrays]
