"""Where everything stands in a drawing, in pixels; `page` writes it as SVG, `picture` draws it with matplotlib."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bnext_keras.charts.labels import Box, place, text_width
from bnext_keras.charts.pareto import pareto_front
from bnext_keras.charts.scale import log_ticks, plain, span_ticks
from bnext_keras.comparison.points import AXES, DEFAULT_AXES, Axis, Point, origins
from bnext_keras.text import format_count

WIDTH, HEIGHT = 960, 560

#: A colour on white and on black by its name.
COLOURS = {
    "paper": ("#ffffff", "#14171a"),
    "ink": ("#1c2024", "#e6e9ec"),
    "soft": ("#5d666f", "#9aa5af"),
    "grid": ("#e9edf0", "#272d33"),
    "line": ("#dfe3e7", "#343b42"),
    "shade": ("#f5f7f8", "#1c2125"),
    "bnext": ("#1f5fbf", "#6c9fe0"),
    "meliusnet": ("#c05a16", "#eaa06b"),
    "other": ("#7a848e", "#8d98a3"),
}

#: Corners of the marks around 0, in units of their size; a disc has none.
SHAPES: dict[str, tuple[tuple[float, float], ...]] = {
    "disc": (),
    "diamond": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
    "square": ((-0.95, -0.95), (0.95, -0.95), (0.95, 0.95), (-0.95, 0.95)),
    "triangle": ((0, -1.25), (1.15, 0.85), (-1.15, 0.85)),
    "kite": ((0, 1.25), (1.15, -0.85), (-1.15, -0.85)),
}
SIZE = 4.6

_ROW = 18  # of the legend
_LABEL = 11.0
_LABEL_WIDTH = 11.8  # of fonts that are wider than most


@dataclass(frozen=True)
class Mark:
    """One point, or an entry of the legend: its middle, shape and colour.

    Attributes:
        is_hollow: Whether others published its cost.
        is_unchecked: Whether its accuracy was not read where it was published: the outline is dashed.
        point: What it stands for; None in the legend.
    """

    x: float
    y: float
    shape: str
    colour: str
    is_hollow: bool
    is_unchecked: bool = False
    point: Point | None = None

    @property
    def corners(self) -> list[tuple[float, float]]:
        """Its outline; empty for a disc."""
        return [(round(self.x + SIZE * dx, 1), round(self.y + SIZE * dy, 1)) for dx, dy in SHAPES[self.shape]]


@dataclass(frozen=True)
class Text:
    """A text at a baseline, anchored at its ``start``, ``middle`` or ``end``; kinds are axis, tick, label and name."""

    x: float
    y: float
    anchor: str
    kind: str
    text: str
    colour: str = "soft"


@dataclass(frozen=True)
class Panel:
    """A drawing.

    Attributes:
        axis: What accuracy is drawn against.
        area: Where points may be.
        grid: Lines from ``(x, y)`` to ``(x, y)``.
        front: Corners of the line through the points that none beats, see `_front`.
        marks: Points, and the legend's.
        texts: All texts.
        width: Pixels.
        height: Pixels.
    """

    axis: Axis
    area: Box
    grid: list[tuple[float, float, float, float]]
    front: list[tuple[float, float]]
    marks: list[Mark]
    texts: list[Text]
    width: int
    height: int


def panels(points: Sequence[Point], axes: Sequence[str] = DEFAULT_AXES, width: int = WIDTH) -> list[Panel]:
    """A drawing for each axis that has points, all with the same accuracies at the same height.

    Args:
        points: What is drawn.
        axes: Names of axes.
        width: Pixels that the sizes of texts are meant for.
    """
    shown = [point for point in points if point.axis in axes]
    if not shown:
        return []
    rates = [point.accuracy.top1 for point in shown]
    rungs = span_ticks(min(rates) - 1, max(rates) + 1, 12)
    drawn = ((AXES[name], [point for point in shown if point.axis == name]) for name in axes)
    return [_panel(axis, own, rungs, width) for axis, own in drawn if own]


def _panel(axis: Axis, points: list[Point], rungs: list[float], width: int) -> Panel:
    shapes = dict(zip(origins(points), _shapes(points), strict=True))
    keys, rows = _legend(points, shapes, width)
    height = HEIGHT + rows * _ROW
    area = Box(40, 26, width - 16, HEIGHT - 44)
    values = [point.value for point in points]
    low, high = min(values) / 1.25, max(values) * 1.35

    def x(value: float) -> float:
        return area.left + (area.right - area.left) * math.log(value / low) / math.log(high / low)

    def y(percent: float) -> float:
        return area.bottom - (area.bottom - area.top) * (percent - rungs[0]) / (rungs[-1] - rungs[0])

    # Hollow marks are drawn first, so that none hides what was measured here.
    order = sorted(points, key=lambda point: (point.is_ours, family(point.network) != "other"))
    marks = [
        Mark(
            round(x(point.value), 1),
            round(y(point.accuracy.top1), 1),
            shapes[point.origin],
            family(point.network),
            not point.is_ours,
            not point.accuracy.checked,
            point,
        )
        for point in order
    ]
    front = _front(points, x, y)
    ticks = [(x(value), _tick(axis, value)) for value in log_ticks(low, high)]
    grid = [(area.left, y(rung), area.right, y(rung)) for rung in rungs]
    grid += [(at, area.top, at, area.bottom) for at, _ in ticks]
    texts = [
        Text(4, 15, "start", "axis", "top-1 accuracy on ImageNet, %"),
        Text(area.right, HEIGHT - 12, "end", "axis", f"{axis.title}, logarithmic"),
        *(Text(area.left - 7, round(y(rung) + 4, 1), "end", "tick", plain(rung)) for rung in rungs),
        *(Text(round(at, 1), area.bottom + 17, "middle", "tick", text) for at, text in ticks),
        *_names(marks, area, front),
    ]
    for mark, text in keys:
        marks.append(mark)
        texts.append(Text(mark.x + 11, mark.y + 4, "start", "tick", text))
    grid = [(round(a, 1), round(b, 1), round(c, 1), round(d, 1)) for a, b, c, d in grid]
    return Panel(axis, area, grid, front, marks, texts, width, height)


def family(network: str) -> str:
    """The colour of a network: this project's own two families have one each."""
    return next((name for name in ("bnext", "meliusnet") if network.lower().startswith(name)), "other")


