"""Models as cameras and applications like them: they take pixels from 0 to 255 as they are, and give probabilities.

What is added is a layer before the model or behind it, which is traced, simplified and verified like the others.
"""

from bnext_keras.annotations import Annotation
from bnext_keras.errors import ConversionError
from bnext_keras.layer_graph import LayerGraph
from bnext_keras.preprocessing import Normalization
from bnext_keras.sublayers import sublayers

import numpy as np
import tensorflow as tf

from converter.advice.finding import activation

#: Types of inputs, as the command line names them.
INPUT_TYPES = ("float32", "uint8")


def takes_pixels(model: tf.keras.Model) -> bool:
    """Whether a model's input is of 8 bits already."""
    return len(model.inputs) == 1 and model.inputs[0].dtype == tf.uint8


def of_pixels(model: tf.keras.Model, normalization: Normalization | None) -> tf.keras.Model:
    """A model of uint8 images ``(batch, height, width, channels)``, which it normalizes itself.

    That is ``(pixels / 255 - mean) / std``, computed as one multiplication and one addition of float32 constants;
    `converter.passes.fold_normalization` moves them into the first convolution as far as that is exact. Images must
    have the model's size.

    Args:
        model: A model of float images. One that takes uint8 already is returned as it is.
        normalization: How it wants its images, with a number for each channel.

    Raises:
        ConversionError: if it has other inputs than images, or nobody has said how they are normalized.

    Example:
        >>> image = tf.keras.Input((4, 4, 1))
        >>> model = of_pixels(tf.keras.Model(image, 2 * image), Normalization((0.5,), (0.5,)))
        >>> model(np.full((1, 4, 4, 1), 255, np.uint8)).numpy().max()
        2.0
    """
    if takes_pixels(model):
        return model
    where = f"model '{model.name}'"
    shape = tuple(model.inputs[0].shape[1:])
    if len(model.inputs) != 1:
        raise ConversionError(f"it has {len(model.inputs)} inputs", where=where, remedy="leave out --input uint8")
    if len(shape) != 3:
        raise ConversionError(f"its input of shape {shape} is no image", where=where, remedy="leave out --input uint8")
    if normalization is None:
        raise ConversionError(
            "it does not say how its images are normalized, which a file of uint8 images does itself",
            where=where,
            remedy="give --mean and --std, or --scale 255 if it takes pixels as they are",
        )
    mean, std = (np.array(values) for values in (normalization.mean, normalization.std))
    scale, offset = (1 / (255 * std)).tolist(), (-mean / std).tolist()
    pixels = tf.keras.Input(shape, dtype="uint8", name="pixels")
    normalize = tf.keras.layers.Rescaling(scale, offset, name=_free("normalize", model))
    return tf.keras.Model(pixels, model(normalize(pixels)), name=model.name)


def giving_probabilities(model: tf.keras.Model) -> tf.keras.Model:
    """A model with a softmax behind its output.

    Raises:
        ConversionError: if it has other outputs than one number for each class, or ends in a softmax already.

    Example:
        >>> image = tf.keras.Input((2,))
        >>> model = giving_probabilities(tf.keras.Model(image, 2 * image))
        >>> model(np.zeros((1, 2), np.float32)).numpy().tolist()
        [[0.5, 0.5]]
    """
    where = f"model '{model.name}'"
    shapes = [tuple(tensor.shape) for tensor in (*model.inputs, *model.outputs)]
    if len(shapes) != 2 or len(shapes[1]) != 2:
        raise ConversionError(
            f"its outputs, {', '.join(map(str, shapes[len(model.inputs) :]))}, are not one number for each class",
            where=where,
            remedy="leave out --softmax",
        )
    if ends_in_softmax(model):
        raise ConversionError("it gives probabilities already", where=where, remedy="leave out --softmax")
    image = tf.keras.Input(shapes[0][1:], dtype=model.inputs[0].dtype, name="pixels")
    softmax = tf.keras.layers.Softmax(name=_free("probabilities", model))
    return tf.keras.Model(image, softmax(model(image)), name=model.name)


def ends_in_softmax(model: tf.keras.Model) -> bool:
    """Whether a model's last layer that computes something is a softmax, or ends with one.

    Example:
        >>> image = tf.keras.Input((2,))
        >>> ends_in_softmax(tf.keras.Model(image, tf.keras.layers.Dense(2, "softmax")(image)))
        True
    """
    if len(model.outputs) != 1:
        return False
    graph = LayerGraph(model)
    for layer in graph.backwards(graph.outputs[0]) if graph.outputs else ():
        if not isinstance(layer, Annotation):
            return activation(layer) == "softmax"
    return False


def _free(name, model):
    """A name that no layer of a model has."""
    taken = {layer.name for layer in sublayers(model)}
    return next(free for free in (name, *(f"{name}_{i}" for i in range(2, 10_000))) if free not in taken)
