"""ABC-Net's convolution: several binary kernels made of one latent kernel, several signs of one input."""

from bnext_keras.constraints import Unbounded
from bnext_keras.quantizers import KernelBase
from bnext_keras.roles import BINARY, OTHER, Role

import larq as lq
import numpy as np
import tensorflow as tf
from larq.quantized_variable import QuantizedVariable


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class MultiBaseConv2D(tf.keras.layers.Layer):
    r"""A convolution as a sum of binary ones: of each of N signs of the input with each of M bases of the kernel.

    $$y = \sum_{j=1}^{N} \beta_j \sum_{i=1}^{M} \alpha_i\, \mathrm{conv}(B_i, A_j), \qquad
    A_j = \mathrm{sign}(x + v_j - \tfrac{1}{2}), \quad
    \frac{\partial A_j}{\partial x} = 1 \text{ for } 0 \leq x + v_j \leq 1.$$

    Bases and $\alpha$ are `KernelBase`'s, $v$ and $\beta$ are trained. The layer has one latent kernel; in a converted
    file each of the M x N convolutions is a binary one of its own, and kernels are kept M times, a bit for each weight.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the kernel.
        weight_bases: M.
        activation_bases: N.
        strides: Step in both directions.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> conv = bnext_keras.layers.MultiBaseConv2D(8, 3, weight_bases=3, activation_bases=2)
        >>> conv(tf.ones((1, 4, 4, 16))).shape.as_list()
        [1, 4, 4, 8]

    Reference:
        Lin, Zhao, Pan, arXiv 1711.11294, section 3. The thresholds start at even distances from 0 to 1: the paper's
        values are not known.
    """

    def __init__(self, filters, kernel_size, weight_bases=1, activation_bases=1, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.weight_bases = weight_bases
        self.activation_bases = activation_bases
        self.strides = strides
        self.convs = [
            _BaseConv2D(i, weight_bases, filters, kernel_size, strides, name=f"{self.name}_base{i}")
            for i in range(weight_bases)
        ]

    def build(self, input_shape):
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="glorot_normal")
        number = self.activation_bases
        # Even distances, as those of an ordinary quantizer of so many levels.
        starts = (np.arange(number) + 0.5) / number
        self.thresholds = self.add_weight(
            name="thresholds", shape=(number,), initializer=lambda shape, dtype=None: tf.constant(starts, dtype)
        )
        initial = tf.keras.initializers.Constant(1 / number)
        self.scales = self.add_weight(name="scales", shape=(number,), initializer=initial)
        for conv in self.convs:
            conv.share(self.kernel)
        super().build(input_shape)

    def call(self, inputs):
        total = []
        for j in range(self.activation_bases):
            shifted = inputs + (self.thresholds[j] - 0.5)
            total.append(self.scales[j] * tf.add_n([conv(shifted) for conv in self.convs]))
        return tf.add_n(total)

    def costs_by_role(self) -> tuple[dict[Role, int], dict[Role, int]]:
        """Parameters and multiply-accumulates: see `bnext_keras.summary.count_layer`."""
        size = self.kernel.shape.num_elements()
        pixels = int(np.prod(self.output_shape[1:3]))
        parameters = {BINARY: self.weight_bases * size, OTHER: 2 * self.activation_bases}
        return parameters, {BINARY: self.weight_bases * self.activation_bases * size * pixels}

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "weight_bases": self.weight_bases,
            "activation_bases": self.activation_bases,
            "strides": self.strides,
        }


class _BaseConv2D(lq.layers.QuantConv2D):
    """The binary convolution with one base of a kernel that another layer has."""

    def __init__(self, index, bases, filters, kernel_size, strides, **kwargs):
        quantizers = {
            "input_quantizer": lq.quantizers.SteSign(clip_value=0.5),
            "kernel_quantizer": KernelBase(index, bases),
        }
        options = {"strides": strides, "padding": "same", "use_bias": False, "kernel_constraint": Unbounded()}
        super().__init__(filters, kernel_size, **quantizers, **options, **kwargs)

    def share(self, latent):
        # Past Keras' tracking: the weight is that of the layer around, once.
        self.__dict__["kernel"] = QuantizedVariable.from_variable(latent, self.kernel_quantizer)

    def build(self, input_shape):
        self.bias = None
        self.input_spec = tf.keras.layers.InputSpec(min_ndim=4, axes={-1: input_shape[-1]})
        self.built = True
