"""Copies of models that differ in what a file cannot be: of any size, or in another precision than float32."""

from collections.abc import Callable
from typing import Any

from bnext_keras.errors import ConversionError
from bnext_keras.layer_graph import has_graph
from bnext_keras.text import first_line

import tensorflow as tf

#: Names of types, and of Keras' policies, that become float32.
_OTHER_FLOATS = ("float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16")


def of_size(model: tf.keras.Model, input_size: int | None) -> tf.keras.Model:
    """A model of images of any size as one of a single size, with the same weights; or the model itself.

    Args:
        model: The model.
        input_size: Height and width of its images, None to leave it as it is.

    Raises:
        ConversionError: if the model's own size is another one, or it cannot be built for this one.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(None, None, 3), num_classes=2)
        >>> of_size(model, 32).input_shape
        (None, 32, 32, 3)
    """
    if input_size is None or len(getattr(model, "inputs", None) or ()) != 1:
        return model
    image = tuple(model.inputs[0].shape)[1:-1]
    if None not in image:
        if image == (input_size,) * len(image):
            return model
        size = " x ".join(map(str, image))
        raise ConversionError(
            f"its input has the size {size or 'of no image'}", where=_name(model), remedy="leave out the input size"
        )

    def fix(settings):
        for key in ("batch_input_shape", "build_input_shape"):
            shape = settings.get(key)
            if isinstance(shape, list | tuple) and tuple(shape[1:]) == (*image, model.inputs[0].shape[-1]):
                settings[key] = (shape[0], *(input_size if side is None else side for side in image), shape[-1])

    return _rebuilt(model, fix, f"for images of {input_size} x {input_size}")


def in_float32(model: tf.keras.Model) -> tf.keras.Model:
    """A model that computes in mixed precision or float64 as one that computes in float32, its weights rounded to it.

    Raises:
        ConversionError: if it cannot be built so.

    Example:
        >>> image = tf.keras.Input((4,))
        >>> model = tf.keras.Model(image, tf.keras.layers.Dense(2, dtype="mixed_float16")(image))
        >>> in_float32(model).layers[-1].compute_dtype
        'float32'
    """

    def fix(settings):
        kind = settings.get("dtype")
        name = kind.get("config", {}).get("name") if isinstance(kind, dict) else kind
        if name in _OTHER_FLOATS:
            settings["dtype"] = "float32"

    return _rebuilt(model, fix, "in float32")


def other_precisions(model: tf.keras.Model) -> dict[str, str]:
    """Layers that do not compute in float32, with the name of what they compute in: a type or a mixed precision."""
    found = {}
    for layer in model.submodules:
        # Models leave it to their layers.
        if not isinstance(layer, tf.keras.layers.Layer) or (isinstance(layer, tf.keras.Model) and has_graph(layer)):
            continue
        if layer.compute_dtype != layer.variable_dtype:
            found[layer.name] = layer.dtype_policy.name
        elif layer.variable_dtype not in (None, "float32") and layer.weights:
            found[layer.name] = layer.variable_dtype
    return found


def _rebuilt(model: tf.keras.Model, fix: Callable[[dict[str, Any]], None], how: str) -> tf.keras.Model:
    try:
        config = model.get_config()
        for settings in _dictionaries(config):
            fix(settings)
        copy = type(model).from_config(config)
        copy.set_weights(model.get_weights())
    # Layers of users build themselves: whatever they raise, the model is not to be had in this way.
    except Exception as error:
        raise ConversionError(
            f"it cannot be built {how} ({first_line(error)})", where=_name(model), remedy="build it so in Python"
        ) from error
    return copy


def _dictionaries(value):
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _dictionaries(item)


def _name(model):
    return f"model '{model.name}'"
