"""Confusion matrices as a PNG or SVG file, with matplotlib, which is imported when a file is wanted."""

import io
from collections.abc import Sequence
from typing import Any

from bnext_keras.extras import require
from bnext_keras.text import printable

import numpy as np

#: Endings of files that can be written.
FORMATS = ("png", "svg")
#: Up to so many classes a matrix has their names and numbers in its cells.
_NAMED = 30
_LONGEST_NAME = 24


def confusion_picture(
    matrices: Sequence[tuple[str, np.ndarray, Sequence[str]]], kind: str = "png", *, scale: float = 2.0
) -> bytes:
    """Draws confusion matrices side by side.

    A cell's colour is its share of the images in its row: of a class, what it was taken for. The diagonal is what was
    right. Up to 30 classes have their names, and cells their numbers of images.

    Args:
        matrices: For each model a title, the matrix of images (rows) by answers (columns), and the classes' names.
        kind: ``"png"`` or ``"svg"``.
        scale: Pixels of a PNG file for each hundredth of an inch.

    Raises:
        MissingPackage: if matplotlib is not installed.

    Example:
        >>> matrix = np.array([[9, 1], [0, 10]])
        >>> confusion_picture([("mine.tflite", matrix, ["cat", "dog"])])[:4]  # doctest: +SKIP
        b'\\x89PNG'
    """
    require("matplotlib", extra="demo")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    most = max(len(names) for _, _, names in matrices)
    side = 5.0 if most > _NAMED else 2.2 + 0.42 * most
    figure = Figure(figsize=((side + 1.2) * len(matrices), side + 0.6), facecolor="white", layout="constrained")
    plots = np.atleast_1d(figure.subplots(1, len(matrices)))
    for plot, (title, matrix, names) in zip(plots, matrices, strict=True):
        _draw(plot, title, matrix, names)
    content = io.BytesIO()
    # Texts stay texts; without dates, versions and random names the same matrices give the same bytes.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bnext-keras"}):
        metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
        figure.savefig(content, format=kind, dpi=100 * scale, metadata=metadata)
    return content.getvalue()


def _draw(plot, title, matrix, names):
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    plot.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="equal")
    plot.set_title(_plain(title), fontsize=11, parse_math=False)
    plot.set_xlabel("answer")
    plot.set_ylabel("class of the image")
    if len(names) > _NAMED:
        return
    texts = [_plain(name) for name in names]
    for ticks, rotation in ((plot.set_xticks, 90), (plot.set_yticks, 0)):
        ticks(range(len(texts)), texts, rotation=rotation, fontsize=9, parse_math=False)
    for row, column in np.argwhere(matrix):
        colour = "white" if shares[row, column] > 0.5 else "#1c2024"
        plot.text(column, row, f"{matrix[row, column]:,}", ha="center", va="center", color=colour, fontsize=8)


def _plain(text):
    text = printable(text)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
