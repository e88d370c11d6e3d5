"""Running statistics of batch normalizations, measured anew: what a network expects of its maps, not what it learned.

They no longer fit once kernels are hardened before training has annealed them, or a network sees other images, or some
layers are replaced. A binary network answers by thresholds that follow from them, so that it is worth the minutes.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

from bnext_keras.patching import attribute
from bnext_keras.sublayers import sublayers

import numpy as np
import tensorflow as tf


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
    norms = [layer for layer in sublayers(model) if isinstance(layer, tf.keras.layers.BatchNormalization)]
    statistics = [weight for layer in norms for weight in (layer.moving_mean, layer.moving_variance)]
    before = [(weight, weight.numpy()) for weight in statistics]
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
        if not all(np.isfinite(weight.numpy()).all() for weight in statistics):
            raise ValueError("a statistic is not a finite number; are the images normalized?")
    except BaseException:
        for weight, value in before:
            weight.assign(value)
        raise
    finally:
        for layer in frozen:
            layer.trainable = False
    return model


def _measured(call, inputs, training=None, **kwargs):
    return call(inputs, training=True, **kwargs)
