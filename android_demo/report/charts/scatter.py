"""The chart of accuracy against latency: fixed proportions, positions in pixels."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bnext_keras.charts.labels import Box, place, text_width
from bnext_keras.charts.pareto import pareto_front
from bnext_keras.charts.scale import log_ticks, number, plain, span_ticks

from android_demo.report.anchors import Series
from android_demo.report.names import threads

#: Shapes of the published series, in their order; measured points are discs.
SHAPES = ("diamond", "square", "triangle", "cross")


@dataclass(frozen=True)
class Point:
    """One measured model with one number of threads.

    Attributes:
        name: Name of the model, whose points are connected.
        ms: Mean latency.
        percent: Top-1 accuracy.
        threads: Number of threads.
        device: Number of the device, for the colour.
        throttled: Whether the device slowed down.
    """

    name: str
    ms: float
    percent: float
    threads: int
    device: int = 0
    throttled: bool = False


_OUTLINES = {
    "diamond": ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "triangle": ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
    "cross": ((-1, 0), (-0.2, -0.2), (0, -1), (0.2, -0.2), (1, 0), (0.2, 0.2), (0, 1), (-0.2, 0.2)),
}

_Axis = Callable[[float], float]


@dataclass(frozen=True)
class Label:
    """A text at a baseline, anchored at its ``start``, ``middle`` or ``end``."""

    x: float
    y: float
    anchor: str
    kind: str
    text: str


@dataclass(frozen=True)
class Disc:
    """A measured point, with a text for the pointer to find."""

    x: float
    y: float
    class_: str
    title: str


@dataclass(frozen=True)
class Scatter:
    """Everything in the drawing.

    Attributes:
        width: Pixels that its text sizes are meant for.
        height: Pixels.
        class_: ``wide`` or ``narrow``.
        area: Where points may be.
        rungs: Lines across: y and the percentage.
        ticks: Lines upwards: x and the milliseconds, without a text where there is no room.
        fronts: Lines that join a device's best points: number of the colour and an SVG path.
        published: Hollow marks: corners and a text for the pointer to find.
        links: Lines between the points of one model on one device: both ends' x, and y.
        discs: The measured points.
        labels: Names and numbers of threads. Those that find no room are left out; a table beside the chart has all.
    """

    width: int
    height: int
    class_: str
    area: Box
    rungs: list[tuple[float, str]]
    ticks: list[tuple[float, str]]
    fronts: list[tuple[int, str]]
    published: list[tuple[str, str]]
    links: list[tuple[float, float, float]]
    discs: list[Disc]
    labels: list[Label]


def scatter(points: Sequence[Point], series: Sequence[Series], width: int, height: int, class_: str = "") -> Scatter:
    """Lays the chart out for so many pixels."""
    area = Box(44, 26, width - 14, height - 42)
    published = [(ms, percent) for one in series for _, ms, percent in one.points]
    times = [point.ms for point in points] + [ms for ms, _ in published]
    rates = [point.percent for point in points] + [percent for _, percent in published]
    low, high = min(times) / 1.25, max(times) * 1.3
    rungs = span_ticks(min(rates) - 0.5, max(rates) + 0.5, 6)

    def x(ms: float) -> float:
        return area.left + (area.right - area.left) * math.log(ms / low) / math.log(high / low)

    def y(percent: float) -> float:
        return area.bottom - (area.bottom - area.top) * (percent - rungs[0]) / (rungs[-1] - rungs[0])

    order = sorted(points, key=lambda point: (point.name, point.device, point.threads))
    links = _links(order, x, y)
    return Scatter(
        width=width,
        height=height,
        class_=class_,
        area=area,
        rungs=[(round(y(rung), 1), plain(rung)) for rung in rungs],
        ticks=_ticks(log_ticks(low, high), x),
        fronts=list(_fronts(points, x, y)),
        published=[
            (
                outline(SHAPES[index % len(SHAPES)], x(ms), y(percent)),
                f"published: {name}, {number(ms)} ms, {percent:g}%, {one.conditions}",
            )
            for index, one in enumerate(series)
            for name, ms, percent in one.points
        ],
        links=[(round(x0, 1), round(x1, 1), round(top, 1)) for x0, x1, top in links],
        discs=[_disc(point, x, y) for point in order],
        labels=_labels(order, series, links, x, y, area),
    )


def outline(shape: str, x: float, y: float, size: float = 4.5) -> str:
    """The corners of a published point's mark, as an SVG attribute."""
    return " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in _OUTLINES[shape])


def _ticks(values: Sequence[float], x: _Axis) -> list[tuple[float, str]]:
    ticks, end = [], -math.inf
    for value in values:
        half = text_width(plain(value)) / 2 + 3
        fits = x(value) - half > end
        ticks.append((round(x(value), 1), plain(value) if fits else ""))
        end = x(value) + half if fits else end
    return ticks


def _fronts(points: Sequence[Point], x: _Axis, y: _Axis) -> Iterator[tuple[int, str]]:
    """One for every device."""
    for device in sorted({point.device for point in points}):
        own = [point for point in points if point.device == device]
        best = [own[index] for index in pareto_front([(point.ms, point.percent) for point in own])]
        if len(best) > 1:
            steps = [f"H{x(point.ms):.1f}V{y(point.percent):.1f}" for point in best[1:]]
            yield device % 4, f"M{x(best[0].ms):.1f},{y(best[0].percent):.1f}{''.join(steps)}"


def _links(points: Sequence[Point], x: _Axis, y: _Axis) -> list[tuple[float, float, float]]:
    return [
        (x(before.ms), x(after.ms), y(before.percent))
        for before, after in pairwise(points)
        if (before.name, before.device) == (after.name, after.device)
    ]


def _disc(point: Point, x: _Axis, y: _Axis) -> Disc:
    return Disc(
        x=round(x(point.ms), 1),
        y=round(y(point.percent), 1),
        class_=f"disc device{point.device % 4}" + (" throttled" if point.throttled else ""),
        title=f"{point.name}: {number(point.ms)} ms, {point.percent:g}%, {threads(point.threads)}",
    )


def _labels(
    points: Sequence[Point],
    series: Sequence[Series],
    links: Sequence[tuple[float, float, float]],
    x: _Axis,
    y: _Axis,
    area: Box,
) -> list[Label]:
    """Names at the slowest point of a model, numbers of threads at its others, then published names."""
    names, others = [], []
    for point in points:
        same = [other for other in points if (other.name, other.device) == (point.name, point.device)]
        place_ = (x(point.ms), y(point.percent))
        if point is max(same, key=lambda other: other.ms):
            names.append((*place_, point.name, "name"))
        else:
            others.append((*place_, threads(point.threads), "more"))
    cited = [(x(ms), y(percent), name, "cited") for one in series for name, ms, percent in one.points]
    wanted = [*names, *others, *cited]
    spots = place(
        [(left, top) for left, top, _, _ in wanted],
        [text_width(text, 12 if kind == "name" else 11, kind == "name") for _, _, text, kind in wanted],
        area,
        [Box(min(x0, x1), top - 1, max(x0, x1), top + 1) for x0, x1, top in links],
        eager=len(names),
    )
    return [
        Label(round(spot[0], 1), round(spot[1], 1), spot[2], kind, text)
        for (_, _, text, kind), spot in zip(wanted, spots, strict=True)
        if spot is not None
    ]
