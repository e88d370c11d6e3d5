"""What `converter.evaluate` returns."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from bnext_keras._version import __version__

import numpy as np

from converter.evaluation.classes import Matching
from converter.evaluation.images import Preparation
from converter.evaluation.statistics import McNemar, mcnemar, wilson

#: Version of what `Evaluation.to_dict` returns.
SCHEMA = "bnext-evaluation/1"


@dataclass(frozen=True)
class ModelAccuracy:
    """What one model made of the images.

    Attributes:
        name: Its file as the user called it, or the name of a model in memory.
        sha256: Digest of the file, empty for a model in memory.
        size: Bytes of the file, 0 for a model in memory.
        runs_in: ``Keras``, ``engine`` or ``LCE``.
        preparation: What was done to images.
        matching: Which of its outputs are the data's classes, and what they are called.
        num_classes: Number of its outputs.
        labels: The right output for each image ``(images,)``.
        answers: The largest output for each image ``(images,)``.
        ranks: How many outputs stood before the right one ``(images,)``.
    """

    name: str
    sha256: str
    size: int
    runs_in: str
    preparation: Preparation
    matching: Matching
    num_classes: int
    labels: np.ndarray
    answers: np.ndarray
    ranks: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether the answer was right, for each image."""
        return self.ranks == 0

    @property
    def top1(self) -> float:
        """Share of images whose largest output is that of their class."""
        return float(self.right.mean())

    @property
    def top1_interval(self) -> tuple[float, float]:
        """95% interval of `top1`: what other images of this kind may come to."""
        return wilson(int(self.right.sum()), len(self.right))

    @property
    def top5(self) -> float | None:
        """Share of images whose class is among the five largest outputs; None for five classes and fewer."""
        return float((self.ranks < 5).mean()) if self.num_classes > 5 else None

    @property
    def confusion(self) -> np.ndarray:
        """How many images of each class (rows) were taken for each class (columns), int64 ``(classes, classes)``."""
        table = np.zeros((self.num_classes, self.num_classes), np.int64)
        np.add.at(table, (self.labels, self.answers), 1)
        return table

    def class_name(self, number: int) -> str:
        """What a class is called, or else its number."""
        return str(number) if self.matching.names is None else self.matching.names[number]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; classes and cells of the confusion matrix that have no image are left out."""
        table = self.confusion
        scale = self.preparation.normalization
        return {
            "name": Path(self.name).name,
            "file": self.name,
            "sha256": self.sha256,
            "bytes": self.size,
            "runs_in": self.runs_in,
            "input_shape": list(self.preparation.input_shape),
            "crop": self.preparation.crop,
            "mean": list(scale.mean),
            "std": list(scale.std),
            "images": len(self.labels),
            "top1_percent": 100 * self.top1,
            "top1_interval_percent": [100 * bound for bound in self.top1_interval],
            "top5_percent": None if self.top5 is None else 100 * self.top5,
            "classes": [
                {
                    "class": number,
                    "name": self.class_name(number),
                    "images": int(table[number].sum()),
                    "right": int(table[number, number]),
                    "answered": int(table[:, number].sum()),
                }
                for number in range(self.num_classes)
                if table[number].any() or table[:, number].any()
            ],
            "confusion": [[int(i), int(j), int(table[i, j])] for i, j in np.argwhere(table)],
        }


@dataclass(frozen=True)
class Evaluation:
    """What models made of the same images.

    Attributes:
        data: What the images are called.
        sha256: What tells them from others, see `bnext_keras.data.examples.fingerprint`.
        broken: What was wrong with images that could not be read, by name; they are left out.
        models: What each model made of the others.
        assumed: What was assumed of models for want of a statement, in words.
        notes: Why files did not run in the engine.
    """

    data: str
    sha256: str
    broken: dict[str, str]
    models: tuple[ModelAccuracy, ...]
    assumed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """How many images were classified."""
        return len(self.models[0].labels)

    @property
    def comparisons(self) -> list[tuple[ModelAccuracy, ModelAccuracy, McNemar]]:
        """Each two of the models, with McNemar's test of whether one is better."""
        return [(one, other, compare(one, other)) for one, other in combinations(self.models, 2)]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, which ``bnext-benchmark --accuracy`` reads."""
        return {
            "schema": SCHEMA,
            "version": __version__,
            "data": {
                "source": self.data,
                "sha256": self.sha256,
                "images": self.images,
                "broken": self.broken,
            },
            "models": [model.to_dict() for model in self.models],
            "comparisons": [
                {
                    "models": [one.name, other.name],
                    "only_first_right": test.only_first,
                    "only_second_right": test.only_second,
                    "test": "McNemar, exact binomial" if test.is_exact else "McNemar, chi-squared",
                    "p": test.p,
                }
                for one, other, test in self.comparisons
            ],
        }


def compare(one: ModelAccuracy, other: ModelAccuracy) -> McNemar:
    """McNemar's test of two models that saw the same images."""
    return mcnemar(int((one.right & ~other.right).sum()), int((~one.right & other.right).sum()))
