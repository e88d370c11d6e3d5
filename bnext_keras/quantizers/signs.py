r"""Quantizers for the activations and the kernels of binary networks.

Activations are binarized by `FusedSteSign`, which is `larq.quantizers.SteSign` in all but the time that its gradient
takes. Kernels are binarized by `AnnealedSign`, which is the plain sign unless a
`bnext_keras.callbacks.WeightTemperature` warms it up for the duration of a training run:

>>> import bnext_keras, tensorflow as tf
>>> quantizer = bnext_keras.quantizers.AnnealedSign()
>>> kernel = tf.constant([-0.3, 0.0, 0.2])
>>> quantizer(kernel, training=True).numpy().tolist()
[-1.0, 1.0, 1.0]
>>> quantizer.temperature.assign(0.4);  # doctest: +SKIP
>>> quantizer(kernel, training=True).numpy().round(2).tolist()  # doctest: +SKIP
[-0.75, 0.0, 0.5]
"""

import math
from functools import partial

from bnext_keras.gradients import custom_gradient
from bnext_keras.schedules import ANNEALED
from bnext_keras.sublayers import sublayers

import larq as lq
import numpy as np
import tensorflow as tf


def _pass_within(limit, upstream, values):
    """``upstream`` where ``|values| <= limit`` and 0 elsewhere, in one pass over float32 tensors."""

    # TensorFlow does not differentiate the operation; it is linear in `upstream`, hence its own gradient.
    @custom_gradient
    def masked(upstream, values):
        # The mask is that of a quantization whose bounds are moved until one of its levels is 0. With three levels
        # these are -limit, 0 and limit, and nothing moves.
        gradient = tf.quantization.fake_quant_with_min_max_args_gradient(
            upstream, values, min=-limit, max=limit, num_bits=2, narrow_range=True
        )
        return gradient, lambda second: (_pass_within(limit, second, values), None)

    return masked(upstream, values)


def _kept_for_other_types(limit, values):
    """What the forward pass keeps for `_pass_kept`: positive where ``|values| <= limit``, 0 or less elsewhere."""
    kind = values.dtype.as_numpy_dtype
    # From the next number on nothing passes. The difference of two numbers keeps its sign when it is rounded.
    return np.nextafter(kind(limit), kind(np.inf)) - tf.abs(values)


def _pass_kept(kept, upstream):
    return tf.raw_ops.ReluGrad(gradients=upstream, features=kept)


# Larq looks quantizers up by their bare class name, without Keras' package prefix.
@lq.utils.register_keras_custom_object
class FusedSteSign(lq.quantizers.Quantizer):
    r"""Larq's `SteSign` with a gradient that is one operation: the same values and the same gradients in less time.

    $$q(x) = \mathrm{sign}(x), \quad \mathrm{sign}(0) = 1, \qquad
    \frac{\partial q}{\partial x} = 1 \text{ for } |x| \leq c, \quad 0 \text{ elsewhere}.$$

    The difference counts where the convolution between is a small part of a step: on a processor `SteSign` makes a step
    of a narrow network a tenth longer, most of it for the gradient. One thing is not the same: an infinite gradient
    from above becomes NaN where ``|x| > c``, and not 0.

    Args:
        clip_value: The threshold c; None for a gradient of 1 everywhere.

    Raises:
        ValueError: if the threshold is not above 0, or not finite.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.quantizers.FusedSteSign(clip_value=1.5)(tf.constant([-0.3, 0.0, 2.0])).numpy().tolist()
        [-1.0, 1.0, 1.0]

    Reference:
        Courbariaux et al., "Binarized Neural Networks", arXiv 1602.02830, section 1.3; c = 1 there.
    """

    precision = 1

    def __init__(self, clip_value=1.0, **kwargs):
        if clip_value is not None and not 0 < clip_value < math.inf:
            raise ValueError(f"clip_value must be a positive number, or None for no clipping, got {clip_value}")
        super().__init__(**kwargs)
        self.clip_value = clip_value

    def call(self, inputs):
        inputs = tf.convert_to_tensor(inputs)  # custom gradients refuse variables that are not their own
        if self.clip_value is None:
            return lq.quantizers.ste_sign(inputs, None)

        @custom_gradient
        def binarize(values):
            if values.dtype == tf.float32:
                gradient = partial(_pass_within, self.clip_value, values=values)
            else:
                # The kernel of that operation knows float32 alone. Here the forward pass prepares the mask, which is
                # kept in place of the values, so that the gradient is one operation too.
                gradient = partial(_pass_kept, _kept_for_other_types(self.clip_value, values))
            # Larq Compute Engine recognizes a binary convolution by this form of the sign.
            return lq.math.sign(values), gradient

        return binarize(inputs)

    def get_config(self):
        return {**super().get_config(), "clip_value": self.clip_value}


