"""``bnext-train`` in a process that sends itself SIGKILL at a chosen moment: ``killed_run.py MOMENT ARGUMENTS``."""

import os
import signal
import sys

from bnext_keras.cli.train import main
from bnext_keras.training import checkpoint
from bnext_keras.training.checkpoint import Checkpoints
from bnext_keras.training.history import History

MOMENTS = ("within epoch 2", "before checkpoint 2 counts", "after checkpoint 2")


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


class WithinEpoch2(Checkpoints):
    def on_train_batch_end(self, batch, logs=None):
        if len(self.history.rows) == 1 and batch == 2:
            kill()


def write_index(folder, epochs, original=checkpoint.write_index):
    """All files of a checkpoint are there, but the one that says which is the newest is still the old one."""
    if epochs[-1] == 2:
        kill()
    original(folder, epochs)


def write_history(history, folder, original=History.write):
    if len(history.rows) == 2:
        kill()
    original(history, folder)


moment = MOMENTS[int(sys.argv[1])]
if moment == "within epoch 2":
    Checkpoints.on_train_batch_end = WithinEpoch2.on_train_batch_end
elif moment == "before checkpoint 2 counts":
    checkpoint.write_index = write_index
else:
    History.write = write_history
sys.exit(main(sys.argv[2:]))
