"""One training run from a recipe to its best model, in a folder of its own."""

import importlib.util
from pathlib import Path

from bnext_keras.callbacks import Distillation, DiversifiedConsecutiveDistillation, WeightTemperature
from bnext_keras.data import BrokenImages, steps_per_epoch
from bnext_keras.errors import RunError
from bnext_keras.quantizers import temperatures
from bnext_keras.recipes import Recipe
from bnext_keras.saving import hdf5
from bnext_keras.training.checkpoint import Checkpoints
from bnext_keras.training.datasets import check_same_examples, fingerprints, open_data
from bnext_keras.training.fitting import Fitting
from bnext_keras.training.folder import describe, open_folder, write
from bnext_keras.training.history import History
from bnext_keras.training.schedule import WarmupCosine
from bnext_keras.training.strategy import is_chief, make_repeatable, make_strategy
from bnext_keras.training.student import build_model, build_optimizer, compile_model
from bnext_keras.training.teachers import own_teachers, published_teachers

import tensorflow as tf


def train(
    recipe: Recipe,
    folder: str | Path,
    data: str | None = None,
    *,
    resume: bool = False,
    strategy: str = "none",
    teacher_weights: str | Path | None = None,
    broken: BrokenImages | None = None,
) -> History:
    """Trains what a recipe describes.

    ``folder`` then holds ``best.h5`` (see `History.best`) and ``final.h5``, the models; ``history.csv``,
    ``history.json`` and ``curves.png``; ``tensorboard/``; ``run.json``, the settings; ``checkpoints/``, from which an
    interrupted run continues; and ``teachers/``, if some were trained here. An interrupted and continued run gives the
    same weights as an uninterrupted one, bit for bit, on the same number of the same processors.

    Args:
        recipe: All settings.
        folder: Where everything goes; is made if need be.
        data: What to train on, see `bnext_keras.training.datasets.open_data`; by default the recipe's.
        resume: Whether to continue the run in ``folder``, rather than begin one.
        strategy: ``"none"``, ``"mirrored"`` or ``"multi_worker"``, see `bnext_keras.training.strategy`.
        teacher_weights: Folder of the published teachers' weights; by default Keras downloads them.
        broken: Collects the names of images that cannot be read; they are skipped.

    Returns:
        What became of every epoch.

    Raises:
        RunError: if the run cannot begin or go on; what has been written stays, and can be continued.

    Example:
        >>> import bnext_keras
        >>> recipe = bnext_keras.recipes.read("digits")[1]
        >>> bnext_keras.training.train(recipe, "runs/digits").best()["val_accuracy"]  # doctest: +SKIP
    """
    _check_installed()
    broken = BrokenImages() if broken is None else broken
    folder, source = Path(folder), data or recipe.data.source
    if not source:
        raise RunError("the recipe has no data of its own: say where they are with --data")
    if strategy == "none":
        make_repeatable()
    devices = make_strategy(strategy)
    chief = is_chief(devices)
    train_examples, validation_examples = open_data(source, recipe)
    steps = _steps(train_examples, validation_examples, recipe, devices)
    fit = Fitting(recipe, devices, train_examples, validation_examples, steps, broken)
    examples = fingerprints(train_examples, validation_examples)
    description = {**describe(recipe, source, strategy, devices.num_replicas_in_sync), "examples": examples}
    if resume:
        check_same_examples(folder / "run.json", examples)

    with devices.scope():
        model = build_model(recipe)
        compile_model(model, recipe, build_optimizer(recipe))
        teachers = published_teachers(recipe, None if teacher_weights is None else Path(teacher_weights))
        # Whatever could be wrong with the recipe has been seen: from here on there are files.
        open_folder(folder, description, resume=resume, is_chief=chief)
        teachers |= own_teachers(
            recipe,
            folder / "teachers",
            fit=lambda model, callbacks: fit(model, recipe.distillation.teacher_epochs, callbacks),
            is_chief=chief,
        )
        checkpoints = Checkpoints(folder, model, is_chief=chief)
        first_epoch = checkpoints.restore()

    if first_epoch < recipe.schedule.epochs:
        callbacks = [*_callbacks(recipe, model, teachers), *_tensorboard(folder, chief), checkpoints]
        fit(model, recipe.schedule.epochs, callbacks, first_epoch)
    content = hdf5(model)
    if chief:
        write(folder / "final.h5", content)
    return checkpoints.history


def _callbacks(recipe, model, teachers):
    """What the method adds to plain training. All of it depends on the epoch alone, so that a run can continue."""
    schedule, distillation = recipe.schedule, recipe.distillation
    callbacks = [
        WarmupCosine(
            schedule.epochs,
            peak=recipe.optimizer.learning_rate,
            warmup=schedule.warmup_learning_rate,
            final=schedule.final_learning_rate,
            warmup_epochs=schedule.warmup_epochs,
        )
    ]
    if schedule.weight_temperature and temperatures(model):
        decay = schedule.temperature_decay
        callbacks.append(WeightTemperature(decay=decay) if decay else WeightTemperature.for_epochs(schedule.epochs))
    weak = [teachers[name] for name in distillation.weak_teachers]
    strong = teachers.get(distillation.strong_teacher)
    label_weight = distillation.label_weight
    if weak:
        callbacks.append(
            DiversifiedConsecutiveDistillation(
                weak, strong, schedule.epochs, per_example=distillation.per_example, label_weight=label_weight
            )
        )
    elif strong:
        callbacks.append(Distillation([strong], label_weight=label_weight))
    return callbacks


def _tensorboard(folder, chief):
    return [tf.keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)] if chief else []


def _check_installed():
    """What is only needed at the end of an epoch must be there at the beginning of the run."""
    for package in ("matplotlib", "tensorboard"):
        if importlib.util.find_spec(package) is None:
            raise RunError(f"{package} is not installed: pip install bnext-keras[train]")


def _steps(train_examples, validation_examples, recipe, devices):
    count = devices.num_replicas_in_sync
    if recipe.data.batch_size % count:
        raise RunError(f"batch_size={recipe.data.batch_size} cannot be divided among {count} devices")
    if len(validation_examples) < count:
        raise RunError(f"{len(validation_examples)} validation images are too few for {count} devices")
    try:
        return steps_per_epoch(train_examples, recipe.data.batch_size)
    except ValueError as error:
        raise RunError(str(error)) from error
