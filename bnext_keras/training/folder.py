"""A run's folder: whose it is, and whether it can be written."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bnext_keras import _version
from bnext_keras.errors import RunError
from bnext_keras.files import file_errors_as, write_atomically
from bnext_keras.recipes import Recipe, as_text, recipe_of_record

import tensorflow as tf


def describe(recipe: Recipe, source: str, strategy: str, devices: int) -> dict[str, Any]:
    """What ``run.json`` records: what must be the same when a run is continued, and what is good to know.

    Args:
        recipe: All settings.
        source: What the run trains on.
        strategy: Name of the strategy.
        devices: Number of devices that share a batch.
    """
    return {
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "data": source,
        "strategy": strategy,
        "devices": devices,
        "versions": {"bnext_keras": _version.__version__, "tensorflow": tf.__version__},
    }


def open_folder(folder: Path, description: dict[str, Any], *, resume: bool, is_chief: bool) -> None:
    """Makes a new run's folder, or checks that the run in it is the one to be continued.

    Raises:
        RunError: if the folder cannot be made, holds another run, or none where one is to be continued.
    """
    path = folder / "run.json"
    if resume:
        _check_same(folder, path, description)
        return
    if not is_chief:
        return
    if path.exists():
        raise RunError(f"{folder}: holds a run already; continue it with --resume or name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made ({error.strerror})") from error
    write(path, (json.dumps(description, indent=1) + "\n").encode())


def write(path: Path, content: bytes) -> None:
    """Writes a file of the run.

    Raises:
        RunError: if it cannot be written.
    """
    with file_errors_as(RunError):
        write_atomically(path, content)


def _check_same(folder, path, description):
    try:
        recorded = json.loads(path.read_text())
        old = _facts(recorded)
    except FileNotFoundError:
        raise RunError(f"{folder}: holds no run to continue; begin one without --resume") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from error
    new = _facts(description)
    # An option of the model may be in one of them only.
    differences = [
        f"{key} was {old.get(key, 'unset')}, now {new.get(key, 'unset')}"
        for key in dict.fromkeys((*new, *old))
        if old.get(key) != new.get(key)
    ]
    if differences:
        raise RunError(f"{folder}: was begun with other settings: {'; '.join(differences)}")


def _facts(description):
    """What must not change, by name, as texts."""
    settings = recipe_of_record(description["recipe"]).settings()
    run = {key: description[key] for key in ("data", "strategy", "devices")}
    return {name: as_text(value) for name, value in {**settings, **run}.items()}
