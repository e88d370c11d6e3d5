"""Pictures of loss landscapes: contours and surfaces of several networks, on one scale.

Drawn without a window, with matplotlib, an optional dependency: import this module where a picture is wanted.
"""

import io
from collections.abc import Sequence

from bnext_keras.analysis.landscape import LossLandscape
from bnext_keras.text import printable

import numpy as np

try:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise ImportError("figures need matplotlib: pip install matplotlib") from error

#: Levels between two contours.
LEVELS = 16
#: Nats; a loss below it is drawn as this one.
LEAST = 1e-3
COLOURS = "viridis"


def draw_landscapes(
    landscapes: Sequence[LossLandscape], *, surface: bool = True, limit: float | None = None, format: str = "png"
) -> bytes:
    """Networks side by side: contours of the loss, and below them the same as surfaces.

    All have the same colours and heights, which are logarithms: float networks rise to losses a hundred times those of
    binary ones. A white cross is the network itself.

    Args:
        landscapes: One at least.
        surface: Whether there are surfaces below.
        limit: Losses above it are drawn as this; by default none is.
        format: ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns:
        The picture's file.
    """
    finite = np.concatenate([landscape.losses[np.isfinite(landscape.losses)] for landscape in landscapes])
    if not finite.size:
        raise ValueError("no loss of these landscapes is a finite number")
    lowest = max(float(finite.min()), LEAST)
    levels = np.geomspace(lowest, max(limit or float(finite.max()), 1.01 * lowest), LEVELS + 1)
    rows = 2 if surface else 1
    figure = Figure(figsize=(3.6 * len(landscapes) + 0.6, 3.8 * rows), layout="constrained")
    norm = BoundaryNorm(levels, 256)
    for column, landscape in enumerate(landscapes, start=1):
        drawn = np.nan_to_num(landscape.losses, nan=levels[-1], posinf=levels[-1]).clip(levels[0], levels[-1])
        contours = figure.add_subplot(rows, len(landscapes), column)
        _draw_contours(contours, landscape, drawn, levels, norm)
        if surface:
            below = figure.add_subplot(rows, len(landscapes), len(landscapes) + column, projection="3d")
            _draw_surface(below, landscape, drawn, levels)
    bar = figure.colorbar(ScalarMappable(norm, COLOURS), ax=figure.axes, shrink=0.7, aspect=30, format="%.3g")
    bar.set_label("loss, nats")
    content = io.BytesIO()
    # The same landscapes give the same file.
    metadata = {"Date": None} if format == "svg" else None
    figure.savefig(content, format=format, dpi=110, metadata=metadata)
    return content.getvalue()


def _draw_contours(axes, landscape, drawn, levels, norm):
    axes.contourf(landscape.positions, landscape.positions, drawn, levels, cmap=COLOURS, norm=norm)
    axes.contour(landscape.positions, landscape.positions, drawn, levels, colors="white", linewidths=0.4, alpha=0.6)
    axes.plot(0, 0, "+", color="white", markersize=9, markeredgewidth=1.6)
    axes.set(aspect="equal", xlabel="second direction")
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel("first direction")
    axes.set_title(
        f"{printable(landscape.name)}\nloss {landscape.centre:.3f}, roughness {landscape.roughness:.2f}", fontsize=10
    )


def _draw_surface(axes, landscape, drawn, levels):
    low, high = np.log10(levels[[0, -1]])
    rows, columns = np.meshgrid(landscape.positions, landscape.positions, indexing="ij")
    axes.plot_surface(
        columns, rows, np.log10(drawn), cmap=COLOURS, vmin=low, vmax=high, rcount=len(rows), ccount=len(rows), lw=0
    )
    axes.set(zlim=(low, high), xticks=[], yticks=[])
    axes.zaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.zaxis.set_major_formatter(lambda exponent, _: f"{10**exponent:g}")
    axes.view_init(elev=32, azim=-60)
