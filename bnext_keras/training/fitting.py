"""The one place where a run trains anything: its network, and before that the teachers of its own."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bnext_keras.callbacks import RaiseOnNaN
from bnext_keras.data import BrokenImages, Examples
from bnext_keras.errors import RunError
from bnext_keras.recipes import Recipe
from bnext_keras.training.console import Console
from bnext_keras.training.datasets import training_batches, validation_batches
from bnext_keras.training.strategy import (
    distribute,
    evaluation_steps,
    is_chief,
    is_distributed,
    synchronize_batch_norm,
)

import tensorflow as tf


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
    """

    recipe: Recipe
    devices: tf.distribute.Strategy
    training: Examples
    validation: Examples
    steps: int
    broken: BrokenImages
    processes: int = 0

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
        batch_size, validation_steps = self.recipe.data.batch_size, None
        if is_distributed(self.devices):
            synchronize_batch_norm(model)
            # Metrics are those of all workers already; Keras' default would add them up once more.
            model.distribute_reduction_method = "first"
            validation_steps = evaluation_steps(self.devices, batch_size, len(self.validation))

        def of_training(shard):
            return training_batches(self.training, self.recipe, first_epoch, epochs, shard, self.broken, self.processes)

        def of_validation(shard):
            return validation_batches(self.validation, self.recipe, shard, self.broken, self.processes)

        try:
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
                    *([Console(sys.stdout)] if is_chief(self.devices) else []),
                ],
                verbose=0,
            )
        except tf.errors.OpError as error:
            message = _data_error(error)
            if message is None:
                raise
            raise RunError(message) from error

    def _remedy(self):
        optimizer = self.recipe.optimizer
        clipping = f"a smaller clip_norm than {optimizer.clip_norm:g}" if optimizer.clip_norm else "with clip_norm=5"
        return (
            f"continue after the last good epoch with --resume and a smaller learning_rate than "
            f"{optimizer.learning_rate:g}, or {clipping}"
        )


def _data_error(error):
    """What the input pipeline says within TensorFlow's report of it, which is pages long; None for other errors."""
    found = re.search(r"\b(?:LabelError|RuntimeError): (.+)", error.message)
    return found and found[1]


def _check_validated(epoch, logs):
    # Keras makes no metrics of no images.
    if "val_loss" not in logs:
        raise RunError("none of the validation images can be read")
