"""What a model, its file and the user tell of it: the metadata of the converted file."""

from collections.abc import Sequence
from pathlib import Path

from bnext_keras._version import __version__
from bnext_keras.classes import stated
from bnext_keras.errors import ConversionError
from bnext_keras.orientation import is_rotating
from bnext_keras.preprocessing import Normalization

import tensorflow as tf

from converter.graph import ANSWER
from converter.source.interface import input_names, output_names
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
    shapes = [tuple(output.shape) for output in model.outputs]
    classes = [shape[-1] for shape in shapes if len(shape) == 2]
    if labels is not None and classes.count(len(labels)) != 1:
        of_shapes = f"outputs of shape {', '.join(map(str, shapes))}"
        outputs = f"{classes[0]} classes" if len(shapes) == len(classes) == 1 else of_shapes
        raise ConversionError(f"there are {len(labels)} labels, but model '{model.name}' has {outputs}")
    if labels is not None and any("\n" in label for label in labels):
        raise ConversionError("a label has several lines; each must have one")
    images = [tensor.shape for tensor in model.inputs if len(tensor.shape) == 4] or [model.inputs[0].shape]
    answers = output_names(model)
    known, channels = stated(model), images[0][-1]
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
        inputs=tuple(input_names(model)),
        outputs=("logits",) if answers == [ANSWER] else tuple(answers),
    )
