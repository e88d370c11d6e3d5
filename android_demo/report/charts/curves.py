"""What a sustained run did over time: one curve for each quantity, all along the same minutes."""

from collections.abc import Sequence
from dataclasses import dataclass

from bnext_keras.charts.scale import linear_ticks, plain, span_ticks

#: Pixels that a curve's drawing has, and those at its left, right, top and bottom that are not the curve's.
WIDTH, HEIGHT = 960, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 24, 26


@dataclass(frozen=True)
class Curve:
    """One quantity over time, ready to be drawn.

    Attributes:
        label: Its name and unit.
        path: The curve, as SVG has it.
        rungs: Lines across: y and the value.
        ticks: Along the minutes: x and the value.
        left: Where lines across begin.
        right: Where they end.
        bottom: Where the minutes stand.
    """

    label: str
    path: str
    rungs: list[tuple[float, str]]
    ticks: list[tuple[float, str]]
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def curve(label: str, points: Sequence[tuple[float, float]], minutes: float, *, from_zero: bool = False) -> Curve:
    """Lays out a quantity over so many minutes.

    Args:
        label: Its name and unit.
        points: Minute and value of each, in order.
        minutes: Where the axis ends.
        from_zero: Whether the axis of values begins at zero; otherwise around the values.

    Example:
        >>> found = curve("latency, ms", [(0.0, 10.0), (1.0, 20.0)], 1.0, from_zero=True)
        >>> found.path, [text for _, text in found.rungs]
        ('M58.0 94.0L946.0 24.0', ['0', '5', '10', '15', '20'])
    """
    values = [value for _, value in points]
    rungs = linear_ticks(max(values), 4) if from_zero else span_ticks(min(values), max(values), 4)
    span = rungs[-1] - rungs[0] or 1
    steps = [tick for tick in linear_ticks(minutes, 8) if tick <= minutes]

    def x(minute: float) -> float:
        return round(_LEFT + (WIDTH - _RIGHT - _LEFT) * minute / minutes, 1)

    def y(value: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * (value - rungs[0]) / span, 1)

    return Curve(
        label=label,
        path="M" + "L".join(f"{x(minute)} {y(value)}" for minute, value in points),
        rungs=[(y(value), plain(value)) for value in rungs],
        ticks=[(x(minute), plain(minute)) for minute in steps],
    )
