"""Which of a model's outputs is which class of the data: by name where both have names, by number otherwise."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bnext_keras.errors import PredictionError
from bnext_keras.labels import without_synsets
from bnext_keras.text import counted

import numpy as np


@dataclass(frozen=True)
class Matching:
    """The classes of the data among those of a model.

    Attributes:
        outputs: For each class of the data, the number of the model's output.
        names: What the model's classes are called, None if nobody says so.
        assumed: What of that is assumed, in words; empty if nothing is.
    """

    outputs: np.ndarray
    names: tuple[str, ...] | None
    assumed: str = ""


def match(num_classes: int, names: Sequence[str] | None, in_data: int, names_in_data: Sequence[str] | None) -> Matching:
    """Finds the classes of the data among those of a model.

    WordNet's numbers, as ImageNet's folders are called, count as ImageNet's names. The data may have some of the
    model's classes only, where both have names.

    Args:
        num_classes: Number of the model's classes.
        names: What the model calls them, if it does.
        in_data: Number of classes in the data.
        names_in_data: What the data call them, if they do.

    Raises:
        PredictionError: if a class of the data is none of the model's, or nobody can tell which it is.

    Example:
        >>> match(3, ["ant", "bee", "cat"], 2, ["cat", "bee"]).outputs.tolist()
        [2, 1]
    """
    same = np.arange(in_data)
    if names_in_data is None:
        if in_data > num_classes:
            raise PredictionError(f"has {counted(num_classes, 'class', 'classes')}, the data {in_data}")
        return Matching(same, None if names is None else tuple(names))
    found = without_synsets(names_in_data)
    if names is None:
        if in_data != num_classes:
            raise PredictionError(
                f"has {num_classes} classes that it does not name, the data {in_data}",
                remedy="name the model's with --labels FILE",
            )
        return Matching(same, found, "the model does not name its classes; they are taken for the data's, in order")
    if tuple(names) == tuple(found):
        return Matching(same, found)
    strange = [name for name in found if name not in set(names)]
    if len(strange) == len(found) == num_classes:
        assumed = (
            f"the model's classes ({_some(names)}) are called otherwise than the data's ({_some(found)}); they are "
            "taken for the same, in order"
        )
        return Matching(same, tuple(names), assumed)
    if strange:
        raise PredictionError(
            f"has no classes {_some(strange)}, which the data have; its own are {_some(names)}",
            remedy="name the model's classes as the data's with --labels FILE",
        )
    twice = [name for name, times in Counter(names).items() if times > 1 and name in found]
    if twice:
        raise PredictionError(f"has several classes that are called {_some(twice)}: nobody knows which the data mean")
    numbers = {name: number for number, name in enumerate(names)}
    return Matching(np.array([numbers[name] for name in found]), tuple(names))


def _some(names, most=3):
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
