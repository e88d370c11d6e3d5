"""What an application needs to know of a ``.tflite`` file: its plan, its images and the names of its classes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bnext_keras.errors import ConversionError, FileError, PredictionError
from bnext_keras.labels import choose_labels, read_labels
from bnext_keras.preprocessing import Normalization, choose_normalization

from android_demo.runner.compiler import compile_plan
from android_demo.runner.plan import read_interface
from converter.tflite.classification import check_tflite, of_pixels, stated_normalization, wants_rotated_images
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.metadata import Metadata, read_metadata


@dataclass(frozen=True)
class ExportedModel:
    """A network that classifies images, as applications carry it.

    Attributes:
        name: What it is called.
        plan: The engine's file.
        input_shape: ``(height, width, channels)`` of an image.
        num_classes: Number of classes.
        labels: Their names, None if they have none.
        normalization: How its images are normalized, for each channel.
        turned: Whether its images are turned by 180 degrees.
        assumed: What of this its file does not say, in words.
    """

    name: str
    plan: bytes = field(repr=False)
    input_shape: tuple[int, int, int]
    num_classes: int
    labels: Sequence[str] | None = field(repr=False)
    normalization: Normalization
    turned: bool
    assumed: str


def read_plan(model: Path) -> tuple[bytes, Metadata | None]:
    """The engine's plan of a ``.tflite`` file, and what the file says of itself.

    Raises:
        FileError: if it cannot be read.
        ConversionError: if it is damaged, or has an operator that the engine lacks.
    """
    _, plan, metadata = _read(model)
    return plan, metadata


def _read(model):
    """A file's tables, its plan and what it says of itself."""
    try:
        content = model.read_bytes()
    except OSError as error:
        raise FileError(f"cannot be read ({error.strerror or error})", where=str(model)) from error
    try:
        file = Flatbuffer(content)
        return file, compile_plan(file), read_metadata(content, file)
    except ConversionError as error:
        raise ConversionError(str(error), where=str(model)) from error


def read_model(
    model: Path, *, labels: Path | None = None, normalization: Normalization | None = None, name: str = ""
) -> ExportedModel:
    """Reads a ``.tflite`` file.

    Args:
        model: The file.
        labels: A file of the classes' names instead of those that the model's own has.
        normalization: How images are normalized, instead of what the file says.
        name: What the network is called instead of what the file says.

    Raises:
        FileError: if a file cannot be read.
        PredictionError: if it does not classify images, or the names do not fit it.
        ConversionError: if it is damaged, or has an operator that the engine lacks.
    """
    given = read_labels(labels) if labels else None
    file, plan, metadata = _read(model)
    try:
        found = read_interface(plan)
        input_shape, num_classes = check_tflite(
            found.input_shapes, found.input_types, found.output_shapes, found.output_types
        )
        own_scale = stated_normalization(metadata, input_shape[-1])
    except PredictionError as error:
        raise PredictionError(str(error), where=str(model)) from error
    if file.type(file.inputs[0]) == "UINT8":
        own_scale = of_pixels(normalization, input_shape[-1], str(model))
    scale, of_scale = choose_normalization(input_shape[-1], normalization, own_scale)
    names, of_names = choose_labels(num_classes, given, labels, metadata.labels if metadata else None)
    return ExportedModel(
        name=name or (metadata and metadata.name) or model.stem,
        plan=plan,
        input_shape=input_shape,
        num_classes=num_classes,
        labels=names,
        normalization=scale.of_channels(input_shape[-1]),
        turned=wants_rotated_images(metadata),
        assumed="; ".join(filter(None, (of_scale, of_names))),
    )