@lq.utils.register_keras_custom_object
class AnnealedSign(lq.quantizers.Quantizer):
    r"""Sign with a temperature: a kernel that hardens from float to binary during training.

    In training, with temperature $T$ and latent weights $W$,

    $$q(W) = \mathrm{clip}(W / T, -1, 1) \text{ for } T \geq 10^{-7}, \qquad \mathrm{sign}(W) \text{ below},$$

    with the identity as pseudo-gradient, $\partial q / \partial W = 1$. Outside training it is always
    $\mathrm{sign}(W)$, with $\mathrm{sign}(0) = 1$ as in Larq. Since the gradient is never cut off, latent weights must
    be clipped by a constraint such as ``larq.constraints.WeightClip(1.5)``.

    Attributes:
        temperature: Scalar variable, saved with the model, 0 in a new one: a network that nobody anneals is binary
            from its first step.

    Reference:
        Guo et al., "Join the High Accuracy Club on ImageNet with A Binary Neural Network Ticket", arXiv 2211.12933,
        section "Optimization", and its released training code.
    """

    precision = 1

    def build(self, input_shape):
        # Not cast to half precision, which could not tell the last temperatures apart.
        self.temperature = self.add_weight(
            name="temperature", shape=(), initializer="zeros", trainable=False, experimental_autocast=False
        )
        super().build(input_shape)

    def call(self, inputs, training=None):
        if not training:
            return lq.math.sign(inputs)
        temperature = tf.cast(self.temperature, inputs.dtype)

        @custom_gradient
        def harden(latent):
            floor = tf.constant(ANNEALED, latent.dtype)
            relaxed = tf.clip_by_value(latent / tf.maximum(temperature, floor), -1.0, 1.0)
            return tf.where(temperature < floor, lq.math.sign(latent), relaxed), lambda upstream: upstream

        return harden(inputs)

    def get_config(self):
        # Keras would write down what it was given: None, for instance, which means another policy elsewhere.
        return {**super().get_config(), "dtype": self.dtype_policy.name}


@lq.utils.register_keras_custom_object
class TanhActivation(lq.quantizers.Quantizer):
    r"""The hyperbolic tangent in a sign's place: activations are squashed to (-1, 1), and stay floats.

    $$q(x) = \tanh(x), \qquad \frac{\partial q}{\partial x} = 1 - \tanh^2(x).$$

    Real-to-Binary's teacher has it, see `bnext_keras.twin.float_kernels`.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.quantizers.TanhActivation()(tf.constant([-9.0, 0.0])).numpy().round(4).tolist()
        [-1.0, 0.0]

    Reference:
        Martinez et al., "Training Binary Neural Networks with Real-to-Binary Convolutions", arXiv 2003.11535, section
        4.2.
    """

    precision = 32

    def call(self, inputs):
        return tf.tanh(inputs)


def temperatures(model: tf.keras.Model, *, frozen: bool = True) -> dict[str, tf.Variable]:
    """The temperature variable of every annealed kernel in ``model``, nested models included, by layer name.

    Args:
        model: A network.
        frozen: Whether those of layers that are not trained are among them.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> sorted(bnext_keras.quantizers.temperatures(model))
        ['block1_1x1a_conv', 'block1_1x1b_conv', 'block1_3x3_conv']
    """
    found: dict[str, tf.Variable] = {}
    for layer in sublayers(model):
        if not (frozen or layer.trainable):
            continue
        if isinstance(getattr(layer, "kernel_quantizer", None), AnnealedSign) and layer.built:
            # Names are unique in one model, not across nested ones.
            name = layer.name if layer.name not in found else f"{layer.name} ({len(found)})"
            found[name] = layer.kernel_quantizer.temperature
    return found


def harden(model: tf.keras.Model) -> dict[str, float]:
    """Makes the kernels of a network binary that was not trained until they were: all temperatures become 0.

    Evaluation uses sign(W) at any temperature, so the model's answers, and its validation accuracy, stay what they are.
    But they are those of other kernels than the network learned with, and its batch normalizations have the statistics
    of those: expect less than the training accuracy, and train on with binary kernels if it is much less.

    Returns:
        The temperature that each of these kernels had, by layer name; those that were binary are left out.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> bnext_keras.quantizers.temperatures(model)["block1_3x3_conv"].assign(0.5)  # doctest: +ELLIPSIS
        <tf.Variable ...>
        >>> bnext_keras.quantizers.harden(model)
        {'block1_3x3_conv': 0.5}
        >>> bnext_keras.quantizers.harden(model)
        {}
    """
    soft, variables = soft_kernels(model), temperatures(model)
    for name in soft:
        variables[name].assign(0.0)
    return soft


def soft_kernels(model: tf.keras.Model) -> dict[str, float]:
    """The temperature of every kernel that was not binary when training ended, by layer name."""
    found = {name: float(value) for name, value in temperatures(model).items()}
    return {name: value for name, value in found.items() if value >= ANNEALED}
