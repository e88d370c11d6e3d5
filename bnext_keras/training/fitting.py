"""The one place where a run trains anything: its network, and before that the teachers of its own."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from bnext_keras.callbacks import RaiseOnNaN
from bnext_keras.data import BrokenImages, Examples, steps_per_epoch
from bnext_keras.data.processes import default_processes
from bnext_keras.errors import RunError
from bnext_keras.recipes import Recipe
from bnext_keras.training.console import Console
from bnext_keras.training.datasets import normalization, open_data, training_batches, validation_batches
from bnext_keras.training.pixels import takes_pixels
from bnext_keras.training.strategy import (
    distribute,
    evaluation_steps,
    is_chief,
    is_distributed,
    make_repeatable,
    make_strategy,
    synchronize_batch_norm,
)

import tensorflow as tf

#: Batches that measure the statistics of averaged weights: thousands of images in the published runs.
_STATISTICS_STEPS = 16


@dataclass(frozen=True)
class Fitting:
    """Trains compiled models with the data of a recipe.

    Attributes:
        recipe: All settings.
        devices: A strategy of `bnext_keras.training.strategy.make_strategy`.
        training: The examples to train on.
        validation: The examples to evaluate with after every epoch.
        steps: Number of steps in an epoch.
        broken: Collects images that cannot be read.
        processes: How many processes prepare images; 0 for threads.
        validation_steps: Number of batches to evaluate with, None for all images.
        console: Where a line for every epoch goes, None for nowhere.
    """

    recipe: Recipe
    devices: tf.distribute.Strategy
    training: Examples
    validation: Examples
    steps: int
    broken: BrokenImages
    processes: int = 0
    validation_steps: int | None = None
    console: TextIO | None = None

    @classmethod
    def of(
        cls, recipe: Recipe, source: str, strategy: str, broken: BrokenImages, processes: int | None = None
    ) -> "Fitting":
        """Opens the data and makes the devices ready: comes before anything else of TensorFlow.

        Args:
            recipe: All settings.
            source: What to train on, see `bnext_keras.training.datasets.open_data`.
            strategy: One of `bnext_keras.training.strategy.STRATEGIES`.
            broken: Collects images that cannot be read.
            processes: How many processes prepare images, by default as many as suit the machine.

        Raises:
            RunError: if the data cannot be opened, or batches cannot be made of them, or shared by the devices.
        """
        if strategy == "none":
            make_repeatable()
        devices = make_strategy(strategy)
        training, validation = open_data(source, recipe)
        steps = _steps(training, validation, recipe, devices.num_replicas_in_sync)
        processes = default_processes() if processes is None else processes
        console = sys.stdout if is_chief(devices) else None
        return cls(recipe, devices, training, validation, steps, broken, processes, console=console)

    def __call__(
        self,
        model: tf.keras.Model,
        epochs: int,
        callbacks: Sequence[tf.keras.callbacks.Callback],
        first_epoch: int = 0,
    ) -> None:
        """Trains a model up to epoch ``epochs``, from ``first_epoch`` on.

        Raises:
            RunError: if the images cannot be used, the loss becomes NaN or infinite, or out of a callback.
        """
        batch_size, validation_steps = self.recipe.data.batch_size, self.validation_steps
        if is_distributed(self.devices):
            synchronize_batch_norm(model)
            # Metrics are those of all workers already; Keras' default would add them up once more.
            model.distribute_reduction_method = "first"
            validation_steps = validation_steps or evaluation_steps(self.devices, batch_size, len(self.validation))

        def of_training(shard):
            return training_batches(
                self.training, self.recipe, first_epoch, epochs, shard, self.broken, self.processes, normalized=False
            )

        def of_validation(shard):
            return validation_batches(
                self.validation, self.recipe, shard, self.broken, self.processes, normalized=False
            )

        try:
            with takes_pixels(model, normalization(self.recipe)):
                model.fit(
                    distribute(self.devices, batch_size, of_training),
                    steps_per_epoch=self.steps,
                    epochs=epochs,
                    initial_epoch=first_epoch,
                    validation_data=distribute(self.devices, batch_size, of_validation, len(self.validation)),
                    validation_steps=validation_steps,
                    callbacks=[
                        # First of all: what has gone wrong must not be saved.
                        RaiseOnNaN(self._remedy()),
                        tf.keras.callbacks.LambdaCallback(on_epoch_end=_check_validated),
                        *callbacks,
                        *([Console(self.console)] if self.console else []),
                    ],
                    verbose=0,
                )
        except tf.errors.OpError as error:
            message = _data_error(error)
            if message is None:
                raise
            raise RunError(message) from error

    def first_batches(self) -> tf.data.Dataset:
        """The first batches of training, always the same ones: to measure statistics on."""
        batches = training_batches(self.training, self.recipe, broken=self.broken)
        return batches.take(min(self.steps, _STATISTICS_STEPS))

    def _remedy(self):
        optimizer = self.recipe.optimizer
        precision = ", or precision=mixed_bfloat16" if self.recipe.compute.precision == "mixed_float16" else ""
        clipping = f"a smaller clip_norm than {optimizer.clip_norm:g}" if optimizer.clip_norm else "with clip_norm=5"
        return (
            f"continue after the last good epoch with --resume and a smaller learning_rate than "
            f"{optimizer.learning_rate:g}, or {clipping}{precision}"
        )


def _steps(training, validation, recipe, count):
    if recipe.data.batch_size % count:
        raise RunError(f"batch_size={recipe.data.batch_size} cannot be divided among {count} devices")
    if len(validation) < count:
        raise RunError(f"{len(validation)} validation images are too few for {count} devices")
    try:
        return steps_per_epoch(training, recipe.data.batch_size)
    except ValueError as error:
        raise RunError(str(error)) from error


def _data_error(error):
    """What the input pipeline says within TensorFlow's report of it, which is pages long; None for other errors."""
    found = re.search(r"\b(?:LabelError|RuntimeError): (.+)", error.message)
    return found and found[1]


def _check_validated(epoch, logs):
    # Keras makes no metrics of no images.
    if "val_loss" not in logs:
        raise RunError("none of the validation images can be read")
