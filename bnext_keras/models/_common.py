"""What the architectures have in common."""

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


def batch_norm(name):
    return tf.keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)
