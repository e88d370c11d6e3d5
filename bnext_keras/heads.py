"""Another classifier for a trained network: a head for other classes, fresh, on weights that are kept."""

from typing import Any

from bnext_keras.annotations import Annotation
from bnext_keras.errors import UserError
from bnext_keras.layer_graph import LayerGraph, has_graph, has_kernel
from bnext_keras.text import first_line

import tensorflow as tf

#: What says how many outputs a layer has: a dense one, or a convolution.
_WIDTHS = ("units", "filters")
#: What is stated of classes that are no longer there.
_OF_CLASSES = ("classes", "class_names")


def with_classes(model: tf.keras.Model, num_classes: int) -> tf.keras.Model:
    """A copy of a classifier for another number of classes: its head is fresh, all other weights are kept.

    How images are normalized stays stated; what the classes were is not.

    Args:
        model: A functional or sequential model with one head, see `find_head`.
        num_classes: How many classes the copy tells apart.

    Raises:
        UserError: if there is no such head, or the model cannot be built with another one.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), classes="imagenet")
        >>> other = with_classes(model, 5)
        >>> other.output_shape, bnext_keras.classes.stated(other).class_names
        ((None, 5), None)
        >>> bool((other.get_layer("stem_conv").kernel.numpy() == model.get_layer("stem_conv").kernel.numpy()).all())
        True
    """
    head = find_head(model)
    if head is None or not any(hasattr(head, width) for width in _WIDTHS):
        raise UserError(
            "has no head that is known as one, a last dense layer or convolution among its layers",
            where=f"model '{model.name}'",
            remedy="build it with the other number of classes in Python",
        )
    config, layers = model.get_config(), {layer.name: layer for layer in model.layers}
    for entry in config["layers"]:
        settings = entry["config"]
        if settings["name"] == head.name:
            width = next(width for width in _WIDTHS if width in settings)
            _change(settings, {width: num_classes})
        elif isinstance(layers.get(settings["name"]), Annotation):
            _change(settings, {})
    try:
        copy = type(model).from_config(config)
    # Layers of users build themselves: whatever they raise, the model is not to be had in this way.
    except Exception as error:
        raise UserError(
            f"cannot be built with {num_classes} classes ({first_line(error)})", where=f"model '{model.name}'"
        ) from error
    for old, new in zip(model.layers, copy.layers, strict=True):
        # A normalization behind the head is as wide as that.
        if old is not head and _shapes(old) == _shapes(new):
            new.set_weights(old.get_weights())
    return copy


def find_head(model: tf.keras.Model) -> Any | None:
    """The layer that makes a model's logits: the dense layer or convolution that the output is computed from.

    None if there is none among the model's own layers, or ways meet behind it, or there are several outputs. It may be
    binary, which is a role of its own: that is why roles do not tell.
    """
    if not has_graph(model) or len(model.outputs) != 1:
        return None
    graph = LayerGraph(model)
    *_, layer = graph.backwards(graph.outputs[0])
    return layer if has_kernel(layer) and layer in model.layers else None


def _change(settings, changes):
    settings.update(changes)
    for name in _OF_CLASSES:
        settings.pop(name, None)


def _shapes(layer):
    return [tuple(weight.shape) for weight in layer.weights]
