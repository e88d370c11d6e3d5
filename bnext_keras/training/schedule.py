"""The learning rate over a run."""

from collections.abc import Callable
from functools import partial

from bnext_keras.schedules import warmup_cosine

import tensorflow as tf


class LearningRate(tf.keras.callbacks.Callback):
    """Sets the learning rate of every epoch.

    It depends on nothing but the epoch: ``fit(initial_epoch=...)`` continues a run where it stopped. ``logs`` carry it
    as ``learning_rate``.

    Args:
        rate: The learning rate of an epoch, counted from 0.

    Example:
        >>> import bnext_keras
        >>> schedule = bnext_keras.recipes.Schedule(epochs=4, warmup_epochs=0, final_learning_rate=0.0, decay="linear")
        >>> callback = bnext_keras.training.LearningRate(lambda epoch: schedule.learning_rate(epoch, 1.0))
        >>> [callback.learning_rate(epoch) for epoch in range(4)]
        [1.0, 0.75, 0.5, 0.25]
    """

    def __init__(self, rate: Callable[[int], float]):
        super().__init__()
        self._rate = rate

    def learning_rate(self, epoch: int) -> float:
        """The learning rate of an epoch."""
        return self._rate(epoch)

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate.assign(self.learning_rate(epoch))

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["learning_rate"] = self.learning_rate(epoch)


class WarmupCosine(LearningRate):
    """Sets the learning rate of every epoch: a linear warm-up, then a cosine.

    In epoch e, counted from 0, with w warm-up epochs in a run of n, the rate is

    - ``warmup + e * (peak - warmup) / w`` for e < w,
    - ``final + (peak - final) * (1 + cos(pi * (e - w) / n)) / 2`` from then on.

    The cosine is as long as the whole run, as in the released code, so that the run ends w epochs before the cosine
    does. The rate depends on nothing but the epoch: ``fit(initial_epoch=...)`` continues a run where it stopped.
    ``logs`` carry it as ``learning_rate``.

    Args:
        epochs: Length of the whole run.
        peak: Rate after the warm-up.
        warmup: Rate of the first epoch.
        final: Rate that the cosine tends to.
        warmup_epochs: Length of the warm-up; 0 for none.

    Raises:
        ValueError: if the warm-up is not shorter than the run.

    Example:
        >>> import bnext_keras
        >>> schedule = bnext_keras.training.WarmupCosine(512)
        >>> [f"{schedule.learning_rate(epoch):.3e}" for epoch in (0, 4, 5, 256, 511)]
        ['1.000e-05', '8.020e-04', '1.000e-03', '5.154e-04', '4.388e-07']

    Reference:
        The training code of arXiv 2211.12933, which calls timm's ``CosineLRScheduler`` with ``warmup_prefix=True``.
    """

    def __init__(
        self, epochs: int, peak: float = 1e-3, warmup: float = 1e-5, final: float = 1e-7, warmup_epochs: int = 5
    ):
        if not 0 <= warmup_epochs < epochs:
            raise ValueError(f"a run of {epochs} epochs cannot have {warmup_epochs} warm-up epochs")
        rates = {"peak": peak, "warmup": warmup, "final": final, "warmup_epochs": warmup_epochs}
        super().__init__(partial(warmup_cosine, epochs=epochs, **rates))
        self.epochs = epochs
        self.peak = peak
        self.warmup = warmup
        self.final = final
        self.warmup_epochs = warmup_epochs
