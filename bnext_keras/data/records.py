"""Records of TFRecord files, each read where it lies.

A record is framed: ``length`` (8 bytes), its checksum (4), as many bytes of data, their checksum (4). So a file is
indexed by going from length to length, without reading what is between. Files of this machine are read without
TensorFlow, so that processes of their own may do so (`bnext_keras.data.processes`).
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bnext_keras.data.crc32c import masked_crc32c
from bnext_keras.data.tf_example import Layout

import numpy as np

_LENGTH_BYTES, _HEADER_BYTES, _CHECKSUM_BYTES = 8, 12, 4
_FRAME_BYTES = _HEADER_BYTES + _CHECKSUM_BYTES
#: So many files are indexed at the same time: on disks and networks that is waiting.
_FILES_AT_ONCE = 16


@dataclass(frozen=True)
class Record:
    """A record of a ``tf.train.Example``, see `bnext_keras.data.locations.Location`.

    Attributes:
        path: The file.
        number: Which of its records, counted from 0.
        start: Where it begins there, in bytes.
        end: Where the next one begins.
        layout: What its features are called.
    """

    path: str
    number: int
    start: int
    end: int
    layout: Layout

    def read(self) -> tuple[bytes, int]:
        """Encoded image and label.

        Raises:
            ValueError: if the record is corrupt, no ``tf.train.Example``, or lacks a feature.
            LabelError: if the label is not one of the classes.
        """
        with _open(self.path) as file:
            file.seek(self.start)
            frame = memoryview(file.read(self.end - self.start))
        if len(frame) != self.end - self.start:
            raise ValueError("the file has been cut short since it was opened")
        header, data, checksum = frame[:_HEADER_BYTES], frame[_HEADER_BYTES:-_CHECKSUM_BYTES], frame[-_CHECKSUM_BYTES:]
        if _length(header) != len(data) or not _is_sound(header[:_LENGTH_BYTES], header[_LENGTH_BYTES:]):
            raise ValueError("the record is corrupt: its length does not have the checksum that stands beside it")
        if not _is_sound(data, checksum):
            raise ValueError("the record is corrupt: its data do not have the checksum that stands beside them")
        return self.layout.parse(data)

    def __str__(self) -> str:
        return f"{self.path}, record {self.number}"


def index(files: Sequence[str]) -> list[np.ndarray]:
    """Where the records of each file begin, and the last one ends: int64 ``(records + 1,)``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a file is no TFRecord file, compressed, or has been cut short.

    Example:
        >>> import tempfile
        >>> import tensorflow as tf
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with tf.io.TFRecordWriter(f"{folder}/train-0") as file:
        ...         file.write(b"one")
        ...         file.write(b"another")
        ...     [starts.tolist() for starts in index([f"{folder}/train-0"])]
        [[0, 19, 42]]
    """
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        return list(pool.map(_index_file, files))


def _index_file(path):
    starts = [0]
    with _open(path) as file:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        while starts[-1] < size:
            file.seek(starts[-1])
            starts.append(starts[-1] + _FRAME_BYTES + _length(file.read(_LENGTH_BYTES)))
        if starts[-1] > size:
            raise ValueError(f"{path}: {_fault(file, starts[:-1])}")
    return np.array(starts, np.int64)


def _open(path):
    """A file of this machine, or of another place that TensorFlow knows how to read, as ``gs://`` is one."""
    if "://" not in path:
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such file on this machine")
        return open(path, "rb", buffering=0)
    import tensorflow as tf

    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(f"{path}: no such file")
    return tf.io.gfile.GFile(path, "rb")


def _fault(file, starts):
    """What is wrong with a file in which lengths do not lead from one to the next."""
    for number, start in enumerate(starts):
        file.seek(start)
        header = file.read(_HEADER_BYTES)
        if len(header) == _HEADER_BYTES and not _is_sound(header[:_LENGTH_BYTES], header[_LENGTH_BYTES:]):
            if not number and (name := _compression(header)):
                return (
                    f"is compressed with {name}, so that no record can be read without those before it; write it anew "
                    "without compression"
                )
            return f"is no TFRecord file, or corrupt in the length of record {number}"
    return f"is cut short in record {len(starts) - 1}"


def _compression(header):
    if header.startswith(b"\x1f\x8b"):
        return "GZIP"
    # Deflate is method 8; both bytes together are a multiple of 31.
    return "ZLIB" if header[0] & 15 == 8 and int.from_bytes(header[:2], "big") % 31 == 0 else ""


def _length(header):
    return int.from_bytes(header[:_LENGTH_BYTES], "little")


def _is_sound(data, checksum):
    return masked_crc32c(data) == int.from_bytes(checksum, "little")
