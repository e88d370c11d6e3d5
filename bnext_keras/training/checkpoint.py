"""Checkpoints from which a run continues exactly where it was killed."""

import shutil
import tempfile
from pathlib import Path

from bnext_keras.errors import RunError
from bnext_keras.files import write_atomically
from bnext_keras.saving import hdf5
from bnext_keras.text import first_line
from bnext_keras.training.history import History

import tensorflow as tf


class Checkpoints(tf.keras.callbacks.Callback):
    """Saves a run at the end of every epoch, and the best model beside it.

    A checkpoint holds the network's weights, the optimizer's state and the history, which counts the epochs: all that
    is not a function of the epoch and the recipe. It becomes the newest one by a single renaming, after all its files
    are complete; the one before is kept until then. So a process may be killed at any moment, and a full disk costs no
    more than the epoch that did not fit.

    Put it behind all callbacks that write to ``logs``.

    Args:
        folder: The run's folder. Gets ``checkpoints/``, ``best.h5`` and what `History.write` writes.
        model: A compiled model.
        is_chief: Whether this process writes the files.
        keep: Number of checkpoints that are kept.

    Attributes:
        history: What became of every epoch.

    Raises:
        RunError: at the end of an epoch, if something cannot be written.
    """

    def __init__(self, folder: Path, model: tf.keras.Model, *, is_chief: bool = True, keep: int = 2):
        super().__init__()
        self.folder = folder
        self.is_chief = is_chief
        self.history = History()
        # Otherwise the optimizer's variables would only be restored when its first step makes them.
        model.optimizer.build(model.trainable_variables)
        self._checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer, history=self.history)
        self._directory = folder / "checkpoints"
        # Saving is something that all workers do together; what the others save goes with them.
        self._nowhere = None if is_chief else tempfile.TemporaryDirectory()
        directory = self._directory if is_chief else self._nowhere.name
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(directory), max_to_keep=keep)

    def restore(self) -> int:
        """Brings everything back to the end of the last complete epoch; returns how many there were.

        Raises:
            RunError: if the checkpoint does not belong to this model or cannot be read.
        """
        newest = tf.train.latest_checkpoint(self._directory)
        if newest is None:
            return 0
        try:
            self._checkpoint.restore(newest).assert_existing_objects_matched()
        except (tf.errors.OpError, AssertionError, ValueError) as error:
            raise RunError(f"{newest}: cannot be restored ({first_line(error)})") from error
        if self.is_chief:
            self._write("the history", lambda: self.history.write(self.folder))
        return len(self.history.rows)

    def on_epoch_end(self, epoch, logs=None):
        self.history.add(epoch, logs or {})
        best = hdf5(self.model) if self.history.is_best() else None
        if not self.is_chief:
            self._manager.save(checkpoint_number=epoch + 1)
            return
        if best is not None:
            self._write("best.h5", lambda: write_atomically(self.folder / "best.h5", best))
        self._write("the checkpoint", lambda: self._manager.save(checkpoint_number=epoch + 1))
        self._write("the history", lambda: self.history.write(self.folder))

    def _write(self, what, write):
        try:
            write()
        except (OSError, tf.errors.OpError) as error:
            self._remove_leftovers()
            kept = self._manager.latest_checkpoint
            rest = f"the last good checkpoint is {kept}" if kept else "no checkpoint has been written yet"
            raise RunError(
                f"{self.folder}: {what} cannot be written ({first_line(error)}); {rest}: "
                "make room, then continue with --resume"
            ) from error

    def _remove_leftovers(self):
        """Deletes what a failed save left behind, so that its room is free again."""
        complete = [f"{Path(path).name}." for path in self._manager.checkpoints]
        for path in self._directory.glob("ckpt-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif not path.name.startswith(tuple(complete)):
                path.unlink(missing_ok=True)
