"""Reads Keras models from files, with one clear line for everything that can be wrong with a file."""

import hashlib
import logging
from contextlib import contextmanager
from pathlib import Path

import bnext_keras
from bnext_keras.cards import CARDS
from bnext_keras.errors import ConversionError
from bnext_keras.files import check_exists, file_errors_as, sha256
from bnext_keras.model_files import load_model, open_hdf5
from bnext_keras.text import first_line

import tensorflow as tf

from converter.source.rebuilding import of_size

#: Names that ``--model`` takes.
ARCHITECTURES = tuple(card.name for card in CARDS)


def load(
    path: Path,
    architecture: str | None = None,
    input_size: int | None = None,
    num_classes: int = 1000,
    *,
    trusted: bool = False,
) -> tf.keras.Model:
    """Loads a model for inference, without running anything that its file brings (`bnext_keras.model_files`).

    Args:
        path: A ``.h5`` or ``.keras`` file or a SavedModel folder; with ``architecture`` a file of weights only.
        architecture: One of `ARCHITECTURES`, for a file that holds weights only.
        input_size: Height and width of the architecture's input, 224 by default; or that of a whole model which
            takes images of any size.
        num_classes: Number of its outputs.
        trusted: Whether whoever made the file may run code here.

    Raises:
        ConversionError: if there is no such file, or it cannot be read, or it is of another kind, or it names what is
            not known to be harmless.
    """
    path = Path(path)
    with file_errors_as(ConversionError):
        check_exists(path)
    with file_errors_as(ConversionError):
        if path.is_dir():
            if not (path / "saved_model.pb").exists():
                raise _no_saved_model(path)
        elif path.suffix != ".keras":
            has_architecture = _has_architecture(path)
            if architecture is None and not has_architecture:
                raise ConversionError(
                    f"{path}: holds weights without an architecture; name it: --model {' | '.join(ARCHITECTURES)}; "
                    "of another network, rebuild it in Python, load these weights and save it whole with model.save()"
                )
            if architecture is not None and has_architecture:
                raise ConversionError(f"{path}: holds a whole model; leave out --model {architecture}")
        if architecture is not None:
            return _with_weights(path, architecture, input_size or 224, num_classes)
        with _without_advice_on_training():
            return of_size(load_model(path, trusted=trusted), input_size)


@contextmanager
def _without_advice_on_training():
    """Keeps Larq from warning of kernels without constraints, which matter while they are trained."""
    larq = logging.getLogger("larq")
    level = larq.level
    larq.setLevel(logging.ERROR)
    try:
        yield
    finally:
        larq.setLevel(level)


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


def _has_architecture(path):
    with open_hdf5(path) as file:
        return "model_config" in file.attrs


def _no_saved_model(folder):
    """What is wrong with a folder; that of a training run has models in it."""
    found = [folder / name for name in ("best.h5", "final.h5") if (folder / name).is_file()]
    found += sorted(file for file in folder.iterdir() if file.suffix in (".h5", ".keras") and file not in found)
    remedy = f"name the file in it: {found[0]}" if found else ""
    return ConversionError("not a SavedModel folder (it has no saved_model.pb)", where=str(folder), remedy=remedy)


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
