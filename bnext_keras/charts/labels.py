"""Where the names in a scatter plot go so that none covers another or a point."""

from collections.abc import Sequence
from dataclasses import dataclass

_HEIGHT = 13.0
_GAP = 7.0

# Offsets of the baseline's beginning, middle or end: right, left, above, below, aslant; then the same farther away.
_NEAR = (
    (_GAP, 4.0, "start"),
    (-_GAP, 4.0, "end"),
    (0.0, -9.0, "middle"),
    (0.0, 18.0, "middle"),
    (5.0, -8.0, "start"),
    (5.0, 17.0, "start"),
    (-5.0, -8.0, "end"),
    (-5.0, 17.0, "end"),
)
_FAR = tuple(
    (dx, dy, anchor)
    for dy in (-14.0, 24.0, -20.0, 30.0, -28.0, 38.0)
    for dx, anchor in ((0.0, "middle"), (5.0, "start"), (-5.0, "end"))
)


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        """Whether the two have an area in common."""
        apart = (
            self.right <= other.left or other.right <= self.left or self.bottom <= other.top or other.bottom <= self.top
        )
        return not apart

    def within(self, other: "Box") -> bool:
        """Whether it lies inside of another."""
        inside = self.left >= other.left and self.right <= other.right
        return inside and self.top >= other.top and self.bottom <= other.bottom


def text_width(text: str, size: float = 12.0, bold: bool = False) -> float:
    """About the width of a text in a sans-serif font, in pixels; rather too much than too little."""
    narrow = sum(character in "iljtfr.,:;'| -()" for character in text)
    return size * (0.60 * (len(text) - narrow) + 0.36 * narrow) * (1.06 if bold else 1.0)


def place(
    points: Sequence[tuple[float, float]],
    widths: Sequence[float],
    area: Box,
    obstacles: Sequence[Box] = (),
    eager: int = 0,
) -> list[tuple[float, float, str] | None]:
    """Positions of labels beside their points; earlier ones choose first.

    Args:
        points: Middles of the labelled points, pixels; no label covers any of them.
        widths: Widths of their labels, 0 for none.
        area: Where labels may be.
        obstacles: What they must not cover besides.
        eager: So many of the first labels may stand farther from their points if there is no room beside them.

    Returns:
        For every label x, y of its baseline and its ``text-anchor``; None where there is no room.

    Example:
        >>> place([(50, 50), (60, 50)], [30, 30], Box(0, 0, 100, 100))
        [(43.0, 54.0, 'end'), (67.0, 54.0, 'start')]
    """
    taken = [*obstacles, *(Box(x - 5, y - 5, x + 5, y + 5) for x, y in points)]
    placed = []
    for index, ((x, y), width) in enumerate(zip(points, widths, strict=True)):
        spots = _spots(x, y, width, _NEAR + _FAR if index < eager else _NEAR) if width else ()
        choice = next((spot for spot in spots if _free(spot[1], area, taken)), None)
        if choice is not None:
            taken.append(choice[1])
        placed.append(choice and choice[0])
    return placed


def _free(box, area, taken):
    return box.within(area) and not any(box.overlaps(other) for other in taken)


def _spots(x, y, width, offsets):
    for dx, dy, anchor in offsets:
        left = x + dx - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        baseline = y + dy
        yield (x + dx, baseline, anchor), Box(left, baseline - _HEIGHT + 3, left + width, baseline + 3)
