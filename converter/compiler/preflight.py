"""What a model must be before a conversion is worth starting."""

from bnext_keras.errors import ConversionError
from bnext_keras.quantizers import ANNEALED, temperatures

import tensorflow as tf

from converter.compiler import lower
from converter.source.binary_layers import binary_convs


def check(model: tf.keras.Model) -> None:
    """Refuses a model that has no exact ``.tflite`` file.

    Raises:
        ConversionError: naming the layer, the reason and the remedy.
    """
    if not model.built or not getattr(model, "inputs", None):
        raise ConversionError(
            f"model '{model.name}' has no symbolic input; only functional models, and Sequential ones with an input "
            "shape, can be converted"
        )
    for kind, tensors in (("input", model.inputs), ("output", model.outputs)):
        if len(tensors) != 1:
            raise ConversionError(
                f"model '{model.name}' has {len(tensors)} {kind}s; only models with one are supported"
            )
    shape = tuple(model.inputs[0].shape)
    if None in shape[1:]:
        raise ConversionError(
            f"model '{model.name}' has a dynamic input shape {shape}; build it with a fixed input_shape "
            "(the batch dimension alone may be None)"
        )
    _check_precision(model)
    hot = {name: float(value) for name, value in temperatures(model).items() if value >= ANNEALED}
    if hot:
        name, value = max(hot.items(), key=lambda item: item[1])
        raise ConversionError(
            f"layer '{name}': its weight temperature is {value:.2g}, not annealed: the network was trained with "
            "kernels that are not binary yet; train on until WeightTemperature reaches 0"
        )
    for layer in binary_convs(model):
        lower.check(layer)


def _check_precision(model):
    for layer in model.submodules:
        if not isinstance(layer, tf.keras.layers.Layer):
            continue
        if layer.compute_dtype != layer.variable_dtype:
            raise ConversionError(
                f"layer '{layer.name}' computes in mixed precision ({layer.dtype_policy.name}); rebuild the model with "
                "tf.keras.mixed_precision.set_global_policy('float32') and load its weights"
            )
        if layer.variable_dtype not in (None, "float32") and layer.weights:
            raise ConversionError(
                f"layer '{layer.name}' is {layer.variable_dtype}; rebuild the model in float32 and load its weights"
            )
