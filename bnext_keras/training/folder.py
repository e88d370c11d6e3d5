"""A run's folder: whose it is, and whether it can be written."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bnext_keras import _version
from bnext_keras.errors import RunError
from bnext_keras.files import file_errors_as, sha256, write_atomically
from bnext_keras.logs import get_logger
from bnext_keras.recipes import Recipe
from bnext_keras.runs.record import RECORD, Record

import tensorflow as tf

log = get_logger(__name__)

#: The network as a run begins with it, where its weights are not fresh.
INITIAL = "initial.h5"


def describe(
    recipe: Recipe, source: str, strategy: str, devices: int, teacher_weights: Path | None = None
) -> dict[str, Any]:
    """What ``run.json`` records: what must be the same when a run is continued, and what is good to know.

    Args:
        recipe: All settings.
        source: What the run trains on.
        strategy: Name of the strategy.
        devices: Number of devices that share a batch.
        teacher_weights: Folder of the published teachers' weights.
    """
    init = Path(recipe.start.init)
    return {
        "recipe": _plain(recipe),
        **({"init_sha256": sha256(init)} if recipe.start.init and init.is_file() else {}),
        "data": source,
        "strategy": strategy,
        "devices": devices,
        "teacher_weights": None if teacher_weights is None else str(teacher_weights),
        "versions": {"bnext_keras": _version.__version__, "tensorflow": tf.__version__},
    }


def begin(folder: Path, description: dict[str, Any], initial: bytes | None = None) -> None:
    """Writes the record of a new run.

    Args:
        folder: The run's folder.
        description: What `describe` tells.
        initial: The model that the run begins with, if its weights are not fresh.

    Raises:
        RunError: if the folder holds another run, or cannot be written.
    """
    path = folder / RECORD
    if path.exists():
        raise RunError(f"{folder}: holds a run already; continue it with --resume or name another folder")
    if initial is not None:
        # First: what has a record can be continued.
        write(folder / INITIAL, initial)
    write(path, _as_json(description))


def note_changes(folder: Path, record: Record, recipe: Recipe, changes: dict[str, list[str]], finished: int) -> None:
    """Writes into a run's record that it is continued with other settings.

    Raises:
        RunError: if it cannot be written.
    """
    if changes:
        log.warning("%s: continues with %s", folder, ", ".join(f"{name}={now}" for name, (_, now) in changes.items()))
        earlier = record.content.get("changes", [])
        write(
            folder / RECORD,
            _as_json(
                {
                    **record.content,
                    **({"data": changes["data"][1]} if "data" in changes else {}),
                    "recipe": _plain(recipe),
                    "changes": [*earlier, {"after_epoch": finished, "settings": changes}],
                }
            ),
        )


def write(path: Path, content: bytes) -> None:
    """Writes a file of the run.

    Raises:
        RunError: if it cannot be written.
    """
    with file_errors_as(RunError):
        write_atomically(path, content)


def _plain(recipe):
    """A recipe as JSON has it, without tuples."""
    return json.loads(json.dumps(asdict(recipe)))


def _as_json(content):
    return (json.dumps(content, indent=1) + "\n").encode()
