"""Reads Keras models from files, with one clear line for everything that can be wrong with a file."""

import hashlib
import json
import tempfile
import zipfile
from pathlib import Path

import bnext_keras
from bnext_keras.cards import CARDS
from bnext_keras.errors import ConversionError
from bnext_keras.files import check_exists, file_errors_as, sha256
from bnext_keras.text import first_line

import h5py
import tensorflow as tf

#: Names that ``--model`` takes.
ARCHITECTURES = tuple(card.name for card in CARDS)

#: How Keras says that it does not know a layer's class, and Larq that it does not know a quantizer.
_UNKNOWN_CLASS = (
    "Unknown layer",
    "Could not locate class",
    "Cannot deserialize object of type",
    # In a .keras file Keras 2 hands a class that it cannot find to Sequential by its name.
    "The added layer must be an instance of class Layer",
    "Unknown quantization",
)


def load(path: Path, architecture: str | None = None, input_size: int = 224, num_classes: int = 1000) -> tf.keras.Model:
    """Loads a model for inference.

    Args:
        path: A ``.h5`` or ``.keras`` file or a SavedModel folder; with ``architecture`` a file of weights only.
        architecture: One of `ARCHITECTURES`, for a file that holds weights only.
        input_size: Height and width of the architecture's input.
        num_classes: Number of its outputs.

    Raises:
        ConversionError: if there is no such file, or it cannot be read, or it is of another kind.
    """
    path = Path(path)
    with file_errors_as(ConversionError):
        check_exists(path)
    if path.is_dir():
        if not (path / "saved_model.pb").exists():
            raise ConversionError(f"{path}: not a SavedModel folder (it has no saved_model.pb)")
    elif path.suffix == ".keras":
        if not zipfile.is_zipfile(path):
            raise ConversionError(f"{path}: not a Keras file, or a truncated one (it is no zip archive)")
    else:
        has_architecture = _has_architecture(path)
        if architecture is None and not has_architecture:
            raise ConversionError(
                f"{path}: holds weights without an architecture; name it: --model {' | '.join(ARCHITECTURES)}"
            )
        if architecture is not None and has_architecture:
            raise ConversionError(f"{path}: holds a whole model; leave out --model {architecture}")
    if architecture is not None:
        return _with_weights(path, architecture, input_size, num_classes)
    try:
        model = _load_archive(path) if path.suffix == ".keras" else tf.keras.models.load_model(path, compile=False)
    except Exception as error:
        raise ConversionError(f"{path}: {_explain(error)}") from error
    if not isinstance(model, tf.keras.Model):
        raise ConversionError(f"{path}: a SavedModel, but not of a Keras model; save it with model.save()")
    return model


def digest(path: Path) -> str:
    """The SHA-256 of a model's file; of a SavedModel folder, that of its files' names and hashes in their order.

    Raises:
        ConversionError: if it cannot be read.
    """
    try:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
            lines = [f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files]
            return hashlib.sha256("".join(lines).encode()).hexdigest()
        return sha256(path)
    except OSError as error:
        raise ConversionError(f"{path}: cannot be read ({error.strerror or error})") from error


def _load_archive(path):
    """What ``load_model`` does with a ``.keras`` file, five times as fast: Keras reads the weights inside the archive,
    where every seek decompresses from the start."""
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        if set(archive.namelist()) != {"metadata.json", "config.json", "model.weights.h5"}:
            return tf.keras.models.load_model(path, compile=False)
        config = {**json.loads(archive.read("config.json")), "compile_config": None}
        model = tf.keras.saving.deserialize_keras_object(config)
        model.load_weights(archive.extract("model.weights.h5", folder))
    return model


def _has_architecture(path):
    try:
        with h5py.File(path) as file:
            return "model_config" in file.attrs
    except OSError as error:
        raise ConversionError(f"{path}: not a Keras file, or a truncated one (HDF5: {error})") from error


def _with_weights(path, architecture, input_size, num_classes):
    if architecture not in ARCHITECTURES:
        raise ConversionError(f"--model {architecture}: not one of {', '.join(ARCHITECTURES)}")
    if path.is_dir() or path.suffix == ".keras":
        raise ConversionError(f"{path}: holds a whole model; leave out --model {architecture}")
    try:
        shape = (input_size, input_size, 3)
        model = getattr(bnext_keras.models, architecture)(input_shape=shape, num_classes=num_classes)
    except ValueError as error:
        raise ConversionError(f"--input-size {input_size}: {error}") from error
    try:
        model.load_weights(path)
    except Exception as error:
        raise ConversionError(
            f"{path}: not the weights of {architecture} with --num-classes {num_classes} ({first_line(error)})"
        ) from error
    return model


def _explain(error):
    line = first_line(error)
    if any(words in str(error) for words in _UNKNOWN_CLASS):
        return (
            f"{line} The file uses a layer of your own: register it with tf.keras.utils.register_keras_serializable, "
            "import its module, and call converter.convert(path) from Python"
        )
    return f"not readable as a Keras model ({line})"
