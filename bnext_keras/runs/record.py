"""``run.json``: what a run was begun with, and what of it may change when the run is continued."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnext_keras.errors import RunError
from bnext_keras.recipes import Recipe, as_text, recipe_of_record
from bnext_keras.schedules import boosting_index, weight_temperature

RECORD = "run.json"
#: Settings that may become others from the next epoch on, when a run has diverged say, or goes on elsewhere.
MAY_CHANGE = (
    "optimizer.learning_rate",
    "optimizer.kernel_learning_rate",
    "optimizer.clip_norm",
    "compute.precision",
    "compute.jit_compile",
    "compute.teacher_precision",
    "compute.teacher_jit_compile",
)


@dataclass(frozen=True)
class Record:
    """What a run was begun with, and continued with since.

    Attributes:
        recipe: All settings.
        data: What the run trains on.
        strategy: Name of the strategy.
        devices: Number of devices that share a batch.
        teacher_weights: Folder of the published teachers' weights; None if Keras downloads them.
        content: All that ``run.json`` holds.
    """

    recipe: Recipe
    data: str
    strategy: str
    devices: int
    teacher_weights: str | None
    content: dict[str, Any]


def read_record(folder: Path) -> Record:
    """The record of the run in ``folder``.

    Raises:
        RunError: if there is no run, or its record cannot be read.
    """
    path = folder / RECORD
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        run = {key: content[key] for key in ("data", "strategy", "devices")}
        return Record(
            recipe_of_record(content["recipe"]), **run, teacher_weights=content.get("teacher_weights"), content=content
        )
    except FileNotFoundError:
        raise RunError("holds no run to continue; begin one without --resume", where=str(folder)) from None
    except KeyError as error:
        raise RunError(f"cannot be read (it has no {error})", where=str(path)) from error
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(f"cannot be read ({error})", where=str(path)) from error


def check_continues(
    folder: Path, record: Record, recipe: Recipe, finished: int, **run: str | int
) -> dict[str, list[str]]:
    """Refuses to continue a run with settings that are not its own.

    `MAY_CHANGE` names the settings that may become others. The number of epochs may, if no finished epoch would have
    been trained otherwise: with another learning rate, weight temperature or weak teacher. Data may lie elsewhere, if
    the record has what `check_same_examples` knows them by.

    Args:
        folder: The run's folder, for the message.
        record: What the run was begun with.
        recipe: What it is to be continued with.
        finished: Number of its finished epochs.
        **run: ``data``, ``strategy`` and ``devices``, as far as they are known.

    Returns:
        What changes: old and new values, as texts, by name.

    Raises:
        RunError: if anything else is another value; it names all of that.
    """
    old = {**record.recipe.settings(), **{name: getattr(record, name) for name in run}}
    new = {**recipe.settings(), **run}
    changes, refused = {}, []
    for name in dict.fromkeys((*new, *old)):
        # An option of the model may be in one of them only.
        before, now = (as_text(facts[name]) if name in facts else "unset" for facts in (old, new))
        if before == now:
            continue
        reason = ""
        if name == "schedule.epochs":
            reason = _other_past(record.recipe, recipe.schedule.epochs, finished)
        elif name == "compute.precision" and now == "mixed_float16":
            reason = "its checkpoints have no scale of the loss"
        has_moved = name == "data" and isinstance(record.content.get("examples"), dict)
        if (has_moved or name in (*MAY_CHANGE, "schedule.epochs")) and not reason:
            changes[name] = [before, now]
        else:
            refused.append(f"{name} was {before}, now {now}" + f" ({reason})" * bool(reason))
    if refused:
        raise RunError(
            f"was begun with other settings: {'; '.join(refused)}",
            where=str(folder),
            remedy="what is left out is taken from its run.json",
        )
    return changes


def check_same_examples(folder: Path, record: Record, examples: Mapping[str, Mapping[str, int | str]]) -> None:
    """Refuses to continue a run with other data; a run whose record tells nothing of its data goes on.

    Args:
        folder: The run's folder, for the message.
        record: What the run was begun with.
        examples: The fingerprints of what it would continue with, by part of the data, see
            `bnext_keras.data.examples.fingerprint`.

    Raises:
        RunError: if they are others; it says in what they differ.
    """
    try:
        recorded = record.content["examples"]
        changes = [
            f"{old['images']:,} {part} images are now {new['images']:,}"
            if old["images"] != new["images"]
            else f"its {new['images']:,} {part} images have other names, classes or sizes"
            for part, new in examples.items()
            if (old := recorded[part]) != new
        ]
    except (TypeError, KeyError):
        return  # of an earlier version
    if changes:
        raise RunError(
            f"was begun with other data: {'; '.join(changes)}",
            where=str(folder),
            remedy="bring them back, or begin a new run",
        )


def _other_past(recipe, epochs, finished):
    """Why a run cannot have had another number of epochs, given what is finished of it; "" if it can."""
    if epochs < finished:
        return f"{finished} are finished"
    other = recipe.derive(schedule={"epochs": epochs, "warmup_epochs": min(recipe.schedule.warmup_epochs, epochs - 1)})
    for epoch in range(finished):
        then, now = _of_epoch(recipe, epoch), _of_epoch(other, epoch)
        for what, value in then.items():
            if value != now[what]:
                return f"the {what} of epoch {epoch + 1} would have been another"
    return ""


def _of_epoch(recipe, epoch):
    schedule, teachers = recipe.schedule, recipe.distillation.weak_teachers
    return {
        "learning rate": schedule.learning_rate(epoch, recipe.optimizer.learning_rate),
        "weight temperature": weight_temperature(epoch, *recipe.annealing) if recipe.annealing else 0.0,
        "weak teacher": boosting_index(epoch, schedule.epochs, len(teachers)) if teachers else 0,
    }
