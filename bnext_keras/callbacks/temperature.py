"""Annealing of the kernels' temperature."""

import logging

from bnext_keras.quantizers import ANNEALED, temperatures

import tensorflow as tf

log = logging.getLogger(__name__)

#: The published run is annealed after 153 of its 512 epochs.
PUBLISHED_FRACTION = 153 / 512


class WeightTemperature(tf.keras.callbacks.Callback):
    """Hardens the kernels of a network from float to binary while it trains.

    In epoch e, counted from 0, every `bnext_keras.quantizers.AnnealedSign` of the model computes clip(W / T, -1, 1)
    with T = ``initial * decay**e``, and exactly sign(W) once T is below 1e-7. The temperature depends on nothing but
    the epoch, so ``fit(initial_epoch=...)`` continues a run where it stopped. ``logs`` carry it as
    ``weight_temperature``.

    Evaluation always uses sign(W). A run that ends earlier leaves a network that is evaluated with other kernels than
    it was trained with: the callback then warns, and `bnext-convert` refuses the model. For the same reason the
    validation loss of the first, soft epochs may be enormous; it comes down once the kernels are binary.

    Args:
        initial: Temperature of the first epoch.
        decay: Factor per epoch. The default reaches 1e-7 in epoch 153; for shorter runs see `for_epochs`.

    Raises:
        ValueError: if ``decay`` is not between 0 and 1, or ``initial`` is not positive.

    Example:
        >>> import bnext_keras
        >>> callback = bnext_keras.callbacks.WeightTemperature()
        >>> callback.temperature(0), round(callback.temperature(100), 7), callback.temperature(153)
        (1.0, 2.66e-05, 0.0)

    Reference:
        arXiv 2211.12933, section "Optimization", and its released training code.
    """

    def __init__(self, initial: float = 1.0, decay: float = 0.9):
        super().__init__()
        if not 0 < decay < 1:
            raise ValueError(f"decay must be between 0 and 1, got {decay}")
        if initial <= 0:
            raise ValueError(f"initial must be positive, got {initial}")
        self.initial = initial
        self.decay = decay

    @classmethod
    def for_epochs(cls, epochs: int, fraction: float = PUBLISHED_FRACTION) -> "WeightTemperature":
        """The schedule of a run of any length that is annealed after the same share of its epochs as the published one.

        Example:
            >>> import bnext_keras
            >>> callback = bnext_keras.callbacks.WeightTemperature.for_epochs(20)
            >>> [float(f"{callback.temperature(epoch):.1e}") for epoch in (0, 1, 5, 6)]
            [1.0, 0.068, 1.5e-06, 0.0]
        """
        # A hair below the threshold, so that rounding cannot cost an epoch.
        return cls(decay=(0.999 * ANNEALED) ** (1 / max(1, round(fraction * epochs))))

    def temperature(self, epoch: int) -> float:
        """The temperature of an epoch; 0 once the kernels are binary."""
        value = self.initial * self.decay**epoch
        return value if value >= ANNEALED else 0.0

    def on_train_begin(self, logs=None):
        if not temperatures(self.model):
            log.warning("%s has no kernel with a temperature: WeightTemperature does nothing", self.model.name)

    def on_epoch_begin(self, epoch, logs=None):
        for variable in temperatures(self.model).values():
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
                "signs. Train on, or anneal faster: WeightTemperature.for_epochs(%d)",
                self.model.name,
                last,
                self._last_epoch + 1,
            )
