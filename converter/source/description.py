"""What a model, its file and the user tell of it: the metadata of the converted file."""

from collections.abc import Sequence
from pathlib import Path

from bnext_keras._version import __version__
from bnext_keras.classes import classes_of
from bnext_keras.errors import ConversionError
from bnext_keras.labels import IMAGENET, IMAGENET_CLASSES, imagenet_labels
from bnext_keras.orientation import is_rotating
from bnext_keras.preprocessing import IMAGENET_MEAN, IMAGENET_STD

import tensorflow as tf

from converter.source.loading import digest
from converter.tflite.metadata import InputOrientation, Metadata


def describe(model: tf.keras.Model, labels: Sequence[str] | None, source: Path | None) -> Metadata:
    """What a converted file is to say about itself.

    Args:
        model: The Keras model.
        labels: The user's names of the classes. By default ImageNet's, if these are the model's classes.
        source: The model's file, None for a model in memory.

    Raises:
        ConversionError: if the labels do not fit the model, or the file cannot be read.
    """
    classes = model.output_shape[-1] if len(model.output_shape) == 2 else 0
    if labels is not None and len(labels) != classes:
        outputs = f"{classes} classes" if classes else f"outputs of shape {model.output_shape}"
        raise ConversionError(f"there are {len(labels)} labels, but model '{model.name}' has {outputs}")
    if labels is not None and any("\n" in label for label in labels):
        raise ConversionError("a label has several lines; each must have one")
    is_imagenet = classes == IMAGENET_CLASSES and classes_of(model) == IMAGENET
    is_normalized = is_imagenet and model.input_shape[-1] == len(IMAGENET_MEAN)
    return Metadata(
        name=model.name,
        input_orientation=InputOrientation.UPRIGHT if is_rotating(model) else InputOrientation.AS_MODEL,
        channels=model.input_shape[-1],
        labels=imagenet_labels() if labels is None and is_imagenet else labels,
        mean=IMAGENET_MEAN if is_normalized else None,
        std=IMAGENET_STD if is_normalized else None,
        source_sha256=digest(source) if source else "",
        version=__version__,
    )
