"""An image classifier read from a Keras or ``.tflite`` file, whichever it is.

>>> import bnext_keras
>>> from converter.predict.classifier import from_keras
>>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
>>> classifier = from_keras(model)
>>> classifier.input_shape, classifier.num_classes
((32, 32, 3), 10)
>>> import numpy as np
>>> round(classifier.probabilities(np.zeros((32, 32, 3), np.float32)).sum(), 6)
1.0

TensorFlow is imported for a Keras model only; a ``.tflite`` file answers in a fraction of the time that it takes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bnext_keras.cli._tool import silenced
from bnext_keras.errors import ConversionError, PredictionError
from bnext_keras.files import check_exists, file_errors_as
from bnext_keras.preprocessing import Normalization

import numpy as np

from converter.tflite.classification import (
    check_one_each,
    check_shapes,
    check_tflite,
    of_pixels,
    stated_normalization,
)
from converter.tflite.classification import wants_rotated_images as wants_rotated
from converter.tflite.engine import INT4_REASON, EngineUnavailable, open_engine
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import OneImageInterpreter
from converter.tflite.isolated import InterpreterError, IsolatedInterpreter
from converter.tflite.metadata import Metadata, read_metadata

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Classifier:
    """A model from one image to one number per class.

    Attributes:
        input_shape: ``(height, width, channels)`` of an image.
        num_classes: Number of classes.
        run: From a float32 batch of one image to the model's output, logits or probabilities. Pixels are rounded.
        metadata: What the model says about itself, None if it says nothing.
        takes_pixels: Whether images are pixels from 0 to 255, which the model normalizes itself.
        note: Why a ``.tflite`` file does not run in the engine though that was not ruled out; empty if it does.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    run: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    metadata: Metadata | None = None
    note: str = ""
    takes_pixels: bool = False

    @property
    def wants_rotated_images(self) -> bool:
        """Whether images must be turned by 180 degrees for this model, as its file says."""
        return wants_rotated(self.metadata)

    @property
    def normalization(self) -> Normalization | None:
        """How images are normalized, as the model states it; None if it does not.

        Raises:
            PredictionError: if that does not fit its channels.
        """
        if self.takes_pixels:
            return of_pixels(None, self.input_shape[-1])
        return stated_normalization(self.metadata, self.input_shape[-1])

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Answers for one image, float64 and summing to one.

        Raises:
            PredictionError: if the model's answers are not finite.
        """
        return to_probabilities(self.run(image[np.newaxis])[0])


def to_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Softmax of one image's logits; outputs that went through one already are returned as they are.

    Outputs that are nowhere negative and sum to one are taken for probabilities: logits all but never do.

    Example:
        >>> import numpy as np
        >>> to_probabilities(np.array([0.0, np.log(3.0)])).round(3).tolist()
        [0.25, 0.75]
        >>> to_probabilities(np.array([0.25, 0.75])).tolist()
        [0.25, 0.75]
    """
    outputs = np.asarray(outputs, np.float64)
    if not np.isfinite(outputs).all():
        raise PredictionError("the model's answers are not finite (infinite or NaN)")
    if (outputs >= 0).all() and abs(outputs.sum() - 1) < 1e-3:
        return outputs
    exponentials = np.exp(outputs - outputs.max())
    return exponentials / exponentials.sum()


