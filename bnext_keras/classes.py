"""What a model's images and outputs are: how the images are normalized, and which classes the outputs stand for.

A layer states it (`bnext_keras.annotations`), never the model's name:

>>> import bnext_keras
>>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
>>> model = annotate(model, class_names=["cat", "dog"], mean=0.5, std=0.25)
>>> stated(model)
Statement(class_names=('cat', 'dog'), normalization=Normalization(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)))
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bnext_keras.annotations import Annotated, Annotation
from bnext_keras.cards import CARDS
from bnext_keras.labels import IMAGENET, IMAGENET_CLASSES, check_names, imagenet_labels
from bnext_keras.layer_graph import PASSING_ON, LayerGraph, has_graph
from bnext_keras.layers import Dense
from bnext_keras.orientation import Rotate180
from bnext_keras.preprocessing import IMAGENET_MEAN, Normalization
from bnext_keras.roles import HEAD, stated_role
from bnext_keras.structure import find_roles
from bnext_keras.summary import count
from bnext_keras.text import printable

import numpy as np
import tensorflow as tf

#: Layers that put an image's pixels elsewhere: it is normalized behind them as it is before.
MOVING_PIXELS = (
    *PASSING_ON,
    Rotate180,
    tf.keras.layers.CenterCrop,
    tf.keras.layers.RandomCrop,
    tf.keras.layers.RandomFlip,
    tf.keras.layers.RandomRotation,
    tf.keras.layers.RandomTranslation,
    tf.keras.layers.RandomZoom,
    tf.keras.layers.Resizing,
)


@dataclass(frozen=True)
class Statement:
    """What is known of the data that a model is for.

    Attributes:
        class_names: Names of the classes in the order of the outputs, None if they are not known.
        normalization: How images are normalized, with a number for each channel, None if it is not known.
    """

    class_names: tuple[str, ...] | None = None
    normalization: Normalization | None = None


def stated(model: tf.keras.Model) -> Statement:
    """What a model states: by `annotate`, or because its classes are those of ImageNet.

    A network that begins by rescaling pixels from 0 to 255, as many of Keras do, says by that how it wants its images.
    Names come from whoever made the file; what a terminal would obey in them is visible as escapes. What does not fit
    the model's outputs or channels is not known.

    What the classes are, the end of the model states alone. How images are normalized, any part states that sees them
    as they come: a backbone, say, behind which somebody has put another head. It is not known where parts contradict
    each other, or where the layer that stated it has been cut off.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), classes="imagenet")
        >>> stated(model).class_names[388], stated(model).normalization == Normalization.imagenet()
        ('giant panda', True)
    """
    if not _has_one_each(model):
        return Statement()
    layer, outputs, channels = _stating(model), _outputs(model), model.input_shape[-1]
    names = normalization = None
    if layer is not None:
        names = layer.class_names if len(layer.class_names or ()) == outputs else None
        normalization = _fitting(layer.normalization, channels)
    if normalization is None:
        normalization = _of_images(model)
    if (names is None or normalization is None) and outputs == IMAGENET_CLASSES and classes_of(model) == IMAGENET:
        names = names or tuple(imagenet_labels())
        if normalization is None and channels == len(IMAGENET_MEAN):
            normalization = Normalization.imagenet()
    if normalization is None and _takes_pixels(model):
        normalization = Normalization.of_scale(255).of_channels(channels)
    return Statement(None if names is None else tuple(map(printable, names)), normalization)


def annotate(
    model: tf.keras.Model,
    *,
    class_names: Sequence[str] | None = None,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
) -> tf.keras.Model:
    """A model that states what it is for, so that its files and those converted from it do.

    It computes what it has computed, with the same layers and weights. If a layer of it can state something, as the
    head of this project's networks can, that layer does from now on, and the model itself is returned. Any other model
    is returned with a `bnext_keras.annotations.Annotation` behind its output; annotate it before it is compiled.

    Args:
        model: A functional or sequential model of one input and one output.
        class_names: Names of the classes in the order of the outputs. None keeps what has been stated.
        mean: What is subtracted from each channel of an image of values in [0, 1], or one number for all channels. None
            keeps what has been stated. An image of values in [0, 255] has mean 0 and deviation 1 / 255.
        std: What each channel's difference is divided by; stated together with ``mean``.

    Raises:
        ValueError: if that does not fit the model.

    Example:
        >>> import tensorflow as tf
        >>> model = tf.keras.applications.MobileNetV2((32, 32, 3), weights=None, classes=2)
        >>> model = annotate(model, class_names=["cat", "dog"], mean=0.5, std=0.5)
        >>> model.layers[-1].class_names
        ('cat', 'dog')
    """
    if not _has_one_each(model):
        raise ValueError(f"model '{model.name}' must be a functional or sequential one of one input and one output")
    names, layer = check_names(class_names), _stating(model)
    if names is not None and len(names) != _outputs(model):
        raise ValueError(
            f"model '{model.name}': there are {len(names)} class_names for outputs of shape {model.output_shape}"
        )
    if (mean is None) != (std is None):
        raise ValueError("mean and std are stated together")
    normalization = stated(model).normalization
    if mean is not None and std is not None:
        normalization = Normalization.of_scale(1, mean, std).of_channels(model.input_shape[-1])
    names_left = names or (None if layer is None else layer.class_names)
    mean, std = (None, None) if normalization is None else (normalization.mean, normalization.std)
    if layer is None:
        annotation = Annotation(class_names=names_left, mean=mean, std=std)
        return tf.keras.Model(model.inputs, annotation(model.outputs[0]), name=model.name)
    layer.state(names_left, mean, std)
    if names is not None and isinstance(layer, Dense):
        layer.classes = None
    return model


def classes_of(model: tf.keras.Model) -> str | None:
    """The name of the data set that a model's head states, None if it states none.

    What the model is called plays no part. The statement belongs to the head, and goes when a published network gets
    another one.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), classes="imagenet", name="mine")
        >>> classes_of(model)
        'imagenet'
    """
    roles = find_roles(model)
    heads = [layer for layer, role in roles.items() if role == HEAD]
    if len(heads) != 1:
        return None
    (head,) = heads
    if isinstance(head, Dense):
        return head.classes
    return IMAGENET if not any(map(stated_role, roles)) and _is_published(model, head) else None


def _has_one_each(model):
    """Whether a model is known to have one input and one output."""
    return has_graph(model) and len(model.inputs) == len(model.outputs) == 1


def _stating(model: tf.keras.Model) -> Annotated | None:
    """The layer that can state what a model is for: an annotation at its end, or else its head."""
    graph = LayerGraph(model)
    for layer in graph.backwards(graph.outputs[0]):
        if isinstance(layer, Annotation):
            return layer
    heads = [layer for layer, role in find_roles(model).items() if role == HEAD]
    return heads[0] if len(heads) == 1 and isinstance(heads[0], Dense) else None


def _fitting(normalization, channels):
    """A normalization for images of so many channels; None if there is none, or of another number."""
    fits = normalization is not None and len(normalization.mean) in (1, channels)
    return normalization.of_channels(channels) if fits else None


def _of_images(model):
    """The normalization that layers anywhere in a model state, and models in it whose images are this model's own."""
    graph, channels = LayerGraph(model), model.input_shape[-1]
    found = {_fitting(layer.normalization, channels) for layer in model.layers if isinstance(layer, Annotated)}
    for part in model.layers:
        if isinstance(part, tf.keras.Model) and has_graph(part) and graph.only_before(part, MOVING_PIXELS):
            found.add(_fitting(stated(part).normalization, channels))
    found.discard(None)
    return found.pop() if len(found) == 1 else None


def _takes_pixels(model):
    """Whether the first thing that happens to images is a division as of pixels from 0 to 255, by 255 or 127.5 say."""
    graph = LayerGraph(model)
    first = [layer for layer in graph.layers if not graph.producers(layer)]
    if len(first) != 1 or not isinstance(first[0], tf.keras.layers.Rescaling):
        return False
    scale = np.asarray(first[0].scale)
    return bool(np.all((scale >= 1 / 256) & (scale <= 1 / 100)))


def _outputs(model):
    """How many classes a model tells apart; 0 if it does something else."""
    return model.output_shape[-1] if len(model.output_shape) == 2 else 0


def _is_published(model, head):
    """Whether a network without statements, as earlier versions saved them, has a published variant's parameters."""
    if getattr(head, "units", None) != IMAGENET_CLASSES:
        return False
    costs = count(model)
    return (costs.parameters, costs.binary_parameters) in {(card.parameters, card.binary_parameters) for card in CARDS}
