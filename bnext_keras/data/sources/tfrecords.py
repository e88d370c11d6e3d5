"""Files of encoded images one after the other, of which each can be read by its number."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bnext_keras.data.examples import in_words
from bnext_keras.data.randomness import generator
from bnext_keras.data.records import Record, index
from bnext_keras.data.tf_example import Layout
from bnext_keras.logs import get_logger

import numpy as np
import tensorflow as tf

#: So many files are gone through in turn.
_FILES_AT_ONCE = 16

_log = get_logger("bnext_keras.data")


class TFRecordExamples:
    """See `from_tfrecords`."""

    def __init__(
        self,
        files: Sequence[str],
        starts: Sequence[np.ndarray],
        layout: Layout,
        *,
        class_names: tuple[str, ...] | None = None,
        shuffle_buffer: int,
    ):
        self.num_classes = layout.num_classes
        self.class_names = class_names
        self._files = list(files)
        self._starts = list(starts)
        self._layout = layout
        self._shuffle_buffer = shuffle_buffer
        #: The number of each file's first record, and that of all records.
        self._firsts = np.cumsum([0, *(len(each) - 1 for each in starts)], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def __repr__(self) -> str:
        return in_words(self)

    def fingerprint(self) -> str:
        """Of the files' names, sizes and numbers of records."""
        lines = [
            f"{Path(file).name}\0{starts[-1]}\0{len(starts) - 1}\n"
            for file, starts in zip(self._files, self._starts, strict=True)
        ]
        return hashlib.sha256("".join([f"{self._layout.label_offset}\n", *lines]).encode()).hexdigest()

    def keys(self, epoch: int | tf.Tensor | None = None, seed: int = 0) -> tf.data.Dataset:
        """Numbers of records, int64.

        Shuffled are the order of the files, which are gone through in turn, and then, within ``shuffle_buffer``, the
        records: what is read at about the same time lies near each other, as disks and networks have it faster.
        """
        if epoch is None:
            return tf.data.Dataset.range(len(self))
        permutation = lambda epoch: generator(seed, epoch).permutation(len(self._files))  # noqa: E731
        order = tf.numpy_function(permutation, [epoch], tf.int64, stateful=False)
        files = tf.data.Dataset.from_tensor_slices(tf.ensure_shape(order, [len(self._files)]))
        firsts = tf.constant(self._firsts)
        numbers = files.interleave(
            lambda file: tf.data.Dataset.range(tf.gather(firsts, file), tf.gather(firsts, file + 1)),
            cycle_length=_FILES_AT_ONCE,
        )
        return _shuffled(numbers, self._shuffle_buffer, epoch, seed)

    def name(self, number) -> str:
        return str(self.locate(number))

    def read(self, number) -> tuple[bytes, int]:
        return self.locate(number).read()

    def locate(self, number) -> Record:
        file = int(np.searchsorted(self._firsts, number, "right")) - 1
        within = int(number - self._firsts[file])
        start, end = self._starts[file][within : within + 2].tolist()
        return Record(self._files[file], within, start, end, self._layout)


def from_tfrecords(
    files: str | Path | Sequence[str | Path],
    *,
    num_classes: int,
    label_offset: int = 0,
    class_names: Sequence[str] | None = None,
    image_key: str = "image/encoded",
    label_key: str = "image/class/label",
    shuffle_buffer: int = 10_000,
) -> TFRecordExamples:
    """Examples out of TFRecord files of ``tf.train.Example`` with an encoded image and a label.

    The files are indexed when they are opened, by going from length to length. After that each record is read where it
    lies: workers read their own share of every file, and processes that prepare images read for themselves. A record
    that is corrupt is a broken image; those behind it are read all the same.

    Args:
        files: Local files, a pattern such as ``"imagenet/train-*"``, or a folder, of which all files are taken.
        num_classes: How many classes there are.
        label_offset: The number of the first class in the files: 1 in the usual ImageNet ones, whose 0 is "background".
        class_names: In the order of the labels.
        image_key: Feature of the encoded image.
        label_key: Feature of the label.
        shuffle_buffer: Out of how many records the next one is drawn, at 8 bytes each.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: if a file is no TFRecord file, compressed, or has been cut short, or a feature is missing.
        LabelError: if the first record's label is not one of the classes.

    Example:
        >>> import tempfile
        >>> features = {
        ...     "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"..."])),
        ...     "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[3])),
        ... }
        >>> record = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with tf.io.TFRecordWriter(f"{folder}/train-0") as file:
        ...         file.write(record)
        ...     examples = from_tfrecords(f"{folder}/train-*", num_classes=1000, label_offset=1)
        ...     len(examples), [examples.read(number)[1] for number in examples.keys().as_numpy_iterator()]
        (1, [2])
    """
    files = _find(files)
    starts = index(files)
    empty = [file for file, each in zip(files, starts, strict=True) if len(each) == 1]
    for file in empty:
        _log.warning("%s: has no records", file)
    if len(empty) == len(files):
        raise ValueError(f"{files[0]}: no records in {len(files)} files")
    if class_names is not None and len(class_names) != num_classes:
        raise ValueError(f"class_names must be {num_classes}, one for each class, got {len(class_names)}")
    examples = TFRecordExamples(
        files,
        starts,
        Layout(image_key, label_key, label_offset, num_classes),
        class_names=None if class_names is None else tuple(class_names),
        shuffle_buffer=shuffle_buffer,
    )
    first = examples.locate(0)
    try:
        first.read()
    except ValueError as error:
        raise type(error)(f"{first}: {error}") from error
    return examples


def _find(files):
    if isinstance(files, (str, Path)):
        path = Path(files)
        if path.is_dir():
            found = [file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
        elif path.is_file():
            found = [path]
        else:
            found = [file for file in Path(path.anchor).glob(str(path.relative_to(path.anchor))) if file.is_file()]
    else:
        found = [Path(file) for file in files]
    missing = [file for file in found if not file.is_file()]
    if missing or not found:
        raise FileNotFoundError(f"{missing[0] if missing else files}: no such file")
    return sorted(str(file) for file in found)


def _shuffled(keys, buffer, epoch, seed):
    def shuffle(shuffle_seed):
        # For the graph of this function alone: the order would depend on the global seed of the program, too.
        tf.random.set_seed(1)
        return keys.shuffle(buffer, seed=shuffle_seed, reshuffle_each_iteration=False)

    draw = lambda epoch: generator(seed, epoch).integers(2**31, dtype=np.int64)  # noqa: E731
    shuffle_seed = tf.ensure_shape(tf.numpy_function(draw, [epoch], tf.int64, stateful=False), [])
    return tf.data.Dataset.from_tensors(shuffle_seed).flat_map(shuffle)
