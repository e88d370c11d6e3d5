"""What a model takes and gives: names for its file, in the order of its inputs and outputs, and how it is called.

A model that returns a dictionary names its outputs itself; those of others, as their inputs, are called as Keras calls
them, after their layers. These names become those of the file's tensors and of its metadata. An input or output that is
alone has no name to be told apart by.

>>> image = tf.keras.Input((8,), name="pixels")
>>> named = tf.keras.Model(image, {"twice": 2 * image, "half": image / 2})
>>> input_names(named), output_names(named)
(['image'], ['half', 'twice'])
>>> [output.numpy().tolist() for output in call(named, [tf.ones((1, 8))])][0][0][:2]
[0.5, 0.5]
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from bnext_keras.layer_graph import has_graph
from bnext_keras.sublayers import sublayers

import tensorflow as tf

from converter.graph import ANSWER, IMAGE

#: Types that the inputs of files may have, with the compiler's names for them.
INPUT_TYPES = {tf.float32: "DT_FLOAT", tf.int32: "DT_INT32", tf.int64: "DT_INT64", tf.uint8: "DT_UINT8"}


def input_names(model: tf.keras.Model) -> list[str]:
    """A name for each of a model's inputs."""
    return _names(model, "input", IMAGE)


def output_names(model: tf.keras.Model) -> list[str]:
    """A name for each of a model's outputs."""
    return _names(model, "output", ANSWER)


def call(model: tf.keras.Model, inputs: Sequence[Any]) -> list[tf.Tensor]:
    """What a model computes in evaluation.

    Args:
        model: The model, whatever structure it takes and returns.
        inputs: Tensors or arrays, a batch for each of its inputs.

    Returns:
        A tensor for each of its outputs.
    """
    packed = tf.nest.pack_sequence_as(_structure(model, "input"), list(inputs))
    return tf.nest.flatten(model(packed, training=False))


def index_bound(model: tf.keras.Model) -> int:
    """Below which number whole numbers are rows of every table of embeddings that a model has; 2 if it has none."""
    rows = [getattr(layer, "input_dim", None) or getattr(layer, "rows", None) for layer in sublayers(model)]
    return min((count for count in rows if isinstance(count, int)), default=2)


def _structure(model, kind):
    """A model's inputs or outputs as it was given them. One whose layers' ways are not known has lists."""
    if has_graph(model):
        return getattr(model, kind)
    tensors = getattr(model, f"{kind}s")
    return tensors[0] if len(tensors) == 1 else tensors


def _names(model, kind, alone):
    structure = _structure(model, kind)
    count = len(tf.nest.flatten(structure))
    if count == 1 and not isinstance(structure, Mapping):
        return [alone]
    own = getattr(model, f"{kind}_names", None) or [f"{kind}{i}" for i in range(count)]
    found: list[str] = []
    for name in _paths(structure, iter(own)):
        # Keys that are joined may come out alike.
        candidates = (f"{name}_{count}" if count > 1 else name for count in itertools.count(1))
        found.append(next(candidate for candidate in candidates if candidate not in found))
    return found


def _paths(structure, layers):
    """Keys of dictionaries, joined, and Keras' own names where there is none: in the order of ``tf.nest.flatten``."""
    if isinstance(structure, Mapping):
        for key in sorted(structure):
            inner = structure[key]
            for path in _paths(inner, layers):
                yield f"{key}/{path}" if tf.nest.is_nested(inner) else str(key)
    elif tf.nest.is_nested(structure):
        for inner in structure:
            yield from _paths(inner, layers)
    else:
        yield next(layers)
