"""Charts of one bar a row, and bars of several parts. Positions are in percent, so that they stretch with the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bnext_keras.charts.scale import linear_ticks

#: Parts of at least so many percent have room for their label.
_LABELLED = 9


@dataclass(frozen=True)
class Bar:
    """One row.

    Attributes:
        label: What stands before it.
        value: Its length; None draws nothing, for what failed.
        text: What stands after it; or instead of it, if there is no value.
        note: What follows the text in small letters.
        mark: ``throttled``, ``emulated``, both or nothing: written after it, and drawn otherwise.
        spread: Standard deviation on both sides of its end.
        reach: Smallest and largest value that occurred.
        dots: Values that it is the mean of.
    """

    label: str
    value: float | None
    text: str
    note: str = ""
    mark: str = ""
    spread: float | None = None
    reach: tuple[float, float] | None = None
    dots: tuple[float, ...] = ()


@dataclass(frozen=True)
class BarGroup:
    """Bars under a heading, which a note in small letters may follow."""

    heading: str
    bars: Sequence[Bar]
    note: str = ""


@dataclass(frozen=True)
class BarChart:
    """Bars in groups, all on one axis that begins at zero.

    The axis ends where means and their spread end: single slow inferences beyond that get an arrow.
    """

    groups: Sequence[BarGroup]
    unit: str

    @cached_property
    def ticks(self) -> list[float]:
        """Round numbers along the axis."""
        highest = [
            max(bar.value + 2 * (bar.spread or 0), bar.value, *bar.dots)
            for group in self.groups
            for bar in group.bars
            if bar.value is not None
        ]
        return linear_ticks(max(highest, default=1) * 1.02)

    @property
    def end(self) -> float:
        """The axis's last value."""
        return self.ticks[-1]

    def x(self, value: float) -> str:
        """A value's position, at the axis's end if it lies beyond."""
        return f"{100 * min(max(value, 0), self.end) / self.end:.2f}%"


@dataclass(frozen=True)
class Part:
    """A part of a bar that fills the width: its colour's class, its name, where it begins, how wide it is."""

    class_: str
    name: str
    left: float
    percent: float

    @property
    def labelled(self) -> bool:
        """Whether its percentage has room in it."""
        return self.percent >= _LABELLED


def stacked(shares: Sequence[tuple[str, float, str]]) -> list[Part]:
    """The parts of one bar that fills the width.

    Args:
        shares: Class, size and name of each part.

    Example:
        >>> [(part.name, part.left, part.percent) for part in stacked([("a", 1.0, "one"), ("b", 3.0, "three")])]
        [('one', 0.0, 25.0), ('three', 25.0, 75.0)]
    """
    total = sum(size for _, size, _ in shares)
    parts, left = [], 0.0
    for class_, size, name in shares:
        percent = 100 * size / total
        parts.append(Part(class_, name, left, percent))
        left += percent
    return parts
