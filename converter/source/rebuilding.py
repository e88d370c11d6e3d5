"""Copies of models that differ in what a file cannot be: of any size, or in another precision than float32."""

from collections.abc import Callable
from typing import Any

from bnext_keras.errors import ConversionError
from bnext_keras.layer_graph import has_graph
from bnext_keras.precision import OTHER_FLOATS, dictionaries, replace_precision
from bnext_keras.sublayers import sublayers
from bnext_keras.text import first_line

import tensorflow as tf


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

    def fix(config):
        for settings in dictionaries(config):
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
    return _rebuilt(model, lambda config: replace_precision(config, OTHER_FLOATS, "float32"), "in float32")


def other_precisions(model: tf.keras.Model) -> dict[str, str]:
    """Layers that do not compute in float32, with the name of what they compute in: a type or a mixed precision."""
    found = {}
    for layer in sublayers(model):
        # Models leave it to their layers.
        if isinstance(layer, tf.keras.Model) and has_graph(layer):
            continue
        if layer.compute_dtype != layer.variable_dtype:
            found[layer.name] = layer.dtype_policy.name
        elif layer.variable_dtype not in (None, "float32") and layer.weights:
            found[layer.name] = layer.variable_dtype
    return found


def taken_as_float32(model: tf.keras.Model, on_demand: bool) -> tuple[tf.keras.Model, str]:
    """The model in float32 if that is what its file is to hold, and what it computes in then; or itself, and nothing.

    Args:
        model: Any model.
        on_demand: Whether a model of float64 or float16 is meant as well. One of mixed precision always is.

    Raises:
        ConversionError: if it cannot be built so.
    """
    precisions = list(other_precisions(model).values())
    if precisions and (on_demand or all(map(is_mixed, precisions))):
        return in_float32(model), precisions[0]
    return model, ""


def is_mixed(precision: str) -> bool:
    """Whether layers of this precision are trained in 16 bits but have float32 weights: in a file they are float32."""
    return precision.startswith("mixed")


def _rebuilt(model: tf.keras.Model, fix: Callable[[dict[str, Any]], None], how: str) -> tf.keras.Model:
    try:
        config = model.get_config()
        fix(config)
        copy = type(model).from_config(config)
        copy.set_weights(model.get_weights())
    # Layers of users build themselves: whatever they raise, the model is not to be had in this way.
    except Exception as error:
        raise ConversionError(
            f"it cannot be built {how} ({first_line(error)})", where=_name(model), remedy="build it so in Python"
        ) from error
    return copy


def _name(model):
    return f"model '{model.name}'"
