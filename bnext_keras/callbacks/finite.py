"""The end of a training that diverges."""

import math

from bnext_keras.errors import RunError

import tensorflow as tf


class RaiseOnNaN(tf.keras.callbacks.TerminateOnNaN):
    """Ends ``fit`` with an error when the loss or a weight is no finite number any more, NaN or infinite.

    The loss is looked at after every step, the weights at the end of every epoch, because what the last step spoils
    does not show in the loss. Put it before the callbacks that save something: nothing of that epoch is then written,
    and what they saved before stays. Keras' own `TerminateOnNaN` ends ``fit`` as if all were well, so that those
    callbacks have their turn with the spoilt model.

    Args:
        remedy: What the message recommends.

    Raises:
        RunError: from ``fit``; it names the epoch and the step, and what may help.

    Example:
        >>> import bnext_keras, numpy as np, tensorflow as tf
        >>> model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))], name="student")
        >>> model.compile("sgd", "mse")
        >>> raise_on_nan = bnext_keras.callbacks.RaiseOnNaN()
        >>> model.fit(np.ones((4, 2)), np.full(4, np.nan), callbacks=[raise_on_nan], verbose=0)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        bnext_keras.errors.RunError: student, epoch 1, step 1: the loss is nan; lower the learning rate, or clip grad...
    """

    def __init__(self, remedy: str = "lower the learning rate, or clip gradients"):
        super().__init__()
        self.remedy = remedy

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise self._error(f", step {batch + 1}", f"the loss is {loss}")

    def on_epoch_end(self, epoch, logs=None):
        for weight in self.model.weights:
            if weight.dtype.is_floating and not bool(tf.reduce_all(tf.math.is_finite(weight))):
                raise self._error("", f"{weight.name} has values that are not finite")

    def _error(self, step, what):
        return RunError(what, where=f"{self.model.name}, epoch {self._epoch + 1}{step}", remedy=self.remedy)
