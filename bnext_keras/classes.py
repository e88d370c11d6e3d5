"""The data set whose classes a model's outputs are: labels and the normalization of images follow from it."""

from bnext_keras.cards import CARDS
from bnext_keras.labels import IMAGENET, IMAGENET_CLASSES
from bnext_keras.layers import Dense
from bnext_keras.roles import HEAD, stated_role
from bnext_keras.structure import find_roles
from bnext_keras.summary import count

import tensorflow as tf


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


def _is_published(model, head):
    """Whether a network without statements, as earlier versions saved them, has a published variant's parameters."""
    if getattr(head, "units", None) != IMAGENET_CLASSES:
        return False
    costs = count(model)
    return (costs.parameters, costs.binary_parameters) in {(card.parameters, card.binary_parameters) for card in CARDS}
