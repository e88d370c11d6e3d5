"""What a model must be before a conversion is worth starting."""

from bnext_keras.errors import ConversionError
from bnext_keras.quantizers import soft_kernels

import larq as lq
import numpy as np
import tensorflow as tf

from converter.source.binary_layers import binary_convs, quantized_kernel


def check(model: tf.keras.Model, *, harden: bool = False) -> None:
    """Refuses a model that has no exact ``.tflite`` file.

    Args:
        model: The model.
        harden: Whether kernels that were not binary when training ended are to be taken as their signs.

    Raises:
        ConversionError: naming the layer, the reason and the remedy.
    """
    where = f"model '{model.name}'"
    if not model.built or not getattr(model, "inputs", None):
        raise ConversionError(
            "it has no symbolic input",
            where=where,
            remedy="only functional models, and Sequential ones with an input shape, can be converted",
        )
    for kind, tensors in (("input", model.inputs), ("output", model.outputs)):
        if len(tensors) != 1:
            raise ConversionError(
                f"it has {len(tensors)} {kind}s", where=where, remedy="only models with one are supported"
            )
    shape = tuple(model.inputs[0].shape)
    if None in shape[1:]:
        raise ConversionError(
            f"it has a dynamic input shape {shape}",
            where=where,
            remedy="build it with a fixed input_shape (the batch dimension alone may be None)",
        )
    _check_precision(model)
    if not harden:
        _check_temperatures(model)
    for layer in binary_convs(model):
        check_binary_conv(layer)


def check_binary_conv(layer: tf.keras.layers.Layer) -> None:
    """Refuses a binary convolution that `converter.compiler.lower` has no form for.

    Raises:
        ConversionError: naming the layer, the reason and the remedy.
    """
    where = f"layer '{layer.name}'"
    if not isinstance(layer, lq.layers.QuantConv2D):
        raise ConversionError(
            f"Larq Compute Engine has no binary form of {type(layer).__name__}",
            where=where,
            remedy="remove its input quantizer, or use QuantConv2D",
        )
    if layer.data_format != "channels_last":
        raise ConversionError(
            f"TFLite does not support data_format {layer.data_format!r}", where=where, remedy="use 'channels_last'"
        )
    if None in layer.input_shape[1:]:
        raise ConversionError(
            f"it has a dynamic input shape {layer.input_shape}",
            where=where,
            remedy="build the model with a fixed input_shape",
        )
    kernel = quantized_kernel(layer)
    scale = np.abs(kernel).max(axis=(0, 1, 2))
    if kernel.size == 0 or scale.min() == 0 or not np.isclose(np.abs(kernel), scale, rtol=1e-6).all():
        raise ConversionError(
            f"its kernel is not binary (kernel_quantizer {layer.kernel_quantizer!r} leaves other values than one +-c "
            "per output channel)",
            where=where,
            remedy="use a binary kernel quantizer such as ste_sign",
        )


def _check_precision(model):
    for layer in model.submodules:
        if not isinstance(layer, tf.keras.layers.Layer):
            continue
        where = f"layer '{layer.name}'"
        if layer.compute_dtype != layer.variable_dtype:
            raise ConversionError(
                f"it computes in mixed precision ({layer.dtype_policy.name})",
                where=where,
                remedy="rebuild the model with tf.keras.mixed_precision.set_global_policy('float32') and load its "
                "weights",
            )
        if layer.variable_dtype not in (None, "float32") and layer.weights:
            raise ConversionError(
                f"it is {layer.variable_dtype}", where=where, remedy="rebuild the model in float32 and load its weights"
            )


def _check_temperatures(model):
    hot = soft_kernels(model)
    if hot:
        name, value = max(hot.items(), key=lambda item: item[1])
        raise ConversionError(
            f"its weight temperature is {value:.2g}, not annealed: the network was trained with kernels that are not "
            "binary yet",
            where=f"layer '{name}'",
            remedy="train on until WeightTemperature reaches 0, or take the kernels' signs as they are, as validation "
            "did: bnext-convert --harden, convert(harden=True)",
        )
