"""The drawings as SVG, and as a page with a table, which loads nothing: no script, font or image from elsewhere."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bnext_keras.charts.scale import number
from bnext_keras.charts.templates import SHARED, environment
from bnext_keras.comparison.panels import COLOURS, SIZE, WIDTH, panels
from bnext_keras.comparison.points import AXES, DEFAULT_AXES, Point, origins
from bnext_keras.text import format_count

import jinja2

_TEMPLATES = Path(__file__).parent / "templates"


def as_svg(points: Sequence[Point], axes: Sequence[str] = DEFAULT_AXES) -> str:
    """The drawings below each other as an SVG file, light or dark as whoever shows it prefers.

    Args:
        points: What is drawn.
        axes: Names of axes; those without points are left out.
    """
    drawn, tops, height = panels(points, axes), [], 0
    for panel in drawn:
        tops.append(height)
        height += panel.height
    template = _environment().get_template("comparison.svg")
    return template.render(panels=list(zip(drawn, tops, strict=True)), width=WIDTH, height=height, **_style())


def as_page(points: Sequence[Point], axes: Sequence[str] = DEFAULT_AXES, *, left_out: Sequence[str] = ()) -> str:
    """A page of its own: drawings whose points answer to pointer and arrow keys, and a table to sort.

    Args:
        points: What is drawn and tabled.
        axes: Names of axes.
        left_out: What is not shown, and why, each in a line.
    """
    shown = [point for point in points if point.axis in axes]
    columns = [(AXES[name], origin) for name in axes for origin in origins([p for p in shown if p.axis == name])]
    by_place: dict[tuple[str, str, str], Point] = {}
    for point in shown:
        by_place.setdefault((point.network, point.axis, point.origin), point)
    rows = []
    for network in dict.fromkeys(point.network for point in shown):
        cells = [by_place.get((network, axis.name, origin)) for axis, origin in columns]
        first = next(point for point in shown if point.network == network)
        rows.append((first, cells))
    rows.sort(key=lambda row: -row[0].accuracy.top1)
    template = _environment().get_template("comparison.html")
    return template.render(
        panels=panels(shown, axes), columns=columns, rows=rows, left_out=left_out, networks=len(rows), **_style()
    )


def _style():
    return {"colours": COLOURS, "size": SIZE}


@cache
def _environment() -> jinja2.Environment:
    made = environment(_TEMPLATES, SHARED)
    made.filters |= {"cell": _cell}
    return made


def _cell(point: Point) -> str:
    """A value of the table, without its unit."""
    if point.axis == "ops":
        return format_count(point.value)
    return f"{point.value:.2f}" if point.axis == "size" else number(point.value)
