"""One training run from a recipe to its best model, in a folder of its own."""

import importlib.util
import json
import os
from dataclasses import asdict
from pathlib import Path

from bnext_keras import _version
from bnext_keras.callbacks import Distillation, DiversifiedConsecutiveDistillation, WeightTemperature
from bnext_keras.data import BrokenImages, steps_per_epoch
from bnext_keras.errors import RunError
from bnext_keras.files import write_atomically
from bnext_keras.quantizers import temperatures
from bnext_keras.recipes import Recipe
from bnext_keras.saving import hdf5
from bnext_keras.training.checkpoint import Checkpoints
from bnext_keras.training.datasets import open_data
from bnext_keras.training.fitting import Fitting
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
        broken: Is filled with the names of images that cannot be read; they are skipped.

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
    folder, source = Path(folder), data or recipe.data
    if not source:
        raise RunError("the recipe has no data of its own: say where they are with --data")
    if strategy == "none":
        make_repeatable()
    devices = make_strategy(strategy)
    chief = is_chief(devices)
    train_examples, validation_examples = open_data(source, recipe)
    steps = _steps(train_examples, validation_examples, recipe, devices)
    fit = Fitting(recipe, devices, train_examples, validation_examples, steps, broken)
    description = _description(recipe, source, strategy, devices)

    with devices.scope():
        model = build_model(recipe)
        compile_model(model, recipe, build_optimizer(recipe))
        teachers = published_teachers(recipe, None if teacher_weights is None else Path(teacher_weights))
        # Whatever could be wrong with the recipe has been seen: from here on there are files.
        _open_folder(folder, description, resume, chief)
        teachers |= own_teachers(
            recipe,
            folder / "teachers",
            fit=lambda model, callbacks: fit(model, recipe.teacher_epochs, callbacks),
            is_chief=chief,
        )
        checkpoints = Checkpoints(folder, model, is_chief=chief)
        first_epoch = checkpoints.restore()

    if first_epoch < recipe.epochs:
        callbacks = [*_callbacks(recipe, model, teachers), *_tensorboard(folder, chief), checkpoints]
        fit(model, recipe.epochs, callbacks, first_epoch)
    content = hdf5(model)
    if chief:
        _write(folder / "final.h5", content)
    return checkpoints.history


def _callbacks(recipe, model, teachers):
    """What the method adds to plain training. All of it depends on the epoch alone, so that a run can continue."""
    callbacks = [
        WarmupCosine(
            recipe.epochs,
            peak=recipe.learning_rate,
            warmup=recipe.warmup_learning_rate,
            final=recipe.final_learning_rate,
            warmup_epochs=recipe.warmup_epochs,
        )
    ]
    if recipe.weight_temperature and temperatures(model):
        decay = recipe.temperature_decay
        callbacks.append(WeightTemperature(decay=decay) if decay else WeightTemperature.for_epochs(recipe.epochs))
    weak = [teachers[name] for name in recipe.weak_teachers]
    strong = teachers.get(recipe.strong_teacher)
    if weak:
        callbacks.append(
            DiversifiedConsecutiveDistillation(
                weak, strong, recipe.epochs, per_example=recipe.per_example, label_weight=recipe.label_weight
            )
        )
    elif strong:
        callbacks.append(Distillation([strong], label_weight=recipe.label_weight))
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
    if recipe.batch_size % count:
        raise RunError(f"batch_size={recipe.batch_size} cannot be divided among {count} devices")
    if len(validation_examples) < count:
        raise RunError(f"{len(validation_examples)} validation images are too few for {count} devices")
    try:
        return steps_per_epoch(train_examples, recipe.batch_size)
    except ValueError as error:
        raise RunError(str(error)) from error


def _description(recipe, source, strategy, devices):
    """What must be the same when a run is continued, and what is good to know of it."""
    return {
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "data": source,
        "strategy": strategy,
        "devices": devices.num_replicas_in_sync,
        "versions": {"bnext_keras": _version.__version__, "tensorflow": tf.__version__},
    }


def _open_folder(folder, description, resume, chief):
    """Makes a new run's folder, or checks that the run in it is the one to be continued."""
    path = folder / "run.json"
    if resume:
        _check_same(folder, path, description)
        return
    if path.exists() and chief:
        raise RunError(f"{folder}: holds a run already; continue it with --resume or name another folder")
    if not chief:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made ({error.strerror})") from error
    _write(path, (json.dumps(description, indent=1) + "\n").encode())


def _check_same(folder, path, description):
    try:
        recorded = json.loads(path.read_text())
    except FileNotFoundError:
        raise RunError(f"{folder}: holds no run to continue; begin one without --resume") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from error
    differences = [
        f"{key} was {old!r}, now {new!r}"
        for key, old, new in _pairs(recorded, description)
        if old != new and key != "versions"
    ]
    if differences:
        raise RunError(f"{folder}: was begun with other settings: {'; '.join(differences)}")


def _pairs(recorded, description):
    for key in description:
        if key == "recipe":
            yield from ((name, recorded[key].get(name), value) for name, value in description[key].items())
        else:
            yield key, recorded.get(key), description[key]


def _write(path, content):
    if not os.access(path.parent, os.W_OK):
        raise RunError(f"{path.parent}: is not writable")
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error
