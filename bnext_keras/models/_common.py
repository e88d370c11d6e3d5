"""What the architectures have in common."""

from numbers import Integral

from bnext_keras.labels import IMAGENET, IMAGENET_CLASSES
from bnext_keras.layers import Dense
from bnext_keras.roles import HEAD

import tensorflow as tf

#: Up to this side images are small: their stem keeps the resolution.
SMALL_IMAGE = 64


def is_small(input_shape):
    """Whether images of this shape are too small for ImageNet's stems; a dynamic side is not."""
    sides = [side for side in input_shape[:2] if side is not None]
    return bool(sides) and min(sides) <= SMALL_IMAGE


def check_input_shape(input_shape, total_stride):
    for side in input_shape[:2]:
        if side is not None and (side <= 0 or side % total_stride):
            raise ValueError(
                f"input_shape {tuple(input_shape)}: height and width must be multiples of {total_stride}, "
                "because every map that is halved must be even; choose another size or stem"
            )


def imagenet_if_1000(options):
    """Keyword arguments of a published variant: with ImageNet's number of classes it is for ImageNet."""
    is_imagenet = options.get("num_classes", IMAGENET_CLASSES) == IMAGENET_CLASSES
    return {"classes": IMAGENET if is_imagenet else None, **options}


def batch_norm(name):
    return tf.keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def logits(x, num_classes, name, *, classes=None, **options):
    if not isinstance(num_classes, Integral) or num_classes < 1:
        raise ValueError(f"num_classes must be a whole number above 0, got {num_classes!r}")
    if not (classes is None or isinstance(classes, str)):
        # Keras' own networks call the number so.
        raise ValueError(f"classes is the name of a data set, got {classes!r}; their number is num_classes")
    # Under mixed precision the logits, and so the loss, stay in the variables' full precision.
    full_precision = tf.keras.mixed_precision.global_policy().variable_dtype
    return Dense(num_classes, role=HEAD, dtype=full_precision, classes=classes, name=name, **options)(x)
