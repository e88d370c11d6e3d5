"""Annealing of the kernels' temperature."""

from bnext_keras.errors import RunError
from bnext_keras.logs import get_logger
from bnext_keras.quantizers import temperatures
from bnext_keras.schedules import PUBLISHED_DECAY, PUBLISHED_FRACTION, annealing, soft_end, weight_temperature

import tensorflow as tf

log = get_logger(__name__)


class WeightTemperature(tf.keras.callbacks.Callback):
    """Hardens the kernels of a network from float to binary while it trains.

    In epoch e, counted from 0, every `bnext_keras.quantizers.AnnealedSign` of the model computes clip(W / T, -1, 1)
    with T = ``initial * decay**e``, and exactly sign(W) once T is below 1e-7. The temperature depends on nothing but
    the epoch, so ``fit(initial_epoch=...)`` continues a run where it stopped. ``logs`` carry it as
    ``weight_temperature``. Kernels of frozen layers (``trainable = False``) stay what they are.

    Evaluation always uses sign(W): a network that ends soft is evaluated with other kernels than it was trained with,
    and `bnext-convert` refuses it. So ``fit`` is refused before its first step if the temperature is not 0 in its last
    epoch. Where it is meant, say so with ``may_end_soft``: the callback then warns at the end only. For the same reason
    the validation loss of the first, soft epochs may be enormous; it comes down once the kernels are binary.

    Args:
        initial: Temperature of the first epoch.
        decay: Factor per epoch. The default reaches 1e-7 in epoch 153; for shorter runs see `for_epochs`.
        may_end_soft: Whether ``fit`` may end before the kernels are binary, because a later ``fit(initial_epoch=...)``
            goes on where it ends, say.

    Raises:
        ValueError: if ``decay`` is not between 0 and 1, or ``initial`` is not positive.
        RunError: from ``fit``, if the kernels would not be binary at its end.

    Example:
        >>> import bnext_keras
        >>> callback = bnext_keras.callbacks.WeightTemperature()
        >>> callback.temperature(0), round(callback.temperature(100), 7), callback.temperature(153)
        (1.0, 2.66e-05, 0.0)

    Reference:
        arXiv 2211.12933, section "Optimization", and its released training code.
    """

    def __init__(self, initial: float = 1.0, decay: float = PUBLISHED_DECAY, *, may_end_soft: bool = False):
        super().__init__()
        if not 0 < decay < 1:
            raise ValueError(f"decay must be between 0 and 1, got {decay}")
        if initial <= 0:
            raise ValueError(f"initial must be positive, got {initial}")
        self.initial = initial
        self.decay = decay
        self.may_end_soft = may_end_soft

    @classmethod
    def for_epochs(cls, epochs: int, fraction: float = PUBLISHED_FRACTION) -> "WeightTemperature":
        """The schedule of a run of any length that is annealed after the same share of its epochs as the published one.

        Args:
            epochs: Length of the whole run. One of 512 epochs gets the published schedule.
            fraction: Share of the epochs with soft kernels. The last epoch always has binary ones.

        Raises:
            ValueError: if there is no epoch.

        Example:
            >>> import bnext_keras
            >>> callback = bnext_keras.callbacks.WeightTemperature.for_epochs(20)
            >>> [float(f"{callback.temperature(epoch):.1e}") for epoch in (0, 1, 5, 6)]
            [1.0, 0.068, 1.5e-06, 0.0]
        """
        return cls(*annealing(epochs, fraction))

    def temperature(self, epoch: int) -> float:
        """The temperature of an epoch; 0 once the kernels are binary."""
        return weight_temperature(epoch, self.initial, self.decay)

    def on_train_begin(self, logs=None):
        if not temperatures(self.model):
            log.warning("%s has no kernel with a temperature: WeightTemperature does nothing", self.model.name)
            return
        epochs = self.params["epochs"]
        fault = soft_end(epochs, self.initial, self.decay)
        if fault and not self.may_end_soft:
            raise RunError(
                fault,
                where=f"WeightTemperature of {self.model.name}",
                remedy=f"use WeightTemperature.for_epochs({epochs}); or, if this is not the end of the run, "
                "may_end_soft=True",
            )

    def on_epoch_begin(self, epoch, logs=None):
        for variable in temperatures(self.model, frozen=False).values():
            variable.assign(self.temperature(epoch))

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["weight_temperature"] = self.temperature(epoch)
        self._last_epoch = epoch

    def on_train_end(self, logs=None):
        last = self.temperature(getattr(self, "_last_epoch", 0))
        if last > 0 and temperatures(self.model):
            log.warning(
                "The weight temperature of %s is still %.2g: its kernels are not binary yet, but evaluation uses their "
                "signs. Train on, or harden them as they are: bnext_keras.quantizers.harden(model)",
                self.model.name,
                last,
            )
