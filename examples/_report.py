"""What `digits.py` shows at its end: the table of Keras beside LCE, and the figure."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from rich.console import Console
from rich.table import Table

TRAINED, HELD_OUT, WRONG = "#3b6fb6", "#e08a1e", "#c8102e"
DIGITS_SHOWN = 14


def print_comparison(labels, *, classes, sizes, milliseconds):
    """Prints one table; every argument is a pair, first Keras, then LCE."""
    table = Table(title=f"{len(labels)} held-out digits", title_style="bold", caption_justify="left")
    table.add_column()
    table.add_column("Keras, float32", justify="right")
    table.add_column("LCE, binary", justify="right")
    agreement = np.mean(classes[0] == classes[1])
    table.add_row("accuracy", *(f"{np.mean(of_one == labels):.2%}" for of_one in classes))
    table.add_row("same class as Keras", "", f"{agreement:.2%}", style="green" if agreement == 1 else "red")
    table.add_row("size", *(f"{size / 1000:,.0f} kB" for size in sizes))
    table.add_row("time per image", *(f"{time:.2f} ms" for time in milliseconds))
    console = Console()
    console.print(table)
    console.print(
        f"Size: for Keras 4 bytes for each of {sizes[0] // 4:,} parameters, the statistics of batch normalization "
        "included; for LCE the whole file.\n"
        "Time: median, one image at a time; Keras on all cores, LCE on one. LCE is made for 64-bit ARM: on other "
        "processors its time says little.",
        style="dim",
        highlight=False,
    )


def draw(path, history, images, labels, classes):
    """Writes the figure: curves of the training above, held-out digits with their predicted class below."""
    figure = Figure(figsize=(12, 5.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(2.4, 1), hspace=0.04)
    _draw_curves(above.subplots(1, 3), history)
    _draw_digits(below, images, labels, classes)
    figure.savefig(path, dpi=120)


def _draw_curves(panels, history):
    loss, accuracy, temperature = panels
    epochs = np.arange(1, len(history["loss"]) + 1)
    for panel, metric in ((loss, "loss"), (accuracy, "accuracy")):
        panel.plot(epochs, history[metric], ".-", color=TRAINED, label="training")
        panel.plot(epochs, history[f"val_{metric}"], ".-", color=HELD_OUT, label="held out, kernels binary")
    # Soft kernels' batch statistics do not fit binary kernels: held out, the first epochs' loss may be in the millions.
    loss.set(title="Loss", yscale="log", ylim=(None, 3 * max(history["loss"])))
    accuracy.set(title="Accuracy", ylim=(0, 1.03))
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    accuracy.legend(loc="lower right", frameon=False)

    values = np.array(history["weight_temperature"])
    soft = values > 0
    temperature.plot(epochs[soft], values[soft], ".-", color=TRAINED)
    temperature.set(title="Weight temperature", yscale="log")
    for panel in panels:
        _style(panel, epochs)
        if not soft.all():
            panel.axvspan(epochs[~soft][0] - 0.5, epochs[-1] + 0.5, color="0.95", zorder=0)
    if not soft.all():
        middle = (epochs[~soft][0] + epochs[-1]) / 2
        temperature.text(middle, 0.5, "0: kernels binary", transform=temperature.get_xaxis_transform(), ha="center")


def _style(panel, epochs):
    panel.set(xlabel="epoch", xlim=(0.5, epochs[-1] + 0.5))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="0.9")
    panel.set_axisbelow(True)


def _draw_digits(figure, images, labels, classes):
    right = classes == labels
    figure.suptitle(f"Held-out digits as LCE reads them: {right.sum()} of {len(labels)} right", y=0.93)
    chosen = _choice(labels, right)
    for panel, i in zip(figure.subplots(1, len(chosen)), chosen, strict=True):
        panel.imshow(images[i, ..., 0], cmap="gray_r", vmin=0, vmax=1)
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_color("0.8" if right[i] else WRONG)
        text = str(classes[i]) if right[i] else f"{classes[i]}, is {labels[i]}"
        panel.set_xlabel(text, color="black" if right[i] else WRONG, fontsize=12)


def _choice(labels, right):
    """Of every class the first digit that was read right, then the first wrong ones, then further right ones."""
    right_indices, wrong_indices = np.flatnonzero(right), np.flatnonzero(~right)
    _, first = np.unique(labels[right_indices], return_index=True)
    others = np.concatenate([wrong_indices, np.delete(right_indices, first)])
    return np.concatenate([right_indices[first], others])[:DIGITS_SHOWN]
