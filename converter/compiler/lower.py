"""Binary convolutions in the forms that Larq Compute Engine runs, and runs correctly.

LCE 0.16 has one good form: sign, then 'same' padding with 0 or 1 or no padding, then a convolution with a constant
kernel of +-c. It quietly turns other paddings into float operators, it refuses groups at run time in its default
kernel, and its optimized kernels give **wrong answers** for zero padding on a map that is smaller than the kernel
(dilation included). `lower` writes each convolution in a form that is safe and equal, value by value, or `check`
refuses it by the layer's name.

**Padding.** With p the value of the padding, W the kernel and B(W) at each position the sum of those taps that lie on
the padding, conv_p(x) = conv_0(x) + p B(W), hence conv_p(x) = conv_1(x) - (1 - p) B(W). One-padding is always right in
LCE, so every other padding can be had from it with a constant. All of these are sums of integers below 2^24: exact in
float32.
"""

from bnext_keras.errors import ConversionError

import larq as lq
import numpy as np
import tensorflow as tf

from converter.graph import SignConv
from converter.source.binary_layers import quantized_kernel


def check(layer: tf.keras.layers.Layer) -> None:
    """Refuses a binary convolution that has no exact form in LCE.

    Raises:
        ConversionError: naming the layer, the reason and the remedy.
    """
    if not isinstance(layer, lq.layers.QuantConv2D):
        raise ConversionError(
            f"layer '{layer.name}': Larq Compute Engine has no binary form of {type(layer).__name__}; "
            "remove its input quantizer, or use QuantConv2D"
        )
    if layer.data_format != "channels_last":
        raise ConversionError(f"layer '{layer.name}': data_format 'channels_first' is not supported by TFLite")
    if None in layer.input_shape[1:]:
        raise ConversionError(
            f"layer '{layer.name}' has a dynamic input shape {layer.input_shape}; "
            "build the model with a fixed input_shape"
        )
    kernel = quantized_kernel(layer)
    scale = np.abs(kernel).max(axis=(0, 1, 2))
    if kernel.size == 0 or scale.min() == 0 or not np.isclose(np.abs(kernel), scale, rtol=1e-6).all():
        raise ConversionError(
            f"layer '{layer.name}': its kernel is not binary (kernel_quantizer {layer.kernel_quantizer!r} leaves other "
            "values than one +-c per output channel); use a binary kernel quantizer such as ste_sign"
        )


def group_kernels(layer: lq.layers.QuantConv2D) -> list[np.ndarray]:
    """The kernels that `lower` needs, one per group, each ``(height, width, channels / groups, filters / groups)``."""
    return np.split(quantized_kernel(layer), layer.groups, axis=-1)


def kernels_of(conv: SignConv) -> list[np.ndarray]:
    """The kernels that `lower` needs, one per group: the layer's own, their flipped channels negated."""
    kernels = group_kernels(conv.layer)
    if conv.flips is None:
        return kernels
    flips = np.split(conv.flips.astype(np.float32), conv.layer.groups)
    return [kernel * flip[:, np.newaxis] for kernel, flip in zip(kernels, flips, strict=True)]


def lower(conv: SignConv, inputs: tf.Tensor, kernels: list[tf.Tensor]) -> tf.Tensor:
    """Emits one call of a binary convolution, its bias and activation excepted.

    A comparison with thresholds is one ADD (or SUB, if it is turned around) of a constant per channel before the sign.

    Args:
        conv: The call; its layer has been checked by `check`.
        inputs: Its input, float ``(batch, height, width, channels)`` of static shape.
        kernels: Tensors that stand for `kernels_of` and are constants by the time LCE sees the graph.
    """
    layer = conv.layer
    bound = bounds(conv, inputs.dtype.as_numpy_dtype)
    if conv.falling:
        inputs = bound - inputs
    elif bound.any():
        inputs = inputs + -bound
    parts = tf.split(inputs, layer.groups, axis=-1) if layer.groups > 1 else [inputs]
    flips = np.split(np.ones(conv.channels) if conv.flips is None else conv.flips, layer.groups)
    outputs = [
        _convolve(layer, part, kernel, group, flips[group])
        for group, (part, kernel) in enumerate(zip(parts, kernels, strict=True))
    ]
    return tf.concat(outputs, axis=-1) if layer.groups > 1 else outputs[0]


