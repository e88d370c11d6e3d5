"""BNext as published: arXiv 2211.12933 and its released code."""

from functools import partial

from bnext_keras.cards.card import Accuracy, Published

_bnext = partial(Published, source="arXiv 2211.12933")
_AUTHORS = "hpi-xnor/BNext"

BNEXT = (
    _bnext(
        name="BNextTiny",
        accuracies=(Accuracy(72.4, None, _AUTHORS),),
        bits="8/4/8",
        published_mebibytes=5.40,
        published_ops=0.077e9,
    ),
    _bnext(
        name="BNextSmall",
        accuracies=(Accuracy(76.1, None, _AUTHORS),),
        bits="8/4/8",
        published_mebibytes=11.15,
        published_ops=0.172e9,
    ),
    _bnext(
        name="BNextMiddle",
        accuracies=(Accuracy(78.3, None, _AUTHORS),),
        bits="8/4/8",
        published_mebibytes=20.48,
        published_ops=0.317e9,
    ),
    _bnext(
        name="BNextLarge",
        accuracies=(
            Accuracy(80.57, None, _AUTHORS),
            Accuracy(80.47, None, "a published review, with 8-bit first and last layers"),
        ),
        bits="8/4/8",
        published_mebibytes=47.86,
        published_ops=0.819e9,
    ),
    _bnext(
        name="BNext18",
        accuracies=(Accuracy(68.4, None, _AUTHORS),),
        # Unlike its siblings' figures, the published ones are those of float layers.
        bits="32/32/32",
        published_mebibytes=5.4,
        published_ops=0.164e9,
    ),
)
