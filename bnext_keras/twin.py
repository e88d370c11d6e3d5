"""The float twin of a binary network: the same layers without signs, to see what the signs cost."""

import tensorflow as tf

#: What makes numbers of few values in the layers of Larq and of this project, and what keeps latent weights in range.
_BINARY = ("input_quantizer", "kernel_quantizer", "depthwise_quantizer", "pointwise_quantizer")
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

    def convert(layer):
        config = layer.get_config()
        config.pop("kernel_bits", None)
        if any(config.get(name) is not None for name in _BINARY):
            config |= {name: None for name in (*_BINARY, *_BOUNDS) if name in config}
            config |= {name: "glorot_uniform" for name in _INITIALIZERS if name in config}
        return type(layer).from_config(config)

    return tf.keras.models.clone_model(model, clone_function=convert)
