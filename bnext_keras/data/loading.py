"""From a key to a normalized image: the part of a pipeline that runs in Python, with Pillow."""

import io
from collections.abc import Callable

from bnext_keras.data.broken import BrokenImages
from bnext_keras.data.examples import Examples
from bnext_keras.errors import LabelError
from bnext_keras.preprocessing import open_image

import numpy as np
import tensorflow as tf
from PIL import Image, UnidentifiedImageError

#: How many examples in a row may be broken before there is nothing to put in their place.
LONGEST_BROKEN_RUN = 15

Transform = Callable[[Image.Image, int, int], np.ndarray]


def decode(image: bytes | np.ndarray) -> Image.Image:
    """An RGB image from any file's bytes, or from uint8 ``(height, width)``, ``(..., 1)`` or ``(..., 3)``.

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


class Loader:
    """Reads, decodes and transforms examples, and reports broken ones.

    Args:
        examples: Where keys lead to images.
        transform: Makes of an RGB image, the epoch and the position in it a float32 array of shape ``(*size, 3)``.
        size: Height and width of the results.
        broken: Is told of images that cannot be read.
    """

    def __init__(self, examples: Examples, transform: Transform, size: tuple[int, int], broken: BrokenImages):
        self._examples = examples
        self._transform = transform
        self._shape = (*size, 3)
        self._broken = broken

    def load(self, epoch, position, key) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """In a `tf.data` function: the image, its label and whether it is sound (else both are zero)."""

        # Not stateful, although reports of broken images remain: TensorFlow would otherwise load one image at a time
        # where it is asked for determinism.
        def load(epoch, position, *key):
            loaded = self._try(epoch, position, key)
            return (*(loaded or (np.zeros(self._shape, np.float32), np.int32(0))), loaded is not None)

        image, label, sound = tf.numpy_function(
            load, [epoch, position, *key], [tf.float32, tf.int32, tf.bool], stateful=False
        )
        return tf.ensure_shape(image, self._shape), tf.ensure_shape(label, []), tf.ensure_shape(sound, [])

    def load_first_sound(self, epoch, position, keys) -> tuple[tf.Tensor, tf.Tensor]:
        """In a `tf.data` function: image and label of the first of several keys that is sound."""

        def load_any(epoch, position, *flat):
            arity = len(flat) // (len(keys) - 1)
            for i in range(0, len(flat), arity):
                loaded = self._try(epoch, position, flat[i : i + arity])
                if loaded is not None:
                    return loaded
            raise RuntimeError(f"{len(keys)} broken images in a row; {self._broken.summary()}")

        def retry():
            flat = [part for key in keys[1:] for part in key]
            image, label = tf.numpy_function(load_any, [epoch, position, *flat], [tf.float32, tf.int32], stateful=False)
            return tf.ensure_shape(image, self._shape), tf.ensure_shape(label, [])

        image, label, sound = self.load(epoch, position, keys[0])
        return tf.cond(sound, lambda: (image, label), retry)

    def _try(self, epoch, position, key):
        """Image and label, or None if the image is broken. Mistakes of a transform are not mistaken for that."""
        try:
            image, label = self._examples.read(*key)
            image = decode(image)
        except LabelError as error:
            raise LabelError(f"{self._examples.name(*key)}: {error}") from error
        # Pillow's decoders let through whatever a broken file provokes: SyntaxError, struct.error, EOFError ...
        except Exception as error:
            self._broken.report(self._examples.name(*key), error)
            return None
        return self._transform(image, int(epoch), int(position)), np.int32(label)
