"""What became of every epoch: the numbers, as files and as a figure."""

import csv
import io
import json
import math
from pathlib import Path

from bnext_keras.files import write_atomically
from bnext_keras.text import counted

import tensorflow as tf


class History(tf.train.experimental.PythonState):
    """The metrics of all finished epochs, kept in a run's checkpoints.

    The files are always written anew from here, so that an epoch that is trained again after a crash never appears
    twice.

    Attributes:
        rows: One dictionary for each epoch: ``epoch``, counted from 0 as Keras does, and what Keras logged. The files
            count from 1, as everything does that a run shows.

    Example:
        >>> from bnext_keras.training.history import History
        >>> history = History()
        >>> history.add(0, {"loss": 2.5, "val_accuracy": 0.25})
        >>> history.add(1, {"loss": 1.5, "val_accuracy": 0.5})
        >>> history.is_best()
        True
        >>> print(history.as_csv().decode(), end="")
        epoch,loss,val_accuracy
        1,2.5,0.25
        2,1.5,0.5
    """

    def __init__(self):
        self.rows = []

    def __repr__(self) -> str:
        best = self.best() or {}
        accuracy = f", best validation accuracy {best['val_accuracy']:.2%}" if best.get("val_accuracy") else ""
        return f"<History: {counted(len(self.rows), 'epoch')}{accuracy}>"

    def add(self, epoch: int, logs: dict) -> None:
        """Appends an epoch. What is not a number, such as the loss of a teacher that is not active, becomes None."""
        values = {name: float(value) for name, value in logs.items()}
        self.rows.append(
            {"epoch": epoch, **{name: value if math.isfinite(value) else None for name, value in values.items()}}
        )

    def is_best(self) -> bool:
        """Whether the last epoch is the best so far; the first one is. See `best`."""
        return self.best() is self.rows[-1]

    def best(self) -> dict | None:
        """The epoch of highest accuracy on the validation images, the first of several.

        One whose kernels were still soft (``weight_temperature`` above 0) never beats one whose kernels were binary.
        """
        return max(self.rows, key=_merit, default=None)

    def as_csv(self) -> bytes:
        """A line for each epoch, below the names of the columns."""
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._numbered())
        return text.getvalue().encode()

    def write(self, folder: Path) -> None:
        """Writes ``history.csv``, ``history.json`` and ``curves.png``.

        Raises:
            OSError: if they cannot be written; what was there before is untouched.
        """
        from bnext_keras.analysis.figures import draw_curves

        write_atomically(folder / "history.csv", self.as_csv())
        write_atomically(folder / "history.json", (json.dumps(self._numbered(), indent=1) + "\n").encode())
        write_atomically(folder / "curves.png", draw_curves(self.rows))

    def _numbered(self):
        return [{**row, "epoch": row["epoch"] + 1} for row in self.rows]

    def serialize(self) -> str:
        return json.dumps(self.rows)

    def deserialize(self, string_value: str) -> None:
        self.rows = json.loads(string_value)


def _merit(row):
    return (not row.get("weight_temperature"), row.get("val_accuracy") or 0.0)
