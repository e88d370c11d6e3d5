"""Layers that are not called convolutions of maps and are: each as a `QuantConv2D` between rearrangements of pixels.

LCE has one binary operator. With x the signs that a layer takes of its input, a form is a convolution and two functions
such that ``layer(x) = after(conv(before(x)))``, up to bias and activation. Both functions only move values about, so
they can be applied before the signs are taken. All sums are of the same products in another order, and those of -1 and
+1 are integers below 2^24: equal to the last bit.

**Dense.** ``y_o = sum_c x_c W_co`` is a 1x1 convolution of a 1x1 map; on tensors with more axes, of a map of height 1.

**Conv1D.** A convolution over time is one of 1xN on a map of height 1. Causal padding is `padded` below.

**Separable.** Of signs, both halves are linear with nothing in between:
``y_o = sum_c P_co sum_t D_tc x_tc = sum_tc (D_tc P_co) x_tc``. The products of two signs are signs, so it is one
convolution with the kernel ``D_tc P_co``, if the depth multiplier is 1; with more there would be sums of signs.

**Transposed.** With strides s and a kernel of T s taps, output ``s i + a`` sees the taps ``s j + a`` of the kernel at
the inputs ``i - j``: ``y[s i + a] = sum_j x[i - j] W[s j + a]``. For each of the s phases a (in two dimensions, of the
s s) that is an ordinary convolution with T taps in reverse order; so one convolution with s s times the filters
computes all of them, and ``depth_to_space`` puts the phases in their places. That is the output without cropping; what
Keras crops is cut off behind it.

**Padded** with zeros, that have no sign: before the signs are taken, the map is padded with 0, whose sign is +1, and
behind the convolution the sums over those taps that lie on the padding are subtracted, a constant for each position.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bnext_keras.layer_graph import evaluated, is_one_bit

import larq as lq
import numpy as np
import tensorflow as tf

_Layers = lq.layers
#: Zeros before and after each axis of a map.
Pads = Sequence[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Form:
    """A layer as a binary convolution.

    Attributes:
        conv: The convolution, with the layer's name and its quantizer of inputs. Its kernel is binary already.
    """

    conv: lq.layers.QuantConv2D

    def before(self, x: tf.Tensor) -> tf.Tensor:
        """What is convolved, ``(batch, height, width, channels)``, of the layer's input."""
        return x

    def after(self, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """The layer's result, without bias and activation, of the convolution's; x is the layer's input."""
        return y

    def signs(self, taken: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """Signs of the layer's input, of a shape, from those that the convolution sees."""
        return taken.reshape(shape)


class _Dense(Form):
    def before(self, x):
        return tf.reshape(x, (x.shape[0], 1, int(np.prod(x.shape[1:-1])), x.shape[-1]))

    def after(self, y, x):
        return tf.reshape(y, (*x.shape[:-1], y.shape[-1]))


@dataclass(frozen=True, eq=False)
class _OverTime(Form):
    """A convolution over time, with zeros before the first step."""

    zeros: int = 0

    def before(self, x):
        return padded(tf.expand_dims(x, 1), ((0, 0), (self.zeros, 0)))

    def after(self, y, x):
        return tf.squeeze(unpadded(y, self.conv, (1, x.shape[1]), ((0, 0), (self.zeros, 0))), 1)

    def signs(self, taken, shape):
        return taken[:, :, self.zeros :].reshape(shape)


@dataclass(frozen=True, eq=False)
class _Transposed(Form):
    """A transposed convolution: as many zeros on each side as it has taps, less one."""

    stride: int = 1
    same: bool = False

    @property
    def _pads(self) -> Pads:
        return tuple((taps - 1, taps - 1) for taps in self.conv.kernel_size)

    def before(self, x):
        return padded(x, self._pads)

    def after(self, y, x):
        y = unpadded(y, self.conv, x.shape[1:3], self._pads)
        if self.stride > 1:
            y = tf.nn.depth_to_space(y, self.stride)
        if not self.same:
            return y
        height, width = (self.stride * side for side in x.shape[1:3])
        top, left = (self.stride * (taps - 1) // 2 for taps in self.conv.kernel_size)
        return y[:, top : top + height, left : left + width]

    def signs(self, taken, shape):
        top, left = (before for before, _ in self._pads)
        return taken[:, top : top + shape[1], left : left + shape[2]]


def padded(x: tf.Tensor, pads: Pads) -> tf.Tensor:
    """A map padded with zeros, the sign of which is +1."""
    return tf.pad(x, [(0, 0), *pads, (0, 0)]) if np.any(pads) else x


def unpadded(y: tf.Tensor, conv: lq.layers.QuantConv2D, sizes: Sequence[int], pads: Pads) -> tf.Tensor:
    """What a convolution of a `padded` map gives as if it had been padded with zeros.

    Args:
        y: Its result.
        conv: The convolution, without padding of its own.
        sizes: Height and width of the map before it was padded.
        pads: The padding.
    """
    if not np.any(pads):
        return y
    with tf.init_scope():
        is_padding = np.pad(np.zeros((1, *sizes, 1), np.float32), [(0, 0), *pads, (0, 0)], constant_values=1.0)
        taps = evaluated(conv.kernel).sum(axis=2, keepdims=True, dtype=np.float64).astype(np.float32)
        strided = {"strides": conv.strides, "dilations": conv.dilation_rate}
        sums = tf.nn.conv2d(is_padding, taps, padding="VALID", **strided).numpy()
    # Flat, because LCE fuses a constant of shape (height, width, channels) into a binary convolution, which takes one
    # value for each channel.
    return tf.reshape(tf.reshape(y, (y.shape[0], -1)) - sums.reshape(1, -1), y.shape)


def form_of(layer: tf.keras.layers.Layer) -> Form:
    """The form of a layer for which `fault` finds nothing; a `QuantConv2D` is its own.

    Example:
        >>> layer = lq.layers.QuantDense(4, input_quantizer="ste_sign", kernel_quantizer="ste_sign")
        >>> layer.build((None, 32))
        >>> form_of(layer).conv.kernel.shape.as_list()
        [1, 1, 32, 4]
    """
    if isinstance(layer, _Layers.QuantConv2DTranspose):
        return _transposed(layer)
    if isinstance(layer, _Layers.QuantConv2D):
        return Form(layer)
    kernel = composed_kernel(layer)
    if isinstance(layer, _Layers.QuantDense):
        return _Dense(_conv(layer, kernel[np.newaxis, np.newaxis]))
    if isinstance(layer, _Layers.QuantSeparableConv2D):
        return Form(_conv(layer, kernel, padding=layer.padding, strides=layer.strides, dilation=layer.dilation_rate))
    (stride,), (rate,), (taps,) = layer.strides, layer.dilation_rate, layer.kernel_size
    is_causal = layer.padding == "causal"
    options = {"strides": (1, stride), "dilation": (1, rate), "padding": "valid" if is_causal else layer.padding}
    conv = _conv(layer, kernel[np.newaxis], groups=getattr(layer, "groups", 1), **options)
    return _OverTime(conv, (taps - 1) * rate if is_causal else 0)


#: The layers of Larq's that have a form.
KINDS = (
    _Layers.QuantConv2D,
    _Layers.QuantDense,
    _Layers.QuantConv1D,
    _Layers.QuantSeparableConv1D,
    _Layers.QuantSeparableConv2D,
    _Layers.QuantConv2DTranspose,
)


def kind_of(layer: tf.keras.layers.Layer) -> type | None:
    """Which of `KINDS` a layer is, None for none."""
    # A transposed convolution is a convolution to Keras, not to Larq; the last that fits is the nearest.
    return next((kind for kind in reversed(KINDS) if isinstance(layer, kind)), None)


def composed_kernel(layer: tf.keras.layers.Layer) -> np.ndarray:
    """The kernel of a layer in evaluation, ``(..., in, out)``; of a separable one that of both its halves together."""
    if isinstance(layer, _Layers.QuantSeparableConv1D | _Layers.QuantSeparableConv2D):
        depthwise, pointwise = evaluated(layer.depthwise_kernel), evaluated(layer.pointwise_kernel)
        if layer.depth_multiplier == 1:
            return depthwise * pointwise.reshape(pointwise.shape[-2:])
        return np.zeros(0, np.float32)
    kernel = evaluated(layer.kernel)
    # Keras has it for the gradient of a convolution: (height, width, out, in).
    return kernel.swapaxes(2, 3) if isinstance(layer, _Layers.QuantConv2DTranspose) else kernel


def fault(layer: tf.keras.layers.Layer) -> tuple[str, str] | None:
    """Why a layer of one of `KINDS` has no form, and what to do about it; None if it has one."""
    if layer_format(layer) != "channels_last":
        return f"TFLite does not support data_format {layer.data_format!r}", "use 'channels_last'"
    if getattr(layer, "depth_multiplier", 1) != 1:
        return (
            f"its {layer.depth_multiplier} depthwise filters for each channel add up to kernels that are not binary",
            "use depth_multiplier=1, or a QuantConv2D",
        )
    if isinstance(layer, _Layers.QuantConv2DTranspose) and (found := _transposed_fault(layer)):
        return found
    if not is_one_bit(composed_kernel(layer)):
        return "its kernel is not binary", "use a binary kernel quantizer such as ste_sign"
    return None


def layer_format(layer: tf.keras.layers.Layer) -> str:
    """Where a layer's channels are; a dense one's are always last."""
    return getattr(layer, "data_format", "channels_last")


def _transposed_fault(layer):
    stride, *others = layer.strides
    whole = all(taps % side == 0 for taps, side in zip(layer.kernel_size, layer.strides, strict=True))
    if any(other != stride for other in others) or not whole:
        return (
            f"its kernel of {' x '.join(map(str, layer.kernel_size))} is no multiple of its strides, "
            f"{' x '.join(map(str, layer.strides))}, so that outputs differ in how many signs they add up",
            "use equal strides and a kernel that is a multiple of them, 2 x 2 or 4 x 4 for strides of 2",
        )
    if layer.output_padding is not None or any(rate != 1 for rate in layer.dilation_rate):
        return "it has output_padding or a dilation", "leave them out"
    return None


def _transposed(layer):
    stride, (height, width) = layer.strides[0], layer.kernel_size
    kernel = composed_kernel(layer)
    channels, filters = kernel.shape[2:]
    kernel = kernel.reshape(height // stride, stride, width // stride, stride, channels, filters)
    # Taps in reverse order; then phases before filters, as `depth_to_space` takes them.
    kernel = kernel[::-1, :, ::-1].transpose(0, 2, 4, 1, 3, 5)
    kernel = kernel.reshape(height // stride, width // stride, channels, stride * stride * filters)
    return _Transposed(_conv(layer, np.ascontiguousarray(kernel)), stride, layer.padding == "same")


def _conv(layer, kernel, *, padding="valid", strides=(1, 1), dilation=(1, 1), groups=1):
    conv = lq.layers.QuantConv2D(
        kernel.shape[-1],
        kernel.shape[:2],
        strides=strides,
        padding=padding,
        dilation_rate=dilation,
        groups=groups,
        pad_values=getattr(layer, "pad_values", 0.0),
        use_bias=False,
        name=layer.name,
    )
    conv.build((None, None, None, kernel.shape[2] * groups))
    conv.set_weights([kernel])
    conv.input_quantizer = layer.input_quantizer
    return conv