def bounds(conv: SignConv, dtype: type) -> np.ndarray:
    """The outermost numbers of a type that still compare as true: a comparison with them is exact, and closed.

    Every x of the type satisfies ``x >= t`` just if it is at least t rounded up, and ``x > t`` just if it is at least
    the number behind t rounded down. And a sum of two numbers has the sign of the exact sum.

    Args:
        conv: A call.
        dtype: ``np.float32`` or ``np.float64``.

    Returns:
        ``(channels,)`` of that type: u is +1 where ``x >= bounds``, or ``x <= bounds`` with ``falling``.
    """
    thresholds = np.zeros(conv.channels) if conv.thresholds is None else conv.thresholds
    direction = -1.0 if conv.falling else 1.0
    # Turned around, everything is about -x and -t.
    exact = direction * thresholds
    rounded = exact.astype(dtype)
    above = np.where(rounded < exact, np.nextafter(rounded, dtype(np.inf)), rounded)
    below = np.where(rounded > exact, np.nextafter(rounded, dtype(-np.inf)), rounded)
    strict = np.zeros(conv.channels, bool) if conv.flips is None else conv.flips < 0
    bound = np.where(strict, np.nextafter(below, dtype(np.inf)), above)
    # Processors may take denormal numbers for zero.
    tiny = np.finfo(dtype).tiny
    bound = np.where((bound != 0) & (np.abs(bound) < tiny), np.where(bound > 0, tiny, dtype(0)), bound)
    return (dtype(direction) * bound).astype(dtype)


def _convolve(layer, inputs, kernel, group, flips):
    # Larq's quantizers are layers: they compute in their own type.
    signs = tf.cast(layer.input_quantizer(inputs), inputs.dtype)
    strided = {"strides": layer.strides, "dilations": layer.dilation_rate}
    sizes = inputs.shape[1:3]
    reaches = [(size - 1) * rate + 1 for size, rate in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    paddings = [_same_padding(*dims) for dims in zip(sizes, reaches, layer.strides, strict=True)]
    if layer.padding == "valid" or not np.any(paddings):
        return tf.nn.conv2d(signs, kernel, padding="VALID", **strided)
    pad_value = float(tf.keras.backend.get_value(layer.pad_values))
    smaller_than_kernel = any(size < reach for size, reach in zip(sizes, reaches, strict=True))
    if pad_value == 0 and not smaller_than_kernel:
        return tf.nn.conv2d(signs, kernel, padding="SAME", **strided)

    paddings = [(0, 0), *paddings, (0, 0)]
    ones_padded = tf.pad(signs, paddings, constant_values=1.0)
    result = tf.nn.conv2d(ones_padded, kernel, padding="VALID", **strided)
    if (pad_value * flips == 1).all():
        return result
    # Padding of a flipped channel is flipped too.
    values = group_kernels(layer)[group] * flips[:, np.newaxis] * (1 - pad_value * flips[:, np.newaxis])
    correction = _taps_on_padding(values, sizes, paddings, strided).astype(inputs.dtype.as_numpy_dtype)
    # Flat, because LCE fuses a constant of shape (height, width, channels) into a binary convolution without checking
    # that it is one value per channel, and the file then fails to load.
    shape = tf.shape(result)
    return tf.reshape(tf.reshape(result, (-1, correction.size)) - correction.reshape(-1), shape)


def _same_padding(size, reach, stride):
    """Rows (or columns) that 'same' padding puts before and after."""
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def _taps_on_padding(kernel, sizes, paddings, strided):
    """B(W): at each output position and filter the sum of the taps that lie on the padding."""
    padding = np.pad(np.zeros((1, *sizes, 1), np.float32), [*paddings[:3], (0, 0)], constant_values=1.0)
    with tf.init_scope():
        taps = kernel.sum(axis=2, keepdims=True, dtype=np.float64).astype(np.float32)
        return tf.nn.conv2d(padding, taps, padding="VALID", **strided).numpy()[0]
