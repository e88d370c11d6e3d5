"""Binary convolutions in the forms that Larq Compute Engine runs, and runs correctly.

LCE 0.16 has one good form: a sign, then 'same' padding with 0 or 1 or no padding, then a convolution with a constant
kernel of +-1. It quietly turns other paddings into float operators, it refuses groups at run time in its default
kernel, and its optimized kernels give **wrong answers** for zero padding on a map that is smaller than the kernel
(dilation included). `lower` writes each convolution in a form that is safe and equal, value by value; what has no such
form, `converter.compiler.preflight` has refused.

**Padding.** Let conv_p be the convolution with the kernel W and padding of the value p, and B(W) at each position the
sum of those taps of W that lie on the padding. Then conv_p(x) = conv_0(x) + p B(W), hence

    conv_p(x) = conv_1(x) - (1 - p) B(W)

Padding with 1 is always right in LCE, so every other padding can be had from it with a constant. For c = 1 all of these
are sums of integers below 2^24: exact in float32.

**Scale.** A kernel of +-c is one of +-1 and a multiplication with c right behind the convolution, one number for each
filter. LCE makes the same operator of both, but holds the kernel as a single number for as long as it compiles only if
all of it is one (`converter.compiler.stand_ins`).
"""

from collections.abc import Sequence

import larq as lq
import numpy as np
import tensorflow as tf

from converter.compiler.kernels import float_kernels
from converter.graph import BinaryCall

#: Relative error of a threshold that passes have computed from a handful of constants.
_FLOAT64_NOISE = 1e-14


def lower(call: BinaryCall, inputs: tf.Tensor, signs: Sequence[tf.Tensor], scales: Sequence[np.ndarray]) -> tf.Tensor:
    """Emits one call of a binary convolution, without its bias and activation, which are nodes of their own.

    A comparison with thresholds is an addition of one constant per channel before the sign, or a subtraction from it if
    small values are the positive ones.

    Args:
        call: A call of a layer that has passed `converter.compiler.preflight`.
        inputs: Its input, float ``(batch, height, width, channels)`` of static shape.
        signs: Tensors in place of the signs of its `float_kernels`; constants by the time LCE sees the graph.
        scales: What these are times the signs, float32 ``(filters,)`` each.
    """
    bound = bounds(call, inputs.dtype.as_numpy_dtype)
    if call.falling:
        inputs = bound - inputs
    elif bound.any():
        inputs = inputs + -bound
    groups = call.layer.groups
    if groups == 1:
        return _convolve(call, 0, inputs, signs[0], scales[0])
    parts = tf.split(inputs, groups, axis=-1)
    of_groups = enumerate(zip(parts, signs, scales, strict=True))
    return tf.concat([_convolve(call, group, *of_group) for group, of_group in of_groups], axis=-1)


def bounds(call: BinaryCall, dtype: type) -> np.ndarray:
    """Thresholds rounded to a type, so that ``>=`` (or ``<=``) compares every number of it as the exact ones do.

    For numbers x of the type and a threshold t, ``x >= t`` just if ``x >= up(t)``, t rounded up; and ``x > t``, which
    flipped channels ask for, just if ``x >= next(down(t))``, the number behind t rounded down. The difference of two
    numbers, by which the file compares, has the sign of the exact difference.

    Args:
        call: A call.
        dtype: ``np.float32`` or ``np.float64``.

    Returns:
        ``(channels,)`` of that type: u is +1 where ``x >= bounds``, or ``x <= bounds`` with ``falling``.
    """
    thresholds = np.zeros(call.channels) if call.thresholds is None else call.thresholds
    # x <= t just if -x >= -t: from here on everything rises.
    direction = -1.0 if call.falling else 1.0
    exact = direction * thresholds
    rounded = exact.astype(dtype)
    # A threshold that was meant to be a number of the type, as an integer is, was computed in float64 to within a few
    # units in its last place: inputs may well lie on it.
    exact = np.where(np.abs(exact - rounded) <= _FLOAT64_NOISE * np.abs(exact), rounded, exact)
    up = np.where(rounded < exact, np.nextafter(rounded, dtype(np.inf)), rounded)
    down = np.where(rounded > exact, np.nextafter(rounded, dtype(-np.inf)), rounded)
    strict = np.zeros(call.channels, bool) if call.flips is None else call.flips < 0
    bound = np.where(strict, np.nextafter(down, dtype(np.inf)), up)
    # Processors may take denormal numbers for zero: there are none among the bounds.
    tiny = np.finfo(dtype).tiny
    bound = np.where((bound != 0) & (np.abs(bound) < tiny), np.where(bound > 0, tiny, dtype(0)), bound)
    return (dtype(direction) * bound).astype(dtype)


def _convolve(call, group, inputs, kernel, scale):
    layer = call.layer
    strided = {"strides": layer.strides, "dilations": layer.dilation_rate}

    def convolved(signs, padding):
        result = tf.nn.conv2d(signs, kernel, padding=padding, **strided)
        return result if (scale == 1).all() else result * scale.astype(inputs.dtype.as_numpy_dtype)

    # Whatever computes the sign in Keras, LCE recognizes this form of it.
    signs = lq.math.sign(inputs)
    sizes = inputs.shape[1:3]
    padding = call.padding(*sizes)
    if not np.any(padding):
        return convolved(signs, "VALID")
    reaches = [(size - 1) * rate + 1 for size, rate in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    smaller_than_kernel = any(size < reach for size, reach in zip(sizes, reaches, strict=True))
    if call.pad_value == 0 and not smaller_than_kernel:
        return convolved(signs, "SAME")

    padding = [(0, 0), *padding, (0, 0)]
    result = convolved(tf.pad(signs, padding, constant_values=1.0), "VALID")
    flips = np.ones(call.channels) if call.flips is None else call.flips
    # Padding of a flipped channel is flipped too.
    values = call.pad_value * np.split(flips, layer.groups)[group][:, np.newaxis]
    if (values == 1).all():
        return result
    correction = _taps_on_padding(float_kernels(call)[group] * (1 - values), sizes, padding, strided)
    correction = correction.astype(inputs.dtype.as_numpy_dtype)
    # Flat, because LCE fuses a constant of shape (height, width, channels) into a binary convolution without checking
    # that it is one value per channel, and the file then fails to load.
    shape = tf.shape(result)
    return tf.reshape(tf.reshape(result, (-1, correction.size)) - correction.reshape(-1), shape)


def _taps_on_padding(kernel, sizes, padding, strided):
    """B(W): at each output position and filter the sum of the taps that lie on the padding."""
    is_padding = np.pad(np.zeros((1, *sizes, 1), np.float32), [*padding[:3], (0, 0)], constant_values=1.0)
    with tf.init_scope():
        taps = kernel.sum(axis=2, keepdims=True, dtype=np.float64).astype(np.float32)
        return tf.nn.conv2d(is_padding, taps, padding="VALID", **strided).numpy()[0]
