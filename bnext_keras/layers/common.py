"""The layers that BNext and MeliusNet need beside those of Keras and Larq.

All but `Dense` take and return float feature maps of shape ``(batch, height, width, channels)``.

`Conv2D`, `DepthwiseConv2D` and `Dense` are Keras' own layers that also say what they are there for
(`bnext_keras.roles`). The statement is part of the layer's configuration: it survives every file format,
`tf.keras.models.clone_model`, and being taken into another model, where a property of the model as a whole would be
lost. Their kernels may have few bits already in training (`bnext_keras.quantize_weights`).
"""

from bnext_keras.annotations import Annotated
from bnext_keras.constraints import UnitInterval
from bnext_keras.layers.kernel_bits import KernelBits
from bnext_keras.quantizers import AnnealedSign, FusedSteSign
from bnext_keras.roles import OTHER, SQUEEZE_EXPAND, check_role

import larq as lq
import numpy as np
import tensorflow as tf


class _StatesRole(tf.keras.layers.Layer):
    """A layer whose configuration has its role."""

    def __init__(self, *args, role=OTHER, **kwargs):
        super().__init__(*args, **kwargs)
        self.role = check_role(role)

    def get_config(self):
        return {**super().get_config(), "role": self.role}


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class Conv2D(KernelBits, _StatesRole, tf.keras.layers.Conv2D):
    """Keras' `Conv2D` that states its role.

    Args:
        *args: Positional arguments of `tf.keras.layers.Conv2D`.
        role: One of `bnext_keras.roles.ROLES`.
        kernel_bits: Bits of the kernel's weights, 2 to 8, see `bnext_keras.layers.kernel_bits`; None for floats.
        **kwargs: Any other argument of `tf.keras.layers.Conv2D`.

    Raises:
        ValueError: if there is no such role, or there are no such bits.

    Example:
        >>> import bnext_keras
        >>> conv = bnext_keras.layers.Conv2D(32, 3, role="stem", kernel_bits=8)
        >>> copy = type(conv).from_config(conv.get_config())
        >>> copy.role, copy.kernel_bits
        ('stem', 8)
    """

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel if self.kernel_bits is None else self.effective_kernel())


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class Dense(Annotated, KernelBits, _StatesRole, tf.keras.layers.Dense):
    """Keras' `Dense` that states its role and, as a head, what the network is for: its classes and its images.

    Args:
        units: Number of outputs.
        role: One of `bnext_keras.roles.ROLES`.
        classes: Name of the data set, such as ``"imagenet"``, or None where it is unknown. It says how the network's
            images are normalized and what its classes are called, unless the next ones do; ``.tflite`` files made from
            it say so too.
        **kwargs: ``kernel_bits`` as of `Conv2D`; ``class_names``, ``mean`` and ``std``, see
            `bnext_keras.annotations.Annotated`; and any other argument of `tf.keras.layers.Dense`.

    Raises:
        ValueError: if there is no such role, or something else cannot be stated.

    Example:
        >>> import bnext_keras
        >>> head = bnext_keras.layers.Dense(1000, role="head", classes="imagenet")
        >>> copy = type(head).from_config(head.get_config())
        >>> copy.role, copy.classes
        ('head', 'imagenet')
    """

    def __init__(self, units, role=OTHER, classes=None, **kwargs):
        super().__init__(units, role=role, **kwargs)
        self.classes = classes
        if self.class_names is not None and len(self.class_names) != units:
            raise ValueError(f"there are {len(self.class_names)} class_names for {units} outputs")

    def build(self, input_shape):
        super().build(input_shape)
        if self.role == SQUEEZE_EXPAND:
            # The released code of BNext has 1x1 convolutions here.
            self.kernel.decays_as_kernel = True

    def call(self, inputs):
        if self.kernel_bits is None and (inputs.shape.rank != 4 or None in inputs.shape[1:]):
            return super().call(inputs)
        outputs = product(inputs, self.effective_kernel())
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