def load_classifier(
    path: Path,
    *,
    architecture: str | None = None,
    input_size: int | None = None,
    num_classes: int = 1000,
    threads: int = 1,
    trusted: bool = False,
    runner: str = "",
) -> Classifier:
    """Reads a classifier from a file.

    Args:
        path: A ``.tflite`` file, or what `converter.source.loading.load` takes: a ``.h5`` or ``.keras`` file or a
            SavedModel folder.
        architecture: For a file that holds weights only, the name of the model in `bnext_keras.models`.
        input_size: Height and width of that model's input, 224 by default; or of images for a model of any size. Of a
            ``.tflite`` file, which has a size of its own, no other one.
        num_classes: Number of its classes.
        threads: For a ``.tflite`` file, how many threads it runs on.
        trusted: Whether whoever made a Keras file may run code here (`bnext_keras.model_files`).
        runner: What runs a ``.tflite`` file, see `from_tflite`.

    Raises:
        PredictionError: if the model does not classify images.
        ConversionError: if the file cannot be read as a Keras model.
    """
    path = Path(path)
    with file_errors_as(PredictionError):
        check_exists(path)
    try:
        if path.suffix.lower() == ".tflite":
            if architecture is not None:
                raise PredictionError(f"holds a whole model; leave out --model {architecture}")
            classifier = from_tflite(path.read_bytes(), threads, runner)
            height, width, _ = classifier.input_shape
            if input_size is not None and (height, width) != (input_size, input_size):
                raise PredictionError(
                    f"takes images of {height} x {width}, not of another size",
                    remedy=f"leave out --input-size {input_size}",
                )
            return classifier
        with silenced():
            from converter.source.loading import load
        return from_keras(load(path, architecture, input_size, num_classes, trusted=trusted))
    except PredictionError as error:
        raise PredictionError(f"{path}: {error}") from error
    except OSError as error:
        raise PredictionError(f"{path}: cannot be read ({error.strerror or error})") from error


def from_keras(model: "tf.keras.Model") -> Classifier:
    """A classifier from a Keras model of one image and one output, logits or probabilities."""
    check_one_each(model.inputs or [], model.outputs or [])
    input_shape, num_classes = check_shapes(tuple(model.inputs[0].shape[1:]), tuple(model.outputs[0].shape[1:]))
    from converter.source.description import describe

    kind = model.inputs[0].dtype.as_numpy_dtype

    def run(batch):
        return np.asarray(model.predict_on_batch(_of_type(batch, kind)))

    return Classifier(input_shape, num_classes, run, describe(model), takes_pixels=kind == np.uint8)


def from_tflite(content: bytes, threads: int = 1, runner: str = "") -> Classifier:
    """A classifier from the bytes of a ``.tflite`` file.

    It is run by this project's engine, or by LCE's interpreter in a process of its own.

    Args:
        content: The bytes.
        threads: How many threads it runs on.
        runner: ``bnext`` for the engine, ``lce``, or empty for the engine where it can run the file and LCE elsewhere.

    Raises:
        PredictionError: if it is no such file, does not classify images, or ends the interpreter; when it runs, too.
    """
    try:
        file = Flatbuffer(content)
        metadata = read_metadata(content, file)
    except ConversionError as error:
        raise PredictionError(str(error)) from error
    interpreter, note = _open(content, threads, runner, in_lce=not file.has_int4)
    input_shape, num_classes = check_tflite(
        interpreter.input_shapes, interpreter.input_types, interpreter.output_shapes, interpreter.output_types
    )

    kind, size = interpreter.input_types[0], interpreter.input_shapes[0][0]

    def run(batch):
        try:
            # Of a file of several images at once, the others are the same one.
            (answers,) = interpreter.run([np.repeat(_of_type(batch, kind), size, axis=0)])
        except InterpreterError as error:
            raise PredictionError(str(error)) from error
        # What a file declares need not be what comes out.
        if answers.shape != (size, num_classes) or answers.dtype != np.float32:
            raise PredictionError(f"gives {answers.dtype} of shape {answers.shape}, against its own declaration")
        return answers[:1]

    takes_pixels = bool(file.inputs) and file.type(file.inputs[0]) == "UINT8"
    return Classifier(input_shape, num_classes, run, metadata, note, takes_pixels)


def _of_type(batch, kind):
    return batch if np.dtype(kind).kind == "f" else np.clip(np.rint(batch), 0, 255).astype(kind)


def _open(content: bytes, threads: int, runner: str, *, in_lce: bool) -> tuple[OneImageInterpreter, str]:
    """What runs a file, and why it is not the engine if it could have been; LCE only if it can read the file."""
    note = ""
    if runner == "lce" and not in_lce:
        raise PredictionError(f"{INT4_REASON}; leave out --runner lce")
    if runner != "lce":
        try:
            return open_engine(content, threads=threads), ""
        except EngineUnavailable as error:
            if runner == "bnext" or not in_lce:
                raise PredictionError(str(error)) from error
            note = error.what
    try:
        return IsolatedInterpreter(content, threads=threads, kernels="indirect"), note
    except InterpreterError as error:
        raise PredictionError(str(error)) from error