def _shapes(points: Sequence[Point]) -> list[str]:
    """A shape for every origin, discs for the first of this project's."""
    names = list(SHAPES)
    first = 0 if any(point.is_ours for point in points) else 1
    return [names[(first + index) % len(names)] for index in range(len(origins(points)))]


def _legend(points, shapes, width):
    """Marks with their texts in rows below the axis, and how many rows they take."""
    entries = [
        (shapes[origin], not next(point.is_ours for point in points if point.origin == origin), False, origin)
        for origin in origins(points)
    ]
    if any(not point.accuracy.checked for point in points):
        hollow = not any(point.is_ours for point in points)
        entries.append(("disc", hollow, True, "~ accuracy as others cite the paper, not checked"))
    found, left, row = [], 10.0, 0
    for shape, is_hollow, is_unchecked, text in entries:
        wide = 38 + text_width(text, _LABEL_WIDTH)
        if left > 10 and left + wide > width:
            left, row = 10.0, row + 1
        found.append((Mark(left, HEIGHT + 4 + row * _ROW, shape, "other", is_hollow, is_unchecked), text))
        left += wide
    return found, row + 1


def _names(marks: Sequence[Mark], area: Box, front: Sequence[tuple[float, float]]) -> list[Text]:
    """Labels of points as far as there is room: those of this project's families first, then by accuracy."""
    wanted = sorted(
        ((mark, mark.point) for mark in marks if mark.point),
        key=lambda pair: (pair[0].colour == "other", pair[0].is_hollow, -pair[1].accuracy.top1),
    )
    bold = [mark.colour != "other" for mark, _ in wanted]
    places = [(mark.x, mark.y) for mark, _ in wanted]
    widths = [text_width(point.label, _LABEL_WIDTH, strong) for (_, point), strong in zip(wanted, bold, strict=True)]
    spots = place(
        places,
        widths,
        area,
        [Box(min(a, c), min(b, d) - 1, max(a, c) + 1, max(b, d) + 1) for (a, b), (c, d) in pairwise(front)],
        eager=sum(bold),
    )
    return [
        Text(
            round(spot[0], 1),
            round(spot[1], 1),
            spot[2],
            "name" if strong else "label",
            point.label,
            mark.colour if strong else "soft",
        )
        for (mark, point), strong, width, spot in zip(wanted, bold, widths, spots, strict=True)
        if spot is not None and _is_nearest((mark.x, mark.y), places, spot, width)
    ]


def _is_nearest(
    point: tuple[float, float], points: Sequence[tuple[float, float]], spot: tuple[float, float, str], width: float
) -> bool:
    """Whether a label stands nearer to its own point than to any other: it would be read as that one's."""
    left = spot[0] - {"start": 0.0, "middle": width / 2, "end": width}[spot[2]]

    def distance(x, y):
        beside = max(left - x, 0, x - left - width)
        return math.hypot(beside, max(spot[1] - 8 - y, 0, y - spot[1]))

    return distance(*point) <= min(distance(*other) for other in points)


def _front(
    points: Sequence[Point], x: Callable[[float], float], y: Callable[[float], float]
) -> list[tuple[float, float]]:
    """Steps through the best points of this project's first origin, whose accuracies were checked.

    Figures of other origins are no rivals of these.
    """
    origin = next((point.origin for point in points if point.is_ours), None)
    own = [point for point in points if point.origin == origin and point.accuracy.checked]
    best = [own[index] for index in pareto_front([(point.value, point.accuracy.top1) for point in own])]
    corners: list[tuple[float, float]] = []
    for point in best:
        at = (round(x(point.value), 1), round(y(point.accuracy.top1), 1))
        corners += [(at[0], corners[-1][1]), at] if corners else [at]
    return corners


def _tick(axis: Axis, value: float) -> str:
    return format_count(value) if axis.name == "ops" else plain(value)
