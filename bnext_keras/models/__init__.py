"""BNext models, and what they cost."""

from bnext_keras.models.bnext import WIDTHS, BNext, BNext18, BNextLarge, BNextMiddle, BNextSmall, BNextTiny
from bnext_keras.models.summary import Costs, count, summary

__all__ = [
    "WIDTHS",
    "BNext",
    "BNext18",
    "BNextLarge",
    "BNextMiddle",
    "BNextSmall",
    "BNextTiny",
    "Costs",
    "count",
    "summary",
]
