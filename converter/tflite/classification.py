"""Whether a model classifies images, whoever runs it: what it takes and gives, and what its file says of its images."""

from collections.abc import Sequence

from bnext_keras.errors import PredictionError
from bnext_keras.preprocessing import Normalization
from bnext_keras.text import counted

import numpy as np

from converter.tflite.metadata import InputOrientation, Metadata

#: Height and width for a model that takes images of any size: the published evaluation's.
ANY_SIZE = 224


def check_one_each(inputs: Sequence, outputs: Sequence) -> None:
    """Raises PredictionError unless there is one input and one output."""
    if len(inputs) != 1 or len(outputs) != 1:
        raise PredictionError(
            f"has {counted(len(inputs), 'input')} and {counted(len(outputs), 'output')}, but must have one each",
            remedy="make a Keras model of its image and its classes alone, or run it with an Interpreter",
        )


def check_shapes(inputs: tuple, outputs: tuple) -> tuple[tuple[int, int, int], int]:
    """``(height, width, channels)`` of an image, and the number of classes.

    Args:
        inputs: Shape of an input, without the batch. None as a height or width stands for any.
        outputs: Shape of an output, likewise.

    Raises:
        PredictionError: if these are no image and no numbers of classes.

    Example:
        >>> check_shapes((None, 32, 3), (10,))
        ((224, 32, 3), 10)
    """
    if len(inputs) != 3 or inputs[-1] not in (1, 3):
        raise PredictionError(f"takes inputs of shape {inputs}, but must take images of 1 or 3 channels")
    if len(outputs) != 1 or outputs[0] is None or outputs[0] < 2:
        raise PredictionError(f"gives outputs of shape {outputs}, but must give one number for each of several classes")
    height, width, channels = inputs
    return (int(height or ANY_SIZE), int(width or ANY_SIZE), int(channels)), int(outputs[0])


def check_tflite(
    input_shapes: Sequence[tuple[int, ...]],
    input_types: Sequence[type],
    output_shapes: Sequence[tuple[int, ...]],
    output_types: Sequence[type],
) -> tuple[tuple[int, int, int], int]:
    """The same for a ``.tflite`` file, whose shapes begin with the batch: it takes float32 images, or uint8 pixels.

    Raises:
        PredictionError: if it does not classify images.
    """
    check_one_each(input_shapes, output_shapes)
    if input_types[0] not in (np.float32, np.uint8) or output_types[0] != np.float32 or not input_shapes[0]:
        raise PredictionError(
            f"takes {input_shapes[0]} {np.dtype(input_types[0])} and gives {np.dtype(output_types[0])}, but must take "
            "images of float32 or uint8 and give float32"
        )
    return check_shapes(input_shapes[0][1:], output_shapes[0][1:])


def of_pixels(given: Normalization | None, channels: int, where: str = "") -> Normalization:
    """The normalization of a file that takes pixels as they are: none.

    Args:
        given: What the user says.
        channels: Of an image.
        where: The file, for the error.

    Raises:
        PredictionError: if the user says otherwise.
    """
    own = Normalization.of_scale(255).of_channels(channels)
    if given is not None and given.of_channels(channels) != own:
        raise PredictionError(
            "takes pixels from 0 to 255 as they are; leave out --mean, --std and --scale, it normalizes them itself",
            where=where,
        )
    return own


def wants_rotated_images(metadata: Metadata | None) -> bool:
    """Whether images must be turned by 180 degrees, as the file says."""
    return metadata is not None and metadata.input_orientation is InputOrientation.ROTATED_180


def stated_normalization(metadata: Metadata | None, channels: int) -> Normalization | None:
    """How images are normalized, as the file states it; None if it does not.

    Raises:
        PredictionError: if that does not fit its channels.
    """
    try:
        stated = metadata.normalization if metadata else None
        return stated.of_channels(channels) if stated else None
    except ValueError as error:
        message = "the file's metadata is damaged (its normalization does not fit the model's channels)"
        raise PredictionError(message) from error
