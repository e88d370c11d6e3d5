"""Latencies of networks in Larq Compute Engine, as Larq published them, on two devices.

The plot's data are older, from before XNNPACK ran the float layers, but all of one origin: they come first on a card.
"""

from bnext_keras.cards.card import Latency

PIXEL_1, RASPBERRY_PI = "Pixel 1", "Raspberry Pi 4B"
PLOT = "larq/docs plot data, 2020-10"
TABLE = "Larq Compute Engine's benchmark table"

_ONE_THREAD = "1 thread, on Larq Compute Engine"
_XNNPACK = "1 thread, on Larq Compute Engine with XNNPACK"


def plotted(pixel_1: float, raspberry_pi: float) -> tuple[Latency, ...]:
    """Milliseconds on both devices from the data of the documentation's plots."""
    return (
        Latency(pixel_1, PIXEL_1, _ONE_THREAD, PLOT),
        Latency(raspberry_pi, RASPBERRY_PI, _ONE_THREAD, PLOT),
    )


def tabled(pixel_1: float, raspberry_pi: float) -> tuple[Latency, ...]:
    """Milliseconds on both devices from the table of the engine's repository."""
    return (
        Latency(pixel_1, PIXEL_1, _XNNPACK, TABLE),
        Latency(raspberry_pi, RASPBERRY_PI, _XNNPACK, TABLE),
    )
