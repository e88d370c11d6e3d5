"""Checkpoints from which a run continues exactly where it was killed."""

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bnext_keras.errors import RunError
from bnext_keras.files import flush, write_atomically
from bnext_keras.logs import get_logger
from bnext_keras.runs import read_index, write_index
from bnext_keras.runs.index import FOLDER
from bnext_keras.saving import hdf5
from bnext_keras.text import first_line
from bnext_keras.training.history import History

import tensorflow as tf

log = get_logger(__name__)

#: Number of checkpoints that a run keeps.
KEPT = 2
#: The best model, and behind an epoch's name the best one before that epoch.
BEST, _PREVIOUS = "best.h5", ".previous-best.h5"


class Checkpoints(tf.keras.callbacks.Callback):
    """Saves a run at the end of every epoch, and the best model beside it.

    A checkpoint holds the network's weights, the optimizer's state and the history, which counts the epochs: all that
    is not a function of the epoch and the recipe. It becomes the newest one by a single renaming, after all its files
    are complete and on the disk; the one before is kept until then. So a process may be killed at any moment, and a
    power cut or a full disk costs no more than an epoch. ``best.h5`` is always that of an epoch that counts.

    Put it behind all callbacks that write to ``logs``.

    Args:
        folder: The run's folder. Gets ``checkpoints/``, ``best.h5`` and what `History.write` writes.
        model: A compiled model.
        is_chief: Whether this process writes the files.
        keep: Number of checkpoints that are kept.
        as_evaluated: A context in which the model has the weights that validation saw, if those are others than it
            trains with: what ``best.h5`` has.

    Attributes:
        history: What became of every epoch.

    Raises:
        RunError: at the end of an epoch, if something cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        model: tf.keras.Model,
        *,
        is_chief: bool = True,
        keep: int = KEPT,
        as_evaluated: Callable[[], AbstractContextManager[None]] = nullcontext,
    ):
        super().__init__()
        self.folder = folder
        self.is_chief = is_chief
        self.history = History()
        self._model = model  # Keras sets `model` when `fit` begins
        # Otherwise the optimizer's variables would only be restored when its first step makes them.
        model.optimizer.build(model.trainable_variables)
        self._checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer, history=self.history)
        # Saving is something that all workers do together; what the others save goes with them.
        self._nowhere = None if is_chief else tempfile.TemporaryDirectory()
        self._directory = folder / FOLDER if is_chief else Path(self._nowhere.name)
        self._keep = keep
        self._as_evaluated = as_evaluated
        self._epochs = []

    def restore(self) -> int:
        """Brings everything back to the end of the last complete epoch; returns how many there were.

        Of a run whose newest checkpoint is damaged, or whose index is, the newest sound one is taken, and a warning
        tells so.

        Raises:
            RunError: if there are checkpoints, or signs that there were some, but none that can be read; or if the
                newest one belongs to another model.
        """
        index = read_index(self.folder)
        faults = [index.fault] if index.fault else []
        for i, epoch in enumerate(index.epochs):
            fault = self._restore(epoch)
            if not fault:
                self._epochs = sorted(index.epochs[i:])
                self._settle(epoch, faults)
                return epoch
            faults.append(fault)
        if not faults:
            return 0
        if not index.is_new:
            raise RunError(
                "; ".join(faults),
                where=str(self.folder),
                remedy="none of its checkpoints can be continued from: begin again in another folder",
            )
        log.warning("%s: %s; no epoch had been finished, the run begins anew", self.folder, "; ".join(faults))
        return 0

    def on_epoch_end(self, epoch, logs=None):
        self.history.add(epoch, logs or {})
        best = self._best()
        if not self.is_chief:
            self._save(epoch + 1)
            return
        self._write("the checkpoint", lambda: self._save(epoch + 1))
        # Not before the epoch counts: continued with another learning rate, the run may never be as good again.
        self._write_best(epoch + 1, best)
        self._write("the history", lambda: self.history.write(self.folder))

    def _restore(self, epoch):
        """Restores one checkpoint; returns what is wrong with it, "" if nothing is.

        Raises:
            RunError: if it is sound, but that of another model.
        """
        prefix = str(self.folder / FOLDER / f"ckpt-{epoch}")
        try:
            # All of it is read before any of it is used: what is damaged must not end up in the model.
            reader = tf.train.load_checkpoint(prefix)
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
        # TensorFlow's reader raises whatever comes to it: errors of its own, IndexError, ValueError, ...
        except Exception as error:
            return f"{prefix} cannot be read ({first_line(error)})"
        status = None
        try:
            status = self._checkpoint.read(prefix)
            status.assert_existing_objects_matched()
        except (tf.errors.OpError, AssertionError, ValueError) as error:
            if status is not None:
                # Otherwise TensorFlow lists what it could not place when the process ends.
                status.expect_partial()
            raise RunError(f"{prefix}: cannot be restored ({first_line(error)})") from error
        return ""

    def _settle(self, epoch, faults):
        """Makes the files those of the epoch that has been restored."""
        if faults:
            log.warning("%s: %s; the run continues after epoch %d", self.folder, "; ".join(faults), epoch)
        best = self._best()
        if not self.is_chief:
            return
        if faults:
            self._write("the checkpoint", lambda: write_index(self.folder, self._epochs))
        self._bring_back_best(epoch)
        # The run may have ended between the two.
        self._write_best(epoch, best)
        self._write("the history", lambda: self.history.write(self.folder))

    def _save(self, epoch):
        self._directory.mkdir(parents=True, exist_ok=True)
        self._checkpoint.write(str(self._directory / f"ckpt-{epoch}"))
        kept = [*self._epochs, epoch][-self._keep :]
        if self.is_chief:
            for path in self._directory.glob(f"ckpt-{epoch}.*"):
                flush(path)
            write_index(self.folder, kept)
        self._epochs = kept
        self._remove_leftovers()

    def _best(self):
        """The model's file, if its last epoch is the best so far."""
        if not self.history.is_best():
            return None
        with self._as_evaluated():
            return hdf5(self._model)

    def _write_best(self, epoch, content):
        if content is None:
            return

        def write():
            best, previous = self.folder / BEST, self._previous_best(epoch)
            if best.exists() and best.read_bytes() == content:
                return  # A run that continues after this epoch: what is there is its own.
            # Should this epoch's checkpoint be damaged, the run goes on from the one before, with its best model.
            if best.exists() and not previous.exists():
                _link(best, previous)
            write_atomically(best, content)

        self._write(BEST, write)

    def _bring_back_best(self, epoch):
        """Undoes what epochs that do not count any more, being damaged, have made of the best model."""
        paths = self._directory.glob(f"ckpt-*{_PREVIOUS}")
        later = {int(path.name.removeprefix("ckpt-").removesuffix(_PREVIOUS)): path for path in paths}
        abandoned = [number for number in later if number > epoch]
        if abandoned:
            self._write(BEST, lambda: later[min(abandoned)].replace(self.folder / BEST))
        for number in abandoned:
            later[number].unlink(missing_ok=True)

    def _previous_best(self, epoch):
        return self._directory / f"ckpt-{epoch}{_PREVIOUS}"

    def _write(self, what, write):
        try:
            write()
        except tf.errors.UnavailableError:
            raise  # another worker's end, not the disk's
        except (OSError, tf.errors.OpError) as error:
            self._remove_leftovers()
            kept = f"the last good checkpoint is {self._directory / f'ckpt-{self._epochs[-1]}'}" if self._epochs else ""
            rest = kept or "no checkpoint has been written yet"
            raise RunError(
                f"{self.folder}: {what} cannot be written ({first_line(error)}); {rest}: "
                "make room, then continue with --resume"
            ) from error

    def _remove_leftovers(self):
        """Deletes what does not count: older checkpoints, and what a failed save left behind, so that there is room."""
        kept = tuple(f"ckpt-{epoch}." for epoch in self._epochs)
        for path in self._directory.glob("ckpt-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif not path.name.startswith(kept or "/"):
                path.unlink(missing_ok=True)


def _link(source, target):
    """A second name for a file, for when the first one gets another content; a copy where there are no links."""
    try:
        os.link(source, target)
    except OSError:
        write_atomically(target, source.read_bytes())
