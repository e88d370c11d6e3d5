"""Every published variant on a card: what was reported of it, and what it costs.

Plain data that needs no TensorFlow. Accuracies are those that somebody published, never this project's guesses; counts
are those of `bnext_keras.models` at 1000 classes, and tests compare them with the built models.

>>> from bnext_keras.cards import find
>>> card = find("BNextTiny")
>>> card.accuracies[0].top1, card.parameters, f"{card.binary_share:.1%}"
(72.4, 30853276, '91.6%')

On the command line: ``bnext-models``.
"""

from bnext_keras.cards.bnext import BNEXT
from bnext_keras.cards.card import COUNTS, Accuracy, Card, Conversion, Latency, with_counts
from bnext_keras.cards.meliusnet import MELIUSNET
from bnext_keras.cards.zoo import ZOO
from bnext_keras.errors import UserError

__all__ = ["CARDS", "PUBLISHED", "Accuracy", "Card", "Conversion", "Latency", "card_named", "find"]

# A new network is one entry in the file of its family, then `python -m bnext_keras.cards.recount`.
PUBLISHED = (*BNEXT, *MELIUSNET, *ZOO)

#: An entry has no card until it has been counted; a test finds those.
CARDS = tuple(with_counts(published) for published in PUBLISHED if published.name in COUNTS)


def card_named(name: str) -> Card:
    """The card of that name in upper or lower case.

    Raises:
        UserError: if there is none.
    """
    card = find(name)
    if card is None:
        raise UserError("no such network", where=name, remedy="bnext-models lists them")
    return card


def find(name: str) -> Card | None:
    """The card of that name in upper or lower case, None if there is none."""
    return next((card for card in CARDS if card.name.lower() == name.lower()), None)
