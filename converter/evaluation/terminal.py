"""An evaluation as tables for the terminal."""

from collections.abc import Sequence
from pathlib import Path

from bnext_keras.console import SafeConsole
from bnext_keras.text import format_bytes

import numpy as np
from rich.table import Table

from converter.evaluation.result import Evaluation

#: Up to so many classes all are shown; of more the worst.
ALL_UP_TO = 20
#: A difference that chance makes less often than this counts.
SIGNIFICANT = 0.05


def print_evaluation(evaluation: Evaluation, console: SafeConsole, classes: int | None = None) -> None:
    """Prints accuracies, comparisons and classes.

    Args:
        evaluation: What was found.
        console: Where to.
        classes: How many classes are shown, the worst; by default all of up to 20, or else 10.
    """
    console.print(_accuracies(evaluation))
    for line in _comparisons(evaluation):
        console.print(line, soft_wrap=True)
    if classes != 0:
        console.print(_classes(evaluation, classes))


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The ends of paths, as short as tells them apart.

    >>> short_names(["runs/a/final.h5", "runs/b/final.h5", "runs/b.tflite"])
    {'runs/a/final.h5': 'a/final.h5', 'runs/b/final.h5': 'b/final.h5', 'runs/b.tflite': 'b.tflite'}
    """
    parts = {name: Path(name).parts or (name,) for name in names}

    def is_alone(own, length):
        return sum(each[-length:] == own[-length:] for each in parts.values()) == 1

    def shortest(name, own):
        return next(("/".join(own[-i:]) for i in range(1, len(own)) if is_alone(own, i)), name)

    return {name: shortest(name, own) for name, own in parts.items()}


def _accuracies(evaluation):
    has_top5 = any(model.top5 is not None for model in evaluation.models)
    columns = ["top-1", "95% interval", *["top-5"] * has_top5, "runs in", "size"]
    table = Table(title=f"{evaluation.images:,} images of {evaluation.data}", title_style="bold")
    table.add_column("model", overflow="fold")
    for column in columns:
        table.add_column(column, justify="left" if column == "runs in" else "right")
    names = short_names([model.name for model in evaluation.models])
    for model in evaluation.models:
        low, high = model.top1_interval
        top5 = [] if not has_top5 else ["" if model.top5 is None else f"{model.top5:.2%}"]
        interval = f"{100 * low:.2f} to {100 * high:.2f}%"
        size = format_bytes(model.size) if model.size else ""
        table.add_row(names[model.name], f"{model.top1:.2%}", interval, *top5, model.runs_in, size)
    return table


def _comparisons(evaluation):
    names = short_names([model.name for model in evaluation.models])
    for one, other, test in evaluation.comparisons:
        if test.p < SIGNIFICANT:
            better = one if test.only_first > test.only_second else other
            verdict = f"{names[better.name]} is better, beyond chance"
        else:
            verdict = "no difference beyond chance"
        how = "" if test.is_exact else ", by chi-squared"
        yield (
            f"{names[one.name]} and {names[other.name]}: the first alone is right on {test.only_first:,} images, the "
            f"second alone on {test.only_second:,}: {verdict} (McNemar's p {_probability(test.p)}{how})"
        )


def _classes(evaluation, number):
    first, names = evaluation.models[0], short_names([model.name for model in evaluation.models])
    tables = [model.confusion for model in evaluation.models]
    # Classes of the first model, which the others' are told by.
    present = np.unique(first.labels)
    shares = {}
    for label in present:
        images = first.labels == label
        shares[label] = [float(model.right[images].mean()) for model in evaluation.models]
    if number is None:
        number = len(present) if len(present) <= ALL_UP_TO else 10
    order = list(present)
    if number < len(present):
        order = sorted(present, key=lambda label: (min(shares[label]), label))[:number]
    which = "all classes" if number >= len(present) else f"the {number} worst of {len(present)} classes"
    table = Table(title=which, title_style="bold")
    table.add_column("class", overflow="fold")
    for column in ("images", *[names[model.name] for model in evaluation.models]):
        table.add_column(column, justify="right", overflow="fold")
    table.add_column("most often taken for" + (f" by {names[first.name]}" if len(evaluation.models) > 1 else ""))
    for label in order:
        row = tables[0][label]
        wrong = row.copy()
        wrong[label] = 0
        mistaken = f"{first.class_name(wrong.argmax())} ({wrong.max():,})" if wrong.any() else ""
        cells = [f"{share:.2%}" for share in shares[label]]
        table.add_row(first.class_name(label), f"{row.sum():,}", *cells, mistaken)
    return table


def _probability(p):
    return "below 0.0001" if p < 1e-4 else f"= {p:.2g}"
