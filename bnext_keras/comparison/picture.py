"""The drawings as a PNG file, with matplotlib, which is imported when a file is wanted."""

import io
from collections.abc import Sequence
from typing import Any

from bnext_keras.comparison.panels import COLOURS, SIZE, WIDTH, Mark, Panel, panels
from bnext_keras.comparison.points import DEFAULT_AXES, Point
from bnext_keras.extras import require

_DOTS = 100  # an inch: a pixel of the layout is a hundredth of it
_SIZES = {"axis": 11.5, "tick": 11.5, "label": 11.0, "name": 11.0}


def as_png(points: Sequence[Point], axes: Sequence[str] = DEFAULT_AXES, *, scale: float = 2.0) -> bytes:
    """The drawings below each other as a PNG file, on white.

    Args:
        points: What is drawn.
        axes: Names of axes; those without points are left out.
        scale: Pixels of the file for one of the layout.

    Raises:
        MissingPackage: if matplotlib is not installed.
    """
    require("matplotlib", extra="demo")
    from matplotlib.figure import Figure

    drawn = panels(points, axes)
    height = sum(panel.height for panel in drawn)
    figure = Figure(figsize=(WIDTH / _DOTS, height / _DOTS), facecolor=_colour("paper"))
    top = 0
    for panel in drawn:
        bottom = 1 - (top + panel.height) / height
        top += panel.height
        plot = figure.add_axes((0, bottom, 1, panel.height / height))
        plot.set(xlim=(0, panel.width), ylim=(panel.height, 0))
        plot.axis("off")
        _draw(plot, panel)
    content = io.BytesIO()
    # Without a date and a version the same points give the same bytes.
    figure.savefig(content, format="png", dpi=_DOTS * scale, metadata={"Software": None})
    return content.getvalue()


def _draw(plot: Any, panel: Panel) -> None:
    for x0, y0, x1, y1 in panel.grid:
        plot.plot([x0, x1], [y0, y1], color=_colour("grid"), linewidth=_points(1), zorder=1)
    if panel.front:
        xs, ys = zip(*panel.front, strict=True)
        plot.plot(xs, ys, color=_colour("soft"), linewidth=_points(1.2), linestyle=(0, (1.5, 3)), zorder=2)
    for mark in panel.marks:
        plot.add_patch(_patch(mark))
    for text in panel.texts:
        plot.text(
            text.x,
            text.y,
            text.text,
            ha={"start": "left", "middle": "center", "end": "right"}[text.anchor],
            va="baseline",
            color=_colour(text.colour),
            fontsize=_points(_SIZES[text.kind] * 0.93),
            fontweight="bold" if text.kind == "name" else "normal",
            parse_math=False,
            zorder=4,
        )


def _patch(mark: Mark) -> Any:
    from matplotlib.patches import Circle, Polygon

    style: dict[str, Any] = {
        "facecolor": _colour("paper" if mark.is_hollow else mark.colour),
        "edgecolor": _colour(mark.colour if mark.is_hollow or mark.is_unchecked else "paper"),
        "linewidth": _points(1.4 if mark.is_hollow or mark.is_unchecked else 1),
        "linestyle": (0, (1.6, 1.2)) if mark.is_unchecked else "solid",
        "zorder": 3,
    }
    if mark.is_unchecked and not mark.is_hollow:
        style["facecolor"] = _faint(style["facecolor"])
    return Polygon(mark.corners, **style) if mark.corners else Circle((mark.x, mark.y), SIZE, **style)


def _faint(colour: str) -> str:
    """Half way to white."""
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{(channel + 255) // 2:02x}" for channel in channels)


def _colour(name: str) -> str:
    return COLOURS[name][0]


def _points(pixels: float) -> float:
    return pixels * 72 / _DOTS
