"""Which layers of a network stay as they are while the rest of it is trained.

Parts are named as the network names its layers: ``block3`` stands for all whose names begin with ``block3_``. A few
words are understood of every network: ``backbone``, all but the head; ``norms``, all batch normalizations; and the
roles of layers (`bnext_keras.roles`), ``binary`` and ``squeeze-and-expand`` say.
"""

import re
from collections.abc import Sequence
from itertools import groupby

from bnext_keras.errors import RecipeError
from bnext_keras.heads import find_head
from bnext_keras.recipes._settings import near_misses
from bnext_keras.structure import find_roles

import tensorflow as tf

#: Everything but the head; all batch normalizations.
BACKBONE, NORMS = "backbone", "norms"


def freeze(model: tf.keras.Model, parts: Sequence[str]) -> list[str]:
    """Keeps parts of a network as they are in training. Compile it afterwards.

    Frozen batch normalizations are not updated, and compute with their running statistics as in evaluation: that is
    what Keras makes of ``trainable = False``. A frozen binary kernel stays what it is, whatever the weight temperature
    of the others.

    Args:
        model: A network. It is changed.
        parts: What is frozen: beginnings of layers' names up to an underscore, whole names, roles, ``backbone`` or
            ``norms``. A name goes before a role.

    Returns:
        The names of the frozen layers.

    Raises:
        RecipeError: if the network has no such part, or nothing of it would be left to train.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> freeze(model, ["stem"])
        ['stem_conv', 'stem_bn']
        >>> freeze(model, ["tail"])
        Traceback (most recent call last):
        ...
        bnext_keras.errors.RecipeError: freeze=tail: no part of bnext; it has stem, block1, head, backbone, norms, ...
    """
    layers = [layer for layer in model.layers if layer.weights]
    roles = {layer.name: role for layer, role in find_roles(model).items()}
    head = find_head(model)
    frozen: dict[str, tf.keras.layers.Layer] = {}
    for part in parts:
        found = [layer for layer in layers if f"{layer.name}_".startswith(f"{part}_")]
        if not found and part == BACKBONE and head is not None:
            found = [layer for layer in layers if layer is not head]
        elif not found and part == NORMS:
            found = [layer for layer in layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
        elif not found:
            found = [layer for layer in layers if roles.get(layer.name) == part]
        if not found:
            raise _unknown(part, model.name, layers, sorted(set(roles.values())))
        frozen.update({layer.name: layer for layer in found})
    if all(layer.name in frozen or not layer.trainable_weights for layer in layers):
        raise RecipeError(
            f"nothing of {model.name} would be left to train", where=f"freeze={','.join(parts)}", remedy="freeze less"
        )
    for layer in frozen.values():
        layer.trainable = False
    return list(frozen)


def _unknown(part, name, layers, roles):
    parts = list(dict.fromkeys(layer.name.partition("_")[0] for layer in layers))
    words = [BACKBONE, NORMS, *(role for role in roles if role not in (*parts, "other"))]
    misses = near_misses(part, [*parts, *words, *(layer.name for layer in layers)])
    return RecipeError(
        f"no part of {name}; it has {', '.join([*_joined(parts), *words])}, and single layers by their names{misses}",
        where=f"freeze={part}",
    )


def _joined(parts):
    """Names with numbers behind each other as one: ``block1 to block12``."""
    for _, group in groupby(parts, key=lambda part: re.sub(r"\d+$", "", part)):
        names = list(group)
        yield names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
