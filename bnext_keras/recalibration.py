"""Running statistics of batch normalizations, measured anew: what a network expects of its maps, not what it learned.

They no longer fit once kernels are hardened before training has annealed them, or a network sees other images, or some
layers are replaced. A binary network answers by thresholds that follow from them, so that it is worth the minutes.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bnext_keras.array_files import read_array
from bnext_keras.classes import stated
from bnext_keras.data.broken import BrokenImages
from bnext_keras.data.pictures import read_pictures
from bnext_keras.errors import UserError
from bnext_keras.image_files import find_images
from bnext_keras.patching import attribute
from bnext_keras.preprocessing import Normalization
from bnext_keras.sublayers import sublayers
from bnext_keras.text import first_line

import numpy as np
import tensorflow as tf

#: How many images of a folder or file are measured at most, and about how many at a time.
MOST, BATCH = 2048, 64


def recalibrate(model: tf.keras.Model, batches: Iterable[Any]) -> tf.keras.Model:
    """Sets the moving means and variances of all batch normalizations to those of some images.

    They become the averages of what the batches have. All else works as in evaluation: kernels are binary, nothing is
    dropped. Frozen layers are measured too; nothing is trained.

    Args:
        model: Any model. It is changed.
        batches: Normalized images, float32 ``(batch, height, width, channels)``, or tuples that begin with them, as a
            ``tf.data.Dataset`` for training gives. A few thousand images do; batches of less than about 16 make the
            variances small.

    Returns:
        The model.

    Raises:
        ValueError: if there is no batch, or a statistic is not a finite number; the model is then what it was.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> images = np.random.default_rng(0).standard_normal((16, 32, 32, 3)).astype(np.float32)
        >>> stem = tf.keras.Model(model.input, model.get_layer("stem_conv").output)(images)
        >>> _ = recalibrate(model, [images])
        >>> bool(np.allclose(model.get_layer("stem_bn").moving_mean, tf.reduce_mean(stem, (0, 1, 2)), atol=1e-5))
        True

    Reference:
        Wu and Johnson, "Rethinking 'Batch' in BatchNorm", arXiv 2105.07576, section 3; with plain averages, as in
        PyTorch's ``torch.optim.swa_utils.update_bn``.
    """
    norms = _norms(model)
    before = _statistics(norms)
    frozen = [layer for layer in norms if not layer.trainable]
    number = 0
    try:
        for layer in frozen:
            layer.trainable = True
        for number, batch in enumerate(batches, start=1):
            images = batch[0] if isinstance(batch, tuple | list) else batch
            with ExitStack() as stack:
                for layer in norms:
                    stack.enter_context(attribute(layer, "momentum", 1 - 1 / number))
                    stack.enter_context(attribute(layer, "call", partial(_measured, layer.call)))
                model(images, training=False)
        if not number:
            raise ValueError("there is no batch to measure on")
        if not all(np.isfinite(weight.numpy()).all() for weight, _ in before):
            raise ValueError("a statistic is not a finite number; are the images normalized?")
    except BaseException:
        _put_back(before)
        raise
    finally:
        for layer in frozen:
            layer.trainable = False
    return model


def recalibrate_on(
    model: tf.keras.Model, data: np.ndarray | str | Path, normalization: Normalization | None = None
) -> int:
    """The same on images as users have them; returns how many these were.

    Args:
        model: A model of one input. It is changed.
        data: What `read_batches` takes.
        normalization: How the model wants images; by default as it states itself.

    Raises:
        UserError: if the model or the images cannot be used; the model is then what it was.
    """
    if not _norms(model):
        raise UserError("has no batch normalization to recalibrate", where=f"model '{model.name}'")
    if len(model.inputs) != 1:
        raise UserError(f"has {len(model.inputs)} inputs, but must have one", where=f"model '{model.name}'")
    if normalization is None:
        normalization = stated(model).normalization
    number = 0

    def counted():
        nonlocal number
        for batch in read_batches(data, model.input_shape[1:], normalization):
            number += len(batch)
            yield batch

    try:
        recalibrate(model, counted())
    except ValueError as error:
        raise UserError(f"cannot be recalibrated ({first_line(error)})", where=f"model '{model.name}'") from error
    return number


@contextmanager
def recalibrated(
    model: tf.keras.Model, data: np.ndarray | str | Path, normalization: Normalization | None = None
) -> Iterator[int]:
    """The same for as long as the context lasts.

    Raises:
        UserError: as `recalibrate_on` does.
    """
    before = _statistics(_norms(model))
    try:
        yield recalibrate_on(model, data, normalization)
    finally:
        _put_back(before)


def read_batches(
    data: np.ndarray | str | Path, input_shape: tuple[int, int, int], normalization: Normalization | None = None
) -> Iterator[np.ndarray]:
    """Images to recalibrate on, up to `MOST` of them spread over all that there are, in batches of equal size.

    Args:
        data: Images just as the model takes them, ``(images, height, width, channels)``; or the path of a ``.npy`` file
            of them; or a folder of images, in folders or not, which are resized, cropped and normalized. Those that
            cannot be read are left out, with a warning of each; the batch is then smaller.
        input_shape: ``(height, width, channels)`` of the model.
        normalization: How the model wants images; needed for a folder.

    Raises:
        UserError: if there is nothing to read, or it does not fit.
    """
    where = str(data) if isinstance(data, str | Path) else "recalibration data"
    if None in input_shape:
        raise UserError(f"the model takes images of any size, {input_shape}", where=where, remedy="name the input size")
    if isinstance(data, str | Path) and Path(data).is_dir():
        if normalization is None:
            raise UserError(
                "the model does not state how its images are normalized",
                where=where,
                remedy="state it with bnext_keras.classes.annotate(model, mean=..., std=...), or to bnext-convert with "
                "--mean and --std; or give an .npy file of images as the model takes them",
            )
        yield from _of_pictures(Path(data), tuple(input_shape), normalization)
        return
    images = data if isinstance(data, np.ndarray) else read_array(Path(data), mapped=True)
    if images.ndim != 4 or images.shape[1:] != tuple(input_shape) or images.dtype.kind not in "fiu" or not len(images):
        raise UserError(
            f"has {images.dtype} of shape {images.shape}, but the model takes images of shape {tuple(input_shape)}",
            where=where,
        )
    for part in _parts(len(images)):
        yield np.stack([np.asarray(images[i], np.float32) for i in part])


def _of_pictures(folder, input_shape, normalization):
    files, broken, are_sound = find_images(folder), BrokenImages(), False
    for part in _parts(len(files)):
        images = [image for _, image in read_pictures([files[i] for i in part], input_shape, normalization, broken)]
        if images:
            are_sound = True
            yield np.stack(images)
    if not are_sound:
        raise UserError("none of the images can be read", where=str(folder), remedy=broken.summary())


def _parts(count):
    """Which of so many images are measured, a batch each."""
    chosen = np.linspace(0, count - 1, min(count, MOST)).round().astype(int)
    # None of them small: each counts alike, and the variance of a few images is too small.
    return np.array_split(chosen, -(-len(chosen) // BATCH))


def _norms(model):
    return [layer for layer in sublayers(model) if isinstance(layer, tf.keras.layers.BatchNormalization)]


def _statistics(norms):
    """The variables that are measured, with their values."""
    weights = [weight for layer in norms for weight in (layer.moving_mean, layer.moving_variance)]
    return [(weight, weight.numpy()) for weight in weights]


def _put_back(values):
    for weight, value in values:
        weight.assign(value)


def _measured(call, inputs, training=None, **kwargs):
    return call(inputs, training=True, **kwargs)
