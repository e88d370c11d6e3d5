"""BNext and MeliusNet models, and what they cost."""

from bnext_keras.models.bnext import WIDTHS, BNext, BNext18, BNextLarge, BNextMiddle, BNextSmall, BNextTiny
from bnext_keras.models.meliusnet import (
    SECTIONS,
    MeliusNet,
    MeliusNet22,
    MeliusNet23,
    MeliusNet29,
    MeliusNet42,
    MeliusNet59,
    MeliusNetA,
    MeliusNetB,
    MeliusNetC,
)
from bnext_keras.summary import Costs, count, summary

__all__ = [
    "SECTIONS",
    "WIDTHS",
    "BNext",
    "BNext18",
    "BNextLarge",
    "BNextMiddle",
    "BNextSmall",
    "BNextTiny",
    "Costs",
    "MeliusNet",
    "MeliusNet22",
    "MeliusNet23",
    "MeliusNet29",
    "MeliusNet42",
    "MeliusNet59",
    "MeliusNetA",
    "MeliusNetB",
    "MeliusNetC",
    "count",
    "summary",
]
