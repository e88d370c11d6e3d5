"""Accuracies that ``bnext-evaluate`` has measured, for the files that are benchmarked."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bnext_keras.errors import BenchmarkError
from bnext_keras.text import first_line

from android_demo.results.subjects import ModelFile

#: What the files say of themselves, up to the version.
_SCHEMA = "bnext-evaluation/"


@dataclass(frozen=True)
class Evaluated:
    """The accuracy of a file.

    Attributes:
        name: The file's name.
        sha256: Digest of its content.
        top1_percent: Top-1 accuracy in percent.
        source: Of how many images, for the page.
    """

    name: str
    sha256: str
    top1_percent: float
    source: str


def read_accuracies(path: Path) -> list[Evaluated]:
    """Reads what ``bnext-evaluate --json`` wrote.

    Raises:
        BenchmarkError: if it is something else, or cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not str(content["schema"]).startswith(_SCHEMA):
            raise ValueError(content["schema"])
        source = f"{content['data']['images']:,} images of {Path(content['data']['source']).name}"
        found = [
            Evaluated(str(model["name"]), str(model["sha256"]), float(model["top1_percent"]), source)
            for model in content["models"]
        ]
        # A damaged file must not become a figure; NaN is not between anything.
        if not all(0 <= model.top1_percent <= 100 for model in found):
            raise ValueError("an accuracy is no percentage")
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BenchmarkError(
            f"is not what bnext-evaluate writes ({first_line(error)})",
            where=str(path),
            remedy="bnext-evaluate MODEL DATA --json FILE does",
        ) from error
    return found


def with_accuracy(record: ModelFile, accuracies: Sequence[Evaluated]) -> ModelFile:
    """A file's record with the accuracy of that very content, whatever the file was called; without if there is none.

    Raises:
        BenchmarkError: if only another file of its name was evaluated.

    Example:
        >>> record = ModelFile(name="a.tflite", sha256="12" * 32, bytes=9)
        >>> with_accuracy(record, [Evaluated("b.tflite", "12" * 32, 72.5, "80 images")]).top1_percent
        72.5
    """
    for found in accuracies:
        if found.sha256 == record.sha256:
            return replace(record, top1_percent=found.top1_percent, accuracy_source=found.source)
    if record.name in {found.name for found in accuracies}:
        raise BenchmarkError(
            "is not the file of that name that was evaluated",
            where=record.name,
            remedy=f"evaluate it again; or state its accuracy with --top1 {record.name}=PERCENT",
        )
    return record
