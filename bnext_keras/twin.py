"""Binary networks without signs, or without those of their kernels.

The *float twin* shows what the signs cost. *Float kernels* are a first step of training: several papers train a network
with binary activations alone, and then, from its weights, the binary one.
"""

from bnext_keras.quantizers import TanhActivation

import tensorflow as tf

#: What makes numbers of few values in the layers of Larq and of this project, and what keeps latent weights in range.
_ACTIVATIONS = ("input_quantizer",)
_KERNELS = ("kernel_quantizer", "depthwise_quantizer", "pointwise_quantizer")
_INITIALIZERS = ("kernel_initializer", "depthwise_initializer", "pointwise_initializer")
_BOUNDS = ("kernel_constraint", "depthwise_constraint", "pointwise_constraint")


def float_twin(model: tf.keras.Model) -> tf.keras.Model:
    """The same network with float kernels and activations, and new weights.

    Quantizers, bits of kernels and the bounds of latent weights are left out; all other layers are the same, what was
    added for the sake of the signs among them. Kernels begin as Keras' layers begin: latent weights of signs may be as
    small as they like.

    Args:
        model: A functional or sequential model.

    Raises:
        ValueError: if it is neither.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> twin = float_twin(model)
        >>> twin.get_layer("block1_3x3_conv").kernel_quantizer is None, twin.count_params() < model.count_params()
        (True, True)
    """

    return _copy(model, dict.fromkeys((*_ACTIVATIONS, *_KERNELS, "kernel_bits")))


def float_kernels(model: tf.keras.Model, *, tanh: bool = False, keep_weights: bool = False) -> tf.keras.Model:
    """The same network with float kernels: the first of the steps in which several papers train.

    Bounds of latent weights are left out with the signs of kernels. Layers keep their names, and the weights that both
    have their shapes, so that the binary network can begin with what this one has learned.

    Args:
        model: A functional or sequential model.
        tanh: Whether activations have no signs either, but hyperbolic tangents in their place.
        keep_weights: Whether it has the weights of ``model``, and not new ones.

    Raises:
        ValueError: if it is neither.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> conv = float_kernels(model).get_layer("block1_3x3_conv")
        >>> conv.kernel_quantizer is None, conv.input_quantizer.precision
        (True, 1)

    Reference:
        Martinez et al., "Training Binary Neural Networks with Real-to-Binary Convolutions", arXiv 2003.11535, section
        4.2; Liu et al., "ReActNet", arXiv 2003.03488, and its released code.
    """
    changes = dict.fromkeys(_KERNELS)
    copy = _copy(model, {**changes, "input_quantizer": TanhActivation} if tanh else changes)
    if keep_weights:
        for layer in copy.layers:
            # Behind what both have, a sign may have its temperature.
            layer.set_weights(model.get_layer(layer.name).get_weights()[: len(layer.weights)])
    return copy


def _copy(model, changes):
    """A copy in which the layers that quantize have other values of these options: None, or what makes one."""

    def convert(layer):
        config = layer.get_config()
        changed = [name for name in changes if config.get(name) is not None]
        config |= {name: make() if (make := changes[name]) else None for name in changed}
        if any(name in _KERNELS for name in changed):
            config |= {name: None for name in _BOUNDS if name in config}
            config |= {name: "glorot_uniform" for name in _INITIALIZERS if name in config}
        return type(layer).from_config(config)

    return tf.keras.models.clone_model(model, clone_function=convert)
