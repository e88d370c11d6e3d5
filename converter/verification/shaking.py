"""How far rounding reaches: what a replay does to half of its batch, see `converter.verification.replay`.

Every function here takes values of a batch whose second half is the first one, shaken.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

#: A value within this share of its map's root mean square is within rounding of zero.
ROUNDING = 1e-5
#: Relative size of the noise on whole channels of other layers' results: one unit in the last place of float32.
LAST_PLACE = 2.0**-23
#: A difference may be this many times the effect of that noise.
REACH = 10


def rounding_of(values: np.ndarray) -> float:
    """What is within rounding of zero in a map whose inputs are exact."""
    return ROUNDING * float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def rounding_of_zero(values: np.ndarray, shaken: np.ndarray) -> np.ndarray:
    """What is within rounding of zero, given a map and what it is when it is shaken: by image and channel.

    A gate is one value per image and channel, and where it tips over, the whole channel changes: so the reach is taken
    per channel. In some channels the noise happens to have next to no effect; there the mean of all counts.
    """
    reach = np.abs(shaken - values).max(axis=tuple(range(1, values.ndim - 1)), keepdims=True)
    reach = np.maximum(reach, np.sqrt(np.mean(np.square(reach, dtype=np.float64), axis=-1, keepdims=True)))
    return np.maximum(rounding_of(values), REACH * reach)


def takes_signs(inputs: Any, result: tf.Tensor) -> bool:
    """Whether a layer has made signs, and nothing else, of one map that was none of signs."""
    if not tf.is_tensor(inputs) or not (inputs.dtype.is_floating and result.dtype.is_floating):
        return False
    if inputs.shape.rank != 4 or result.shape.rank != 4 or result.shape[0] % 2:
        return False
    return _is_of_signs(result) and not _is_of_signs(inputs)


def with_uncertain_signs_turned(
    layer: Callable[[tf.Tensor], tf.Tensor], inputs: tf.Tensor, result: tf.Tensor
) -> tf.Tensor:
    """The signs that a layer makes, in the second half with every sign turned that rounding might turn.

    What turns in the file is not known there, unlike the signs that convolutions take. So this is how far it reaches
    at most. A sign is uncertain if it is another one where the input is larger or smaller by what rounding may be.
    """
    values, shaken = np.split(inputs.numpy(), 2)
    tolerance = rounding_of_zero(values, shaken).astype(values.dtype)
    # Both at once, for a layer may take batches of even size only.
    larger, smaller = np.split(layer(tf.constant(np.concatenate([values + tolerance, values - tolerance]))).numpy(), 2)
    own, _ = np.split(result.numpy(), 2)
    return tf.constant(np.concatenate([own, np.where(larger != smaller, -own, own)]))


def _is_of_signs(values: tf.Tensor) -> bool:
    return bool(tf.reduce_all(tf.abs(values) == 1))


def shaken_result(values: tf.Tensor, inputs: Any, noise: np.random.Generator) -> tf.Tensor:
    """A layer's result; the second half of the batch is off by as much as rounding may be for a whole channel.

    Noise on single pixels would not do, for gates come of means over maps, which average it away. What is off for all
    pixels alike, in units in the last place u:

    - a constant, which was rounded when it was folded into another: u |x|;
    - a mean of N pixels, which was rounded N times, adding up like a random walk: sqrt(N) u mean(|x|). A map of few
      different values, as behind a binary convolution, gives no less: equal values are rounded alike.
    """
    rank, half = values.shape.rank, values.shape[0] // 2
    if not values.dtype.is_floating or rank not in (2, 3, 4) or values.shape[0] % 2:
        return values
    signs = noise.choice(np.float32([-1, 1]), (half, *[1] * (rank - 2), values.shape[-1]))
    factors = np.concatenate([np.ones_like(signs), 1 + LAST_PLACE * signs])
    result = values * factors
    pixels = np.prod(inputs.shape[1:3]) if tf.is_tensor(inputs) and inputs.shape.rank == 4 else 1
    if pixels > 1 and values.shape == (2 * half, *[1] * (rank - 2), inputs.shape[-1]):
        magnitudes = tf.reshape(tf.reduce_mean(tf.abs(inputs), axis=(1, 2)), values.shape)
        result += np.float32(LAST_PLACE * np.sqrt(pixels)) * np.concatenate([np.zeros_like(signs), signs]) * magnitudes
    return result
