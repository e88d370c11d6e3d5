"""Reads every image once, and prepares it as each model wants it."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from bnext_keras.data import BrokenImages, Examples
from bnext_keras.data.loading import decode
from bnext_keras.errors import LabelError, PredictionError
from bnext_keras.preprocessing import Normalization, centre_crop

import numpy as np


@dataclass(frozen=True)
class Preparation:
    """What happens to an image before a model sees it.

    Attributes:
        input_shape: ``(height, width, channels)`` of the result.
        normalization: What happens to the pixels.
        crop: Share of the shorter side that is kept.
        is_turned: Whether it is turned by 180 degrees.
    """

    input_shape: tuple[int, int, int]
    normalization: Normalization
    crop: float
    is_turned: bool = False

    def __call__(self, image) -> np.ndarray:
        """Takes an image of Pillow's; or an array of floats, which is ready but for the turn.

        Raises:
            PredictionError: if an array is of another shape.
        """
        if isinstance(image, np.ndarray):
            if image.shape != self.input_shape:
                raise PredictionError(
                    f"the images are of shape {image.shape} and ready for a model, but this one takes "
                    f"{self.input_shape}; uint8 images are resized"
                )
            prepared = image.astype(np.float32)
        else:
            height, width, channels = self.input_shape
            pixels = centre_crop(image if channels == 3 else image.convert("L"), (height, width), crop=self.crop)
            prepared = self.normalization(np.asarray(pixels).reshape(self.input_shape))
        return prepared[::-1, ::-1] if self.is_turned else prepared


@dataclass(frozen=True)
class Batch:
    """Some images of the data.

    Attributes:
        images: float32 ``(images, height, width, channels)`` by how they are prepared.
        labels: Their classes in the data ``(images,)``.
        names: What to call them in messages.
        read: How many were looked at for it, broken ones included.
    """

    images: dict[Preparation, np.ndarray]
    labels: np.ndarray
    names: tuple[str, ...]
    read: int


def batches(
    examples: Examples, preparations: Sequence[Preparation], size: int, threads: int, broken: BrokenImages
) -> Iterator[Batch]:
    """All images in the order of the data, while models run those before.

    Args:
        examples: The data.
        preparations: How they are prepared, each once.
        size: Images in one batch.
        threads: How many are read at the same time.
        broken: Is told of those that cannot be read, which are left out.
    """

    def load(key):
        try:
            image, label = examples.read(*key)
            image = image if isinstance(image, np.ndarray) and image.dtype.kind == "f" else decode(image)
        except LabelError as error:
            raise PredictionError(str(error), where=examples.name(*key)) from error
        # Pillow's decoders let through whatever a broken file provokes: SyntaxError, struct.error, EOFError ...
        except Exception as error:
            broken.report(examples.name(*key), error)
            return None
        return [prepare(image) for prepare in preparations], label, examples.name(*key)

    def collect(futures):
        found = [future.result() for future in futures]
        sound = [each for each in found if each is not None]
        columns = zip(*[prepared for prepared, _, _ in sound], strict=True)
        images = {prepare: np.stack(column) for prepare, column in zip(preparations, columns, strict=False)}
        labels = np.array([label for _, label, _ in sound], np.int64)
        return Batch(images, labels, tuple(name for _, _, name in sound), len(found))

    keys = (key if isinstance(key, tuple) else (key,) for key in examples.keys().as_numpy_iterator())
    pending: deque = deque()
    with ThreadPoolExecutor(threads) as pool:
        while some := list(islice(keys, size)):
            pending.append([pool.submit(load, key) for key in some])
            # The next one is being read while this one is classified.
            if len(pending) > 1:
                yield collect(pending.popleft())
        while pending:
            yield collect(pending.popleft())
