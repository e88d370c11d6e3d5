"""Figures: the curves of a run, teachers compared, and images with what a network took them for.

Drawn without a window, with matplotlib, an optional dependency: import this module where a figure is wanted.
"""

import io
import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

try:
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter
except ImportError as error:
    raise ImportError("figures need matplotlib: pip install matplotlib") from error

if TYPE_CHECKING:
    from bnext_keras.analysis.complexity import KnowledgeComplexity

TRAINING, VALIDATION, WRONG = "#3b6fb6", "#e08a1e", "#c8102e"
#: Of runs beside each other.
COLOURS = (TRAINING, VALIDATION, "#5a9a68", WRONG, "#7a5fa8", "0.4")
IMAGES_SHOWN = 14

Rows = Sequence[Mapping[str, float | None]]


def draw_curves(rows: Rows) -> bytes:
    """The curves of a run, loss, accuracy, learning rate and weight temperature, as a PNG file.

    Args:
        rows: What was logged of every epoch, see `bnext_keras.training.history.History`.
    """
    figure = Figure(figsize=(14, 3.4), layout="constrained")
    _draw_curves(figure, rows)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()


def draw_run(path: Path, rows: Rows, images: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> None:
    """Draws the curves of a run above some validation images with their predicted classes.

    Args:
        path: The file; its ending says of which kind.
        rows: What was logged of every epoch.
        images: Float pixels in [0, 255], of shape ``(number, height, width, 3)``.
        labels: The right classes.
        classes: The predicted classes.
    """
    figure = Figure(figsize=(14, 5.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(2.4, 1), hspace=0.04)
    _draw_curves(above, rows)
    _draw_predictions(below, images, labels, classes)
    figure.savefig(path, dpi=120)


def draw_accuracies(runs: Mapping[str, Rows], *, format: str = "png") -> bytes:
    """Draws what several runs make of training and of validation images, epoch by epoch.

    The grey epochs are those in which the kernels of some run were still soft; validation takes them as binary, and is
    near chance there.

    Args:
        runs: What was logged of every epoch, by the names of the runs.
        format: ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns:
        The picture's file.
    """
    # Texts as texts, not as outlines: a fifth of the size. The same numbers give the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "bnext_keras"}):
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        training, validation = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, title, key in ((training, "training", "accuracy"), (validation, "validation", "val_accuracy")):
            for (name, rows), colour in zip(runs.items(), cycle(COLOURS), strict=False):
                points = [(row["epoch"] + 1, row[key]) for row in rows if row.get(key) is not None]
                axes.plot(*zip(*points, strict=True), ".-", color=colour, label=name)
            axes.set(title=f"accuracy, {title}", xlabel="epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            soft = [row["epoch"] + 1 for rows in runs.values() for row in rows if row.get("weight_temperature")]
            if soft:
                axes.axvspan(0.5, max(soft) + 0.5, color="0.95", zorder=0)
            _style(axes)
        training.set_xlim(left=0.5)
        validation.legend(frameon=False, loc="lower right")
        content = io.BytesIO()
        figure.savefig(content, format=format, dpi=100, metadata={"Date": None} if format == "svg" else None)
    return content.getvalue()


def draw_complexity(path: str | Path, measured: Sequence["KnowledgeComplexity"]) -> None:
    """Draws each teacher's complexity against its accuracy; a teacher without either is left out."""
    shown = [teacher for teacher in measured if teacher.accuracy is not None and math.isfinite(teacher.value)]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([t.accuracy for t in shown], [t.value for t in shown], "-", color="0.8", zorder=1)
    axes.scatter([t.accuracy for t in shown], [t.value for t in shown], color=TRAINING, zorder=2)
    for teacher in shown:
        axes.annotate(teacher.name, (teacher.accuracy, teacher.value), xytext=(6, 6), textcoords="offset points")
    axes.set(
        title="What the teachers' knowledge costs",
        xlabel="top-1 accuracy",
        ylabel="complexity, million parameters per nat",
        # A logarithmic axis without points has no limits.
        yscale="log" if shown else "linear",
    )
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    axes.margins(0.15)
    _style(axes)
    axes.grid(color="0.9")
    figure.savefig(path, dpi=120)


def _draw_curves(figure, rows):
    panels = {
        "loss": ("loss", "val_loss"),
        "accuracy": ("accuracy", "val_accuracy"),
        "learning rate": ("learning_rate",),
        "weight temperature": ("weight_temperature",),
    }
    binary = [row["epoch"] + 1 for row in rows if row.get("weight_temperature") == 0]
    for axes, (title, names) in zip(figure.subplots(1, len(panels), sharex=True), panels.items(), strict=True):
        for name in names:
            # A temperature of 0 has no place on a logarithmic axis: the curve ends where kernels are binary.
            points = [(row["epoch"] + 1, row[name]) for row in rows if row.get(name)]
            validation = name.startswith("val_")
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    ".-",
                    color=VALIDATION if validation else TRAINING,
                    label="validation" if validation else "training",
                )
        axes.set(title=title, xlabel="epoch", yscale="linear" if title == "accuracy" else "log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        # Around one point alone there would be ticks for thousandths of an epoch.
        axes.set_xlim(0.5, max(len(rows), 1) + 0.5)
        _style(axes)
        if axes.lines and len(names) > 1:
            axes.legend(frameon=False)
        if binary:
            axes.axvspan(binary[0] - 0.5, binary[-1] + 0.5, color="0.95", zorder=0)
    losses = [row["loss"] for row in rows if row.get("loss")]
    if losses:
        # Batch statistics of soft kernels do not fit binary kernels: the first validation losses may be in millions.
        figure.axes[0].set_ylim(top=3 * max(losses))
    if binary:
        temperature = figure.axes[-1]
        place = temperature.get_xaxis_transform()
        temperature.text((binary[0] + binary[-1]) / 2, 0.5, "0: kernels binary", transform=place, ha="center")


def _draw_predictions(figure, images, labels, classes):
    right = classes == labels
    figure.suptitle(f"Held-out images as read: {right.sum()} of {len(labels)} right", y=0.93)
    chosen = _choice(labels, right)
    for axes, i in zip(figure.subplots(1, len(chosen)), chosen, strict=True):
        axes.imshow(images[i].round().clip(0, 255).astype(np.uint8))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("0.8" if right[i] else WRONG)
        text = str(classes[i]) if right[i] else f"{classes[i]}, is {labels[i]}"
        axes.set_xlabel(text, color="black" if right[i] else WRONG, fontsize=12)


def _choice(labels, right):
    """Indices of the first image of every class that was read right, then of wrong ones, then of further right ones."""
    right_indices, wrong_indices = np.flatnonzero(right), np.flatnonzero(~right)
    _, first = np.unique(labels[right_indices], return_index=True)
    others = np.concatenate([wrong_indices, np.delete(right_indices, first)])
    return np.concatenate([right_indices[first], others])[:IMAGES_SHOWN]


def _style(axes):
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
