"""What a model, its file and the user tell of it: the metadata of the converted file."""

from collections.abc import Sequence
from pathlib import Path

from bnext_keras._version import __version__
from bnext_keras.classes import stated
from bnext_keras.errors import ConversionError
from bnext_keras.orientation import is_rotating
from bnext_keras.preprocessing import Normalization

import tensorflow as tf

from converter.source.loading import digest
from converter.tflite.metadata import InputOrientation, Metadata


def describe(
    model: tf.keras.Model,
    labels: Sequence[str] | None = None,
    normalization: Normalization | None = None,
    source: Path | None = None,
) -> Metadata:
    """What a converted file is to say about itself.

    Args:
        model: The Keras model.
        labels: The user's names of the classes. By default those that the model states (`bnext_keras.classes.stated`).
        normalization: The user's statement of how images are normalized. By default the model's own.
        source: The model's file, None for a model in memory.

    Raises:
        ConversionError: if labels or normalization do not fit the model, or the file cannot be read.
    """
    classes = model.output_shape[-1] if len(model.output_shape) == 2 else 0
    if labels is not None and len(labels) != classes:
        outputs = f"{classes} classes" if classes else f"outputs of shape {model.output_shape}"
        raise ConversionError(f"there are {len(labels)} labels, but model '{model.name}' has {outputs}")
    if labels is not None and any("\n" in label for label in labels):
        raise ConversionError("a label has several lines; each must have one")
    known, channels = stated(model), model.input_shape[-1]
    try:
        normalization = known.normalization if normalization is None else normalization.of_channels(channels)
    except ValueError as error:
        raise ConversionError(f"model '{model.name}': {error}") from error
    return Metadata(
        name=model.name,
        input_orientation=InputOrientation.UPRIGHT if is_rotating(model) else InputOrientation.AS_MODEL,
        channels=channels,
        labels=known.class_names if labels is None else labels,
        mean=normalization and normalization.mean,
        std=normalization and normalization.std,
        source_sha256=digest(source) if source else "",
        version=__version__,
    )
