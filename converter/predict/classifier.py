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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bnext_keras.cli._tool import silenced
from bnext_keras.errors import ConversionError, PredictionError
from bnext_keras.files import check_exists, file_errors_as
from bnext_keras.preprocessing import IMAGENET_MEAN, IMAGENET_STD

import numpy as np

from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.isolated import InterpreterError, IsolatedInterpreter
from converter.tflite.metadata import InputOrientation, Metadata, read_metadata

if TYPE_CHECKING:
    import tensorflow as tf

#: Height and width for a model that takes images of any size: the published evaluation's.
ANY_SIZE = 224


@dataclass(frozen=True)
class Classifier:
    """A model from one image to one number per class.

    Attributes:
        input_shape: ``(height, width, channels)`` of an image.
        num_classes: Number of classes.
        run: From a float32 batch of one image to the model's output, logits or probabilities.
        metadata: What the file says about itself, None if it says nothing.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    run: Callable[[np.ndarray], np.ndarray]
    metadata: Metadata | None = None

    @property
    def wants_rotated_images(self) -> bool:
        """Whether images must be turned by 180 degrees for this model, as its file says."""
        return self.metadata is not None and self.metadata.input_orientation is InputOrientation.ROTATED_180

    @property
    def normalization(self) -> dict[str, tuple[float, ...]]:
        """The ``mean`` and ``std`` of `bnext_keras.preprocessing.load_image`: the file's own, or else ImageNet's.

        Raises:
            PredictionError: if the file's do not fit its channels.
        """
        channels, metadata = self.input_shape[-1], self.metadata
        if metadata is None or metadata.mean is None:
            return {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
        mean, std = tuple(metadata.mean), tuple(metadata.std or ())
        if len(mean) != channels or len(std) != channels or not all(std):
            message = "the file's metadata is damaged (its normalization does not fit the model's channels)"
            raise PredictionError(message)
        return {"mean": mean, "std": std}

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
) -> Classifier:
    """Reads a classifier from a file.

    Args:
        path: A ``.tflite`` file, or what `converter.source.loading.load` takes: a ``.h5`` or ``.keras`` file or a
            SavedModel folder.
        architecture: For a file that holds weights only, the name of the model in `bnext_keras.models`.
        input_size: Height and width of that model's input, 224 by default; or of images for a model of any size.
        num_classes: Number of its classes.
        threads: For a ``.tflite`` file, how many threads it runs on.
        trusted: Whether whoever made a Keras file may run code here (`bnext_keras.model_files`).

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
            return from_tflite(path.read_bytes(), threads)
        with silenced():
            from converter.source.loading import load
        return from_keras(load(path, architecture, input_size, num_classes, trusted=trusted))
    except PredictionError as error:
        raise PredictionError(f"{path}: {error}") from error
    except OSError as error:
        raise PredictionError(f"{path}: cannot be read ({error.strerror or error})") from error


def from_keras(model: "tf.keras.Model") -> Classifier:
    """A classifier from a Keras model of one image and one output, logits or probabilities."""
    _check_one_each(model.inputs or [], model.outputs or [])
    input_shape, num_classes = _check_shapes(tuple(model.inputs[0].shape[1:]), tuple(model.outputs[0].shape[1:]))
    return Classifier(input_shape, num_classes, lambda batch: np.asarray(model.predict_on_batch(batch)))


def from_tflite(content: bytes, threads: int = 1) -> Classifier:
    """A classifier from the bytes of a ``.tflite`` file, run by LCE's interpreter in a process of its own.

    Raises:
        PredictionError: if it is no such file, does not classify images, or ends the interpreter; when it runs, too.
    """
    try:
        Flatbuffer(content)
        metadata = read_metadata(content)
    except ConversionError as error:
        raise PredictionError(str(error)) from error
    try:
        interpreter = IsolatedInterpreter(content, threads=threads, kernels="indirect")
    except InterpreterError as error:
        raise PredictionError(str(error)) from error
    inputs, outputs = interpreter.input_shapes, interpreter.output_shapes
    _check_one_each(inputs, outputs)
    types = [*interpreter.input_types, *interpreter.output_types]
    if any(kind != np.float32 for kind in types) or inputs[0][0] != 1:
        raise PredictionError(f"takes {inputs[0]} {types[0]} and gives {types[1]}, but must take one float32 image")
    input_shape, num_classes = _check_shapes(inputs[0][1:], outputs[0][1:])

    def run(batch):
        try:
            (answers,) = interpreter.run([batch])
        except InterpreterError as error:
            raise PredictionError(str(error)) from error
        # What a file declares need not be what comes out.
        if answers.shape != (1, num_classes) or answers.dtype != np.float32:
            raise PredictionError(f"gives {answers.dtype} of shape {answers.shape}, against its own declaration")
        return answers

    return Classifier(input_shape, num_classes, run, metadata)


def _check_one_each(inputs, outputs):
    if len(inputs) != 1 or len(outputs) != 1:
        raise PredictionError(f"has {len(inputs)} inputs and {len(outputs)} outputs, but must have one each")


def _check_shapes(inputs, outputs):
    if len(inputs) != 3 or inputs[-1] not in (1, 3):
        raise PredictionError(f"takes inputs of shape {inputs}, but must take images of 1 or 3 channels")
    if len(outputs) != 1 or outputs[0] is None or outputs[0] < 2:
        raise PredictionError(f"gives outputs of shape {outputs}, but must give one number for each of several classes")
    height, width, channels = inputs
    return (int(height or ANY_SIZE), int(width or ANY_SIZE), int(channels)), int(outputs[0])
