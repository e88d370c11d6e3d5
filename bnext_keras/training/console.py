"""What a run tells of every epoch: one line, short enough for a terminal."""

import time
from typing import TextIO

from bnext_keras.console import LiveLine

import tensorflow as tf

#: What is shown, and how; a run logs much more, which history.csv has.
_SHOWN = {
    "accuracy": "accuracy {:.2%}",
    "val_accuracy": "validation {:.2%}",
    "loss": "loss {:.4g}",
    "val_loss": "validation {:.4g}",
    "learning_rate": "learning rate {:.2e}",
    "weight_temperature": "temperature {:.1e}",
}


class Console(tf.keras.callbacks.Callback):
    """Writes a line for every epoch; on a terminal and in a notebook it first counts the steps there.

    Put it behind the callbacks that write to ``logs``.

    Args:
        stream: Where to.

    Example:
        >>> import sys
        >>> console = Console(sys.stdout)
        >>> console.set_params({"epochs": 12, "steps": 90})
        >>> console.on_epoch_begin(3)
        >>> console.on_epoch_end(3, {"loss": 0.25, "accuracy": 0.875, "weight_temperature": 0.0})  # doctest: +ELLIPSIS
        Epoch 4/12: accuracy 87.50%, loss 0.25, kernels binary, ... s
    """

    def __init__(self, stream: TextIO):
        super().__init__()
        self._stream = stream
        self._live = LiveLine(stream)
        self._shown_at = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._since = epoch, time.monotonic()
        self._progress("the first step builds the graph of the network" if not self._shown_at else "")

    def on_train_batch_end(self, batch, logs=None):
        if self._live.is_live and time.monotonic() - self._shown_at > 0.5:
            self._progress(f"step {batch + 1} of {self.params['steps']}")

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        parts = [text.format(logs[name]) for name, text in _SHOWN.items() if name in logs]
        if logs.get("weight_temperature") == 0:
            parts[-1] = "kernels binary"
        seconds = time.monotonic() - self._since
        self._live.clear()
        self._stream.write(f"{self._title()}: {', '.join(parts)}, {seconds:.0f} s\n")
        self._stream.flush()

    def _progress(self, text):
        if self._live.is_live:
            self._shown_at = time.monotonic()
            self._live(f"{self._title()}: {text}")

    def _title(self):
        return f"Epoch {self._epoch + 1}/{self.params['epochs']}"
