"""One training run from a recipe to its best model, in a folder of its own."""

from contextlib import ExitStack, nullcontext
from pathlib import Path

from bnext_keras.bounds import measure_bounds
from bnext_keras.data import BrokenImages
from bnext_keras.errors import RunError
from bnext_keras.extras import require
from bnext_keras.files import file_errors_as, locked
from bnext_keras.recipes import Recipe
from bnext_keras.runs import check_continues, check_same_examples, finished_epochs, read_record
from bnext_keras.saving import hdf5
from bnext_keras.training.averages import Averages
from bnext_keras.training.checkpoint import Checkpoints
from bnext_keras.training.datasets import fingerprints
from bnext_keras.training.fitting import Fitting
from bnext_keras.training.folder import INITIAL, begin, describe, note_changes, write
from bnext_keras.training.history import History
from bnext_keras.training.method import method
from bnext_keras.training.strategy import is_chief, lost_worker
from bnext_keras.training.student import build_student
from bnext_keras.training.teachers import own_teachers, published_teachers

import tensorflow as tf


def train(
    recipe: Recipe | None,
    folder: str | Path,
    data: str | None = None,
    *,
    resume: bool = False,
    strategy: str | None = None,
    teacher_weights: str | Path | None = None,
    processes: int | None = None,
    broken: BrokenImages | None = None,
) -> History:
    """Trains what a recipe describes.

    ``folder`` then holds ``best.h5`` (see `History.best`) and ``final.h5``, the models; ``history.csv``,
    ``history.json`` and ``curves.png``; ``tensorboard/``; ``run.json``, the settings; ``checkpoints/``, from which an
    interrupted run continues; ``initial.h5``, if it began with weights from a file; and ``teachers/``, if some were
    trained here. An interrupted and continued run gives the same weights as an uninterrupted one, bit for bit, on the
    same number of the same processors. Nobody else can train in ``folder`` meanwhile (`bnext_keras.files.locked`).

    Args:
        recipe: All settings. None for those of the run that is continued; of others, those in
            `bnext_keras.runs.record.MAY_CHANGE` hold from the next epoch on, see `bnext_keras.runs.check_continues`.
        folder: Where everything goes; is made if need be.
        data: What to train on, see `bnext_keras.training.datasets.open_data`; by default the recipe's, or the run's.
        resume: Whether to continue the run in ``folder``, rather than begin one.
        strategy: ``"none"``, the default, ``"mirrored"`` or ``"multi_worker"``, see `bnext_keras.training.strategy`;
            by default the run's.
        teacher_weights: Folder of the published teachers' weights; by default the run's, or else Keras downloads them.
        processes: How many processes prepare images, see `bnext_keras.data.training_data`; 0 for threads, by default as
            many as suit the machine. Nothing else depends on it.
        broken: Collects the names of images that cannot be read; they are skipped.

    Returns:
        What became of every epoch.

    Raises:
        RunError: if the run cannot begin or go on, because its loss is NaN say; what has been written stays, and can be
            continued.
        RecipeError: if the kernels of a new run would not be binary at its end, or it freezes what it must not, or the
            strategy is not one for the recipe's ``compute``.

    Example:
        >>> import bnext_keras
        >>> recipe = bnext_keras.recipes.read("digits")[1]
        >>> bnext_keras.training.train(recipe, "runs/digits").best()["val_accuracy"]  # doctest: +SKIP
    """
    require("matplotlib", "tensorboard", extra="train")
    broken = BrokenImages() if broken is None else broken
    folder, record = Path(folder), read_record(Path(folder)) if resume else None
    if record is not None:
        recipe = recipe or record.recipe
        data, strategy = data or record.data, strategy or record.strategy
        teacher_weights = teacher_weights or record.teacher_weights
    if recipe is None:
        raise RunError("a run that is not continued needs a recipe")
    if record is None:
        recipe.check()
    source, strategy = data or recipe.data.source, strategy or "none"
    recipe.compute.check_strategy(strategy)
    teacher_weights = None if teacher_weights is None else Path(teacher_weights)
    if not source:
        raise RunError("the recipe has no data of its own: say where they are with --data")
    fit = Fitting.of(recipe, source, strategy, broken, processes)
    chief, count = is_chief(fit.devices), fit.devices.num_replicas_in_sync
    examples = fingerprints(fit.training, fit.validation)
    if record is not None:
        check_same_examples(folder, record, examples)
    with fit.devices.scope():
        model = build_student(recipe, fit.training.class_names, _initial(folder, record, recipe))
        teachers = published_teachers(recipe, teacher_weights)
        if record is None and recipe.start.measure_bounds:
            _measure_bounds(model, fit)
    # By every worker, the chief or not: some variables are only there in parts.
    initial = hdf5(model) if record is None and recipe.start.init else None

    # Whatever could be wrong with the recipe has been seen: from here on there are files.
    with ExitStack() as stack:
        if chief:
            stack.enter_context(file_errors_as(RunError))
            stack.enter_context(locked(folder))
        if record is not None:
            finished = finished_epochs(folder)
            changes = check_continues(folder, record, recipe, finished, data=source, strategy=strategy, devices=count)
            if chief:
                note_changes(folder, record, recipe, changes, finished)
        elif chief:
            begin(folder, {**describe(recipe, source, strategy, count, teacher_weights), "examples": examples}, initial)
        try:
            return _train(fit, model, teachers, folder, chief)
        except tf.errors.OpError as error:
            lost = lost_worker(fit.devices, error)
            if not lost:
                raise
            raise RunError(
                f"another worker is gone ({lost})",
                where=str(folder),
                remedy="start all workers again with --resume: the run goes on after the last complete epoch",
            ) from error


def _initial(folder, record, recipe):
    """Where the run that is continued keeps the weights that it began with: their file may have changed since."""
    if record is None or not recipe.start.init:
        return None
    path = folder / INITIAL
    if not path.is_file():
        raise RunError("is missing", where=str(path), remedy="bring it back, or begin a new run")
    return path


def _measure_bounds(model, fit):
    try:
        measure_bounds(model, fit.first_batches())
    except ValueError as error:
        raise RunError(f"measure_bounds=true: {error}") from error


def _train(fit, model, teachers, folder, chief):
    """Trains what is left to train; returns the history."""
    recipe = fit.recipe
    with fit.devices.scope():
        teachers = teachers | own_teachers(
            recipe,
            folder / "teachers",
            fit=lambda model, callbacks: fit(model, recipe.distillation.teacher_epochs, callbacks),
            is_chief=chief,
        )
        averages = Averages(model, fit.first_batches) if recipe.optimizer.ema else None
        as_evaluated = nullcontext if averages is None else averages.in_place
        checkpoints = Checkpoints(folder, model, is_chief=chief, as_evaluated=as_evaluated)
        first_epoch = checkpoints.restore()
    if first_epoch < recipe.schedule.epochs:
        callbacks = [*filter(None, [averages]), *method(recipe, model, teachers), *_tensorboard(folder, chief)]
        fit(model, recipe.schedule.epochs, [*callbacks, checkpoints], first_epoch)
    with fit.devices.scope(), as_evaluated():
        content = hdf5(model)
    if chief:
        write(folder / "final.h5", content)
    return checkpoints.history


def _tensorboard(folder, chief):
    return [tf.keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)] if chief else []
