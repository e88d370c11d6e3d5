"""The networks of ``tf.keras.applications`` as teachers, each with the input scaling that it was trained with."""

import math
import sys
from collections.abc import Callable
from typing import Any

from bnext_keras.errors import FileError
from bnext_keras.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Normalization, pixels_from_normalized
from bnext_keras.teachers.teacher import Teacher
from bnext_keras.text import first_line

import numpy as np
import tensorflow as tf


def keras_teacher(
    architecture: str,
    weights: str | None = "imagenet",
    *,
    input_shape: tuple[int | None, int | None, int] = (224, 224, 3),
    num_classes: int = 1000,
    name: str | None = None,
    normalization: Normalization | None = None,
    **options: Any,
) -> Teacher:
    """A network of ``tf.keras.applications`` for students that see normalized images.

    The images become pixels from 0 to 255 and then go through the architecture's own ``preprocess_input``;
    EfficientNets and ConvNeXts scale them inside. It returns logits.

    Args:
        architecture: Name in ``tf.keras.applications``, such as EfficientNetB0 or ConvNeXtTiny.
        weights: "imagenet" downloads them; a path reads them, Keras' published files included; None for random ones.
        input_shape: Shape of the student's images; need not be what the teacher was published for.
        num_classes: Number of logits.
        name: Name in logs and caches; by default the architecture's in small letters.
        normalization: That of the student's images; by default ImageNet's.
        **options: ``precision`` and ``jit_compile`` of `bnext_keras.teachers.Teacher`.

    Raises:
        ValueError: if there is no such architecture, or from Keras if the weights do not fit.
        FileError: if the weights cannot be downloaded.

    Example:
        >>> import bnext_keras
        >>> teacher = bnext_keras.teachers.keras_teacher(
        ...     "MobileNetV2", weights=None, input_shape=(32, 32, 3), num_classes=10
        ... )
        >>> teacher.name, teacher.num_classes, teacher.from_logits
        ('mobilenetv2', 10, True)
    """
    build = getattr(tf.keras.applications, architecture, None)
    if not callable(build):
        raise ValueError(f"tf.keras.applications has no {architecture!r}")
    # Only if the size is given by an input tensor, Keras accepts its published weights for other sizes of images too.
    image = tf.keras.Input(input_shape, name="image")
    try:
        model = build(weights=weights, input_tensor=image, classes=num_classes, classifier_activation=None)
    # Keras' downloads fail with a bare Exception; whatever else it raises has a type.
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise FileError(
            f"its weights cannot be downloaded ({first_line(error)})",
            where=architecture,
            remedy="fetch Keras' file for it elsewhere and name it: weights='efficientnetb0.h5', say; "
            "bnext-train takes the folder of such files with --teacher-weights",
        ) from error
    preprocess_input = getattr(sys.modules[build.__module__], "preprocess_input", lambda pixels: pixels)
    correction = _efficientnet_correction(model) if weights != "imagenet" else None

    as_imagenet = renormalizing(normalization, Normalization.imagenet())

    def preprocess(images):
        images = images if as_imagenet is None else as_imagenet(images)
        if correction is not None:
            images = images * tf.constant(correction, images.dtype)
        return preprocess_input(pixels_from_normalized(images))

    return Teacher(model, preprocess=preprocess, name=name or architecture.lower(), **options)


def renormalizing(
    students: Normalization | None, teachers: Normalization | None
) -> Callable[[tf.Tensor], tf.Tensor] | None:
    """What makes images that are normalized for a teacher of those that are for its student; None if they are the same.

    Args:
        students: The student's normalization; None for one that is the same.
        teachers: The teacher's.

    Example:
        >>> half, whole = Normalization((0.5,) * 3, (0.5,) * 3), Normalization((0.0,) * 3, (1.0,) * 3)
        >>> renormalizing(half, whole)(tf.constant([[-1.0, 0.0, 1.0]])).numpy().tolist()
        [[0.0, 0.5, 1.0]]
        >>> renormalizing(half, half) is None
        True
    """
    if students is None or teachers is None or students == teachers:
        return None
    factor = np.divide(students.std, teachers.std)
    offset = np.subtract(students.mean, teachers.mean) / teachers.std
    return lambda images: images * tf.constant(factor, images.dtype) + tf.constant(offset, images.dtype)


def _efficientnet_correction(model):
    """Factors for normalized images, one per channel, or None if none are needed.

    Keras' published EfficientNet weights hold deviations where the normalization layer expects variances, so that it
    divides by their roots. Keras makes up for it by another division inside the network, but only if it has downloaded
    the file itself, not if it reads one.
    """
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Normalization):
            held = np.ravel(layer.mean), np.ravel(layer.variance)
            published = IMAGENET_MEAN, IMAGENET_STD
            if all(np.shape(h) == (3,) and np.allclose(h, p, atol=1e-4) for h, p in zip(held, published, strict=True)):
                return [1 / math.sqrt(deviation) for deviation in IMAGENET_STD]
    return None
