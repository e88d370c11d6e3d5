"""BNext models, and what they cost."""

from bnext_keras.models.bnext import WIDTHS, BNext, BNext18, BNextLarge, BNextMiddle, BNextSmall, BNextTiny

__all__ = ["WIDTHS", "BNext", "BNext18", "BNextLarge", "BNextMiddle", "BNextSmall", "BNextTiny"]
