"""What a network sees of an image: the part of a pipeline that runs in Python, with Pillow.

Nothing here needs TensorFlow, so that it may run in processes of its own (`bnext_keras.data.processes`).
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from bnext_keras.data.augment import Augmentation
from bnext_keras.data.augment.erasing import erase
from bnext_keras.data.locations import Location
from bnext_keras.data.randomness import generator
from bnext_keras.errors import LabelError
from bnext_keras.preprocessing import Normalization, centre_crop, open_image

import numpy as np
from PIL import Image, UnidentifiedImageError


class View(Protocol):
    """Makes the pixels of an image that has been read; can be pickled.

    Attributes:
        size: Height and width of the results in pixels.
        dtype: uint8, or float32 if the results are normalized already.
    """

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __call__(self, image: Image.Image, epoch: int, position: int) -> np.ndarray:
        """Pixels ``(*size, 3)`` of an RGB image, which stands at this position of this epoch."""


@dataclass(frozen=True)
class TrainingView:
    """An image as its place in the training run wants it.

    Attributes:
        augmentation: What happens to it.
        size: Height and width of the result in pixels.
        seed: Seed of the run.
        normalization: What happens to the pixels before some are erased, if any are.
    """

    augmentation: Augmentation
    size: tuple[int, int]
    seed: int
    normalization: Normalization

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32 if self.augmentation.random_erasing else np.uint8)

    def __call__(self, image: Image.Image, epoch: int, position: int) -> np.ndarray:
        random = generator(self.seed, epoch, position)
        pixels = np.asarray(self.augmentation(image, self.size, random))
        probability = self.augmentation.random_erasing
        # Noise has no place among whole numbers.
        return erase(self.normalization(pixels), random, probability) if probability else pixels


@dataclass(frozen=True)
class EvaluationView:
    """The centre of an image, wherever it stands.

    Attributes:
        size: Height and width of the result in pixels.
        crop: Share of the shorter side that is kept.
    """

    size: tuple[int, int]
    crop: float
    dtype: ClassVar[np.dtype] = np.dtype(np.uint8)

    def __call__(self, image: Image.Image, epoch: int, position: int) -> np.ndarray:
        return np.asarray(centre_crop(image, self.size, crop=self.crop))


def decode(image: bytes | np.ndarray) -> Image.Image:
    """An RGB image from any file's bytes, or uint8 ``(height, width)``, ``(..., 1)`` or ``(..., 3)``.

    Files are read by `bnext_keras.preprocessing.open_image`. A camera's orientation (EXIF) is not applied, as it was
    not in the published training.

    Raises:
        ValueError: if it is no image; other errors, mostly OSError, if it is a broken one.

    Example:
        >>> decode(np.zeros((2, 3, 1), np.uint8)).size
        (3, 2)
    """
    if isinstance(image, np.ndarray):
        return Image.fromarray(image[..., 0] if image.shape[-1] == 1 and image.ndim == 3 else image).convert("RGB")
    try:
        return open_image(io.BytesIO(image))
    except UnidentifiedImageError as error:
        # Pillow's own message names the buffer.
        raise ValueError("no image that Pillow knows" if image else "the file is empty") from error


def look(
    view: View,
    locations: Sequence[Location],
    epochs: Sequence[int],
    positions: Sequence[int],
    pixels: np.ndarray,
) -> tuple[list[int], list[str | None]]:
    """Reads and decodes images and writes what a view makes of them into an array.

    Args:
        view: What becomes of an image.
        locations: Where the examples are kept.
        epochs: The epoch in which each stands.
        positions: Its position there.
        pixels: Of the view's type, ``(images, *size, 3)``; of a broken image it stays as it is.

    Returns:
        The label of each image, 0 for a broken one; and what keeps it from being read, None if nothing does. Mistakes
        of a view are not mistaken for that: they are raised.

    Raises:
        LabelError: if a label is not one of the classes; it names the example.

    Example:
        >>> from bnext_keras.data.locations import InMemory
        >>> pixels = np.zeros((2, 4, 4, 3), np.uint8)
        >>> kept = [InMemory(np.full((8, 8), 9, np.uint8), label=5), InMemory(b"", label=6)]
        >>> look(EvaluationView((4, 4), crop=1.0), kept, [0, 0], [0, 1], pixels)
        ([5, 0], [None, 'the file is empty'])
        >>> pixels[:, 0, 0].tolist()
        [[9, 9, 9], [0, 0, 0]]
    """
    labels = [0] * len(locations)
    faults: list[str | None] = [None] * len(locations)
    for i, (location, epoch, position) in enumerate(zip(locations, epochs, positions, strict=True)):
        try:
            image, label = location.read()
            decoded = decode(image)
        except LabelError as error:
            raise LabelError(f"{location}: {error}") from error
        # Pillow's decoders let through whatever a broken file provokes: SyntaxError, struct.error, EOFError ...
        except Exception as error:
            faults[i] = str(error) or repr(error)
            continue
        pixels[i] = view(decoded, int(epoch), int(position))
        labels[i] = int(label)
    return labels, faults
