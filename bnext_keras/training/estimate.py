"""What a run will cost on this machine, from a few of its steps; nothing is written."""

import itertools
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

from bnext_keras.callbacks import WeightTemperature
from bnext_keras.data import BrokenImages
from bnext_keras.errors import RunError
from bnext_keras.recipes import Recipe
from bnext_keras.saving import hdf5
from bnext_keras.text import format_bytes
from bnext_keras.training.checkpoint import KEPT
from bnext_keras.training.fitting import Fitting
from bnext_keras.training.method import method
from bnext_keras.training.student import build_student
from bnext_keras.training.teachers import own_teachers, published_teachers

import tensorflow as tf

#: Batches that are evaluated with; the first one traces the network.
_VALIDATION_STEPS = 3
#: Steps that do not count: the first traces the network, and the next ones may still meet a cold machine.
_COLD_STEPS = 2


@dataclass(frozen=True)
class Pace:
    """How fast a network trains.

    Attributes:
        first_step: Seconds of the first step, which builds the graph.
        step: Seconds of any other.
        evaluation_step: Seconds of a batch of validation images.
    """

    first_step: float
    step: float
    evaluation_step: float

    def seconds(self, epochs: int, steps: int, evaluation_steps: int) -> float:
        """Seconds of so many epochs.

        Example:
            >>> Pace(first_step=20.0, step=0.5, evaluation_step=0.25).seconds(epochs=2, steps=100, evaluation_steps=8)
            124.0
        """
        return self.first_step + epochs * (steps * self.step + evaluation_steps * self.evaluation_step)


@dataclass(frozen=True)
class Estimate:
    """What a run will cost.

    Attributes:
        images: Number of training images and of validation images.
        batch_size: Images in a step.
        steps: Number of steps in an epoch.
        epochs: Number of epochs.
        pace: How fast the student trains, teachers included.
        teachers: The names of those that the run trains first.
        teacher_epochs: Number of epochs that each of them is trained for.
        seconds: Of the whole run.
        disk: Bytes that the run's folder takes at most.
    """

    images: tuple[int, int]
    batch_size: int
    steps: int
    epochs: int
    pace: Pace
    teachers: tuple[str, ...]
    teacher_epochs: int
    seconds: float
    disk: int

    def __str__(self):
        training, validation = self.images
        each = f"{self.teacher_epochs:,} epoch{'s' * (self.teacher_epochs != 1)} each"
        lines = {
            "images": f"{training:,} to train on, {validation:,} to evaluate with",
            "steps": f"{self.steps * self.epochs:,}: {self.epochs:,} epochs, {self.steps:,} steps of "
            f"{self.batch_size:,} images in each",
            "a step": f"{self.pace.step:.3g} s, {self.batch_size / self.pace.step:,.0f} images/s; "
            f"the first one {self.pace.first_step:.0f} s",
            "teachers": self.teachers and f"{', '.join(self.teachers)}: trained first, {each}",
            "time": _time(self.seconds),
            "disk": f"{format_bytes(self.disk)} at most, TensorBoard's logs aside",
        }
        return "\n".join(f"{name:10}{text}" for name, text in lines.items() if text)


def estimate(
    recipe: Recipe,
    data: str | None = None,
    *,
    strategy: str | None = None,
    teacher_weights: str | Path | None = None,
    processes: int | None = None,
    seconds: float = 10.0,
) -> Estimate:
    """Trains a few steps of a recipe, on the images and with the teachers of the run, and forgets them.

    Args:
        recipe: All settings.
        data: What to train on, as for `bnext_keras.training.train`.
        strategy: ``"none"``, the default, or ``"mirrored"``.
        teacher_weights: Folder of the published teachers' weights, as for `bnext_keras.training.train`.
        processes: How many processes prepare images, as for `bnext_keras.training.train`.
        seconds: How long to train each network after its first step, two steps more at least.

    Raises:
        RunError: if the run could not begin.
        RecipeError: if no run can begin so.

    Example:
        >>> import bnext_keras
        >>> recipe = bnext_keras.recipes.read("digits")[1]
        >>> bnext_keras.training.estimate(recipe).steps  # doctest: +SKIP
        89
    """
    if strategy == "multi_worker":
        raise RunError("an estimate is made by one process", remedy="estimate on one machine, and divide")
    recipe.check()
    recipe.compute.check_strategy(strategy)
    source = data or recipe.data.source
    if not source:
        raise RunError("the recipe has no data of its own: say where they are with --data")
    fit = Fitting.of(recipe, source, strategy or "none", BrokenImages(), processes)
    evaluation_steps = -(-len(fit.validation) // recipe.data.batch_size)
    # Of fewer batches all: Keras warns of data that end before it has what it was told to expect.
    probe = replace(
        fit, console=None, validation_steps=_VALIDATION_STEPS if evaluation_steps > _VALIDATION_STEPS else None
    )
    paces, files = [], []

    def measured(model, callbacks):
        clock = _Clock(seconds)
        probe(model, 1, [*callbacks, clock])
        files.append(len(hdf5(model)))
        paces.append(clock.pace())

    with fit.devices.scope():
        student = build_student(recipe, fit.training.class_names)
        teachers = published_teachers(recipe, None if teacher_weights is None else Path(teacher_weights))
        own = own_teachers(recipe, None, fit=measured)
    callbacks = method(recipe, student, teachers | own)
    # It would warn of a network whose kernels are not binary at the end.
    measured(student, [each for each in callbacks if not isinstance(each, WeightTemperature)])
    *of_teachers, pace = paces
    *teacher_files, file = files
    time_of_teachers = sum(
        each.seconds(recipe.distillation.teacher_epochs, fit.steps, evaluation_steps) for each in of_teachers
    )
    return Estimate(
        images=(len(fit.training), len(fit.validation)),
        batch_size=recipe.data.batch_size,
        steps=fit.steps,
        epochs=recipe.schedule.epochs,
        pace=pace,
        teachers=tuple(own),
        teacher_epochs=recipe.distillation.teacher_epochs,
        seconds=time_of_teachers + pace.seconds(recipe.schedule.epochs, fit.steps, evaluation_steps),
        # A checkpoint has what such a file has, one is being written, and each may have a best model of its own.
        disk=sum(teacher_files) + (2 * (KEPT + 1) + 2) * file,
    )


class _Clock(tf.keras.callbacks.Callback):
    """Notes when steps end, and ends the epoch after some time."""

    def __init__(self, seconds):
        super().__init__()
        self._seconds = seconds
        self._ends, self._evaluation_ends = [], []

    def on_train_begin(self, logs=None):
        self._ends.append(time.perf_counter())

    def on_train_batch_end(self, batch, logs=None):
        self._ends.append(time.perf_counter())
        if len(self._ends) > _COLD_STEPS + 2 and self._ends[-1] - self._ends[1] > self._seconds:
            self.model.stop_training = True

    def on_test_batch_end(self, batch, logs=None):
        self._evaluation_ends.append(time.perf_counter())

    def pace(self):
        durations, evaluations = _differences(self._ends), _differences(self._evaluation_ends)
        steady = durations[_COLD_STEPS:] or durations
        step = statistics.median(steady)
        # Of a single batch of validation images there is but the first.
        return Pace(durations[0], step, min(evaluations, default=step))


def _differences(moments):
    return [after - before for before, after in itertools.pairwise(moments)]


def _time(seconds):
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"