def product(inputs: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """The product of vectors, or of every pixel's channels, with a matrix, as a dense layer computes it.

    ``tf.tensordot``, which Keras calls for maps, puts together the shape of its result from some twenty operations.

    Args:
        inputs: ``(batch, ..., channels)``.
        matrix: ``(channels, units)``.
    """
    *positions, channels = inputs.shape[1:]
    if None in positions:
        return tf.tensordot(inputs, matrix, 1)
    products = tf.matmul(tf.reshape(inputs, (-1, channels)) if positions else inputs, matrix)
    return tf.reshape(products, (-1, *positions, matrix.shape[-1])) if positions else products


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class DepthwiseConv2D(KernelBits, _StatesRole, tf.keras.layers.DepthwiseConv2D):
    """Keras' `DepthwiseConv2D` that states its role.

    Args:
        *args: Positional arguments of `tf.keras.layers.DepthwiseConv2D`.
        role: One of `bnext_keras.roles.ROLES`.
        kernel_bits: As of `Conv2D`; every filter has a scale of its own.
        **kwargs: Any other argument of `tf.keras.layers.DepthwiseConv2D`.

    Raises:
        ValueError: if there is no such role, or there are no such bits.

    Example:
        >>> import bnext_keras
        >>> conv = bnext_keras.layers.DepthwiseConv2D(3, role="stem")
        >>> type(conv).from_config(conv.get_config()).role
        'stem'
    """

    @property
    def weights_of_channels(self):
        return self.depthwise_kernel, 2

    def call(self, inputs):
        if self.kernel_bits is None:
            return super().call(inputs)
        options = {"padding": self.padding, "data_format": self.data_format, "dilation_rate": self.dilation_rate}
        outputs = tf.keras.backend.depthwise_conv2d(inputs, self.effective_kernel(), self.strides, **options)
        if self.use_bias:
            outputs = tf.keras.backend.bias_add(outputs, self.bias, data_format=self.data_format)
        return outputs if self.activation is None else self.activation(outputs)


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class BinaryConv2D(lq.layers.QuantConv2D):
    """Larq's `QuantConv2D` with BNext's binarization as its defaults.

    The input is binarized by `FusedSteSign`, with a gradient of 1 where ``|x| <= 1.5``; the kernel by `AnnealedSign`,
    its latent weights start at 0.001 N(0, 1) and are clipped to [-1.5, 1.5]. Padding is 'same' with zeros, the form
    that Larq Compute Engine keeps binary; there is no bias and no scale, a batch normalization follows.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the kernel.
        **kwargs: Any argument of `larq.layers.QuantConv2D`, replacing the default above.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> conv = bnext_keras.layers.BinaryConv2D(64, 3, strides=2)
        >>> conv(tf.random.normal((1, 8, 8, 32))).shape.as_list()
        [1, 4, 4, 64]

    Reference:
        arXiv 2211.12933, section "Binarization"; the constants are those of the released code.
    """

    def __init__(self, filters, kernel_size, **kwargs):
        dtype = kwargs.get("dtype")
        defaults = {
            "padding": "same",
            "pad_values": 0.0,
            "use_bias": False,
            "input_quantizer": FusedSteSign(clip_value=1.5, dtype=dtype),
            "kernel_quantizer": AnnealedSign(dtype=dtype),
            "kernel_initializer": tf.keras.initializers.RandomNormal(stddev=1e-3),
            "kernel_constraint": lq.constraints.WeightClip(1.5),
        }
        super().__init__(filters, kernel_size, **{**defaults, **kwargs})

    @classmethod
    def from_config(cls, config):
        """The layer of a configuration, whatever Keras' global policy is."""
        quantizer = config.get("kernel_quantizer")
        # Files of earlier versions have None there, which would mean that policy.
        if isinstance(quantizer, dict) and quantizer["config"].get("dtype", "") is None:
            quantizer = {**quantizer, "config": {**quantizer["config"], "dtype": config["dtype"]}}
            config = {**config, "kernel_quantizer": quantizer}
        return super().from_config(config)

    def build(self, input_shape):
        super().build(input_shape)
        # Larq calls the kernel's quantizer only in the forward pass; its variable must exist before weights are loaded.
        if isinstance(self.kernel_quantizer, AnnealedSign) and not self.kernel_quantizer.built:
            self.kernel_quantizer.build(self.kernel.shape)

    # Naming `training` makes Keras hand it down to the kernel's quantizer, which Larq calls inside this call.
    def call(self, inputs, training=None):
        return super().call(inputs)


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class LearnableBias(tf.keras.layers.Layer):
    """Adds a learned bias to each channel: the threshold of the sign that follows.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.layers.LearnableBias()(tf.ones((1, 2, 2, 3))).numpy().max()
        1.0

    Reference:
        Liu et al., "ReActNet", arXiv 2003.03488, section 4.2 (there as RSign).
    """

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(input_shape[-1],), initializer="zeros")
        self.bias.decays_as_kernel = True  # four dimensions in BNext's released code, see optimizers.py
        super().build(input_shape)

    def call(self, inputs):
        return inputs + self.bias


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class LearnableMix(tf.keras.layers.Layer):
    """Mixes two feature maps, channel by channel: ``scale * before + (1 - scale) * after``.

    Takes a list of two maps of the same shape. The scale starts at 0.5 and stays in [0, 1].

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> mix = bnext_keras.layers.LearnableMix()
        >>> float(mix([tf.zeros((1, 2, 2, 3)), tf.ones((1, 2, 2, 3))])[0, 0, 0, 0])
        0.5

    Reference:
        arXiv 2211.12933, the Info-RCP module.
    """

    def build(self, input_shape):
        channels = input_shape[0][-1]
        self.scale = self.add_weight(
            name="scale",
            shape=(channels,),
            initializer=tf.keras.initializers.Constant(0.5),
            constraint=UnitInterval(),
        )
        self.scale.decays_as_kernel = True  # four dimensions in BNext's released code, see optimizers.py
        super().build(input_shape)

    def call(self, inputs):
        before, after = inputs
        return self.scale * before + (1 - self.scale) * after

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class SplitChannels(tf.keras.layers.Layer):
    """Cuts a feature map into ``groups`` of consecutive channels, for the branches of a grouped convolution.

    Args:
        groups: Number of parts; must divide the channels.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> parts = bnext_keras.layers.SplitChannels(4)(tf.ones((1, 2, 2, 12)))
        >>> len(parts), parts[0].shape.as_list()
        (4, [1, 2, 2, 3])
    """

    def __init__(self, groups, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups

    def call(self, inputs):
        return tf.split(inputs, self.groups, axis=-1)

    def get_config(self):
        return {**super().get_config(), "groups": self.groups}


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class ShuffleChannels(tf.keras.layers.Layer):
    """Interleaves the channels: the first of each group, then the second of each, and so on.

    A grouped convolution behind it reads channels of every group. It is one gather, which the interpreters of TFLite
    and LCE run faster than the usual reshape, transpose and reshape.

    Args:
        groups: Number of groups; must divide the channels.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.layers.ShuffleChannels(2)(tf.reshape(tf.range(6.0), (1, 1, 1, 6))).numpy().ravel().tolist()
        [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]

    Reference:
        Zhang et al., "ShuffleNet", arXiv 1707.01083, section 3.1.
    """

    def __init__(self, groups, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels % self.groups:
            raise ValueError(f"layer '{self.name}': {channels} channels cannot be shuffled in {self.groups} groups")
        self._order = np.arange(channels, dtype=np.int32).reshape(self.groups, -1).T.ravel()
        super().build(input_shape)

    def call(self, inputs):
        return tf.gather(inputs, self._order, axis=-1)

    def get_config(self):
        return {**super().get_config(), "groups": self.groups}
