"""A run's folder, as far as it can be understood without TensorFlow: its record and its checkpoints.

`bnext-train --resume` reads here what a run was begun with, and refuses what cannot go on before TensorFlow starts.
"""

from bnext_keras.runs.index import finished_epochs, read_index, write_index
from bnext_keras.runs.record import Record, check_continues, check_same_examples, read_record

__all__ = [
    "Record",
    "check_continues",
    "check_same_examples",
    "finished_epochs",
    "read_index",
    "read_record",
    "write_index",
]
