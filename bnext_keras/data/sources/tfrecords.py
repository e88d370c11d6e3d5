"""Files of encoded images one after the other, which are fast to read from disks and networks."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bnext_keras.data.examples import in_words
from bnext_keras.data.randomness import generator
from bnext_keras.errors import LabelError
from bnext_keras.logs import get_logger

import numpy as np
import tensorflow as tf

#: Bytes around each record: its length and two checksums (the format of ``tf.io.TFRecordWriter``).
_LENGTH_BYTES, _FRAME_BYTES = 8, 16
#: So many files are read in turn.
_FILES_AT_ONCE = 16

_log = get_logger("bnext_keras.data")


class TFRecordExamples:
    """See `from_tfrecords`."""

    def __init__(
        self,
        files: Sequence[str],
        lengths: Sequence[int],
        *,
        num_classes: int,
        class_names: tuple[str, ...] | None = None,
        image_key: str,
        label_key: str,
        label_offset: int = 0,
        shuffle_buffer: int,
    ):
        self.num_classes = num_classes
        self.class_names = class_names
        self._files = list(files)
        self._lengths = np.asarray(lengths, np.int64)
        self._image_key = image_key
        self._label_key = label_key
        self._label_offset = label_offset
        self._shuffle_buffer = shuffle_buffer

    def __len__(self) -> int:
        return int(self._lengths.sum())

    def __repr__(self) -> str:
        return in_words(self)

    def fingerprint(self) -> str:
        """Of the files' names, sizes and numbers of records."""
        lines = [
            f"{Path(file).name}\0{tf.io.gfile.stat(file).length}\0{length}\n"
            for file, length in zip(self._files, self._lengths, strict=True)
        ]
        return hashlib.sha256("".join([f"{self._label_offset}\n", *lines]).encode()).hexdigest()

    def keys(self, epoch: int | tf.Tensor | None = None, seed: int = 0) -> tf.data.Dataset:
        """Triples of a record and its place, ``(record, file, number)``; files are read in turn.

        Shuffled are the order of the files and then, within ``shuffle_buffer``, the records.
        """
        return self._in_order(self._records, epoch, seed)

    def places(self, epoch: int | tf.Tensor | None = None, seed: int = 0) -> tf.data.Dataset:
        """The same without the records, ``(file, number)``."""
        return self._in_order(self._numbers, epoch, seed)

    def name(self, *key) -> str:
        *_, file, number = key
        return f"{self._files[int(file)]}, record {int(number)}"

    def read(self, *key) -> tuple[bytes, int]:
        *record, file, number = key
        (record,) = record or [self._record(int(file), int(number))]
        if not record:
            raise ValueError("the file is corrupt here or in a record before")
        return parse(
            record,
            image_key=self._image_key,
            label_key=self._label_key,
            label_offset=self._label_offset,
            num_classes=self.num_classes,
        )

    def _in_order(self, of_file, epoch, seed):
        order = tf.range(len(self._files), dtype=tf.int64)
        if epoch is not None:
            permutation = lambda epoch: generator(seed, epoch).permutation(len(self._files))  # noqa: E731
            order = tf.numpy_function(permutation, [epoch], tf.int64, stateful=False)
            order = tf.ensure_shape(order, [len(self._files)])
        files = tf.data.Dataset.from_tensor_slices(order)
        # Without shuffling, one file after the other.
        keys = files.interleave(
            of_file,
            cycle_length=1 if epoch is None else _FILES_AT_ONCE,
            num_parallel_calls=1 if epoch is None else min(4, _FILES_AT_ONCE),
            deterministic=True,
        )
        return keys if epoch is None else _shuffled(keys, self._shuffle_buffer, epoch, seed)

    def _records(self, file):
        """As many as the file has; after a corrupt one nothing can be read, empty ones take the places of the rest."""
        length = tf.gather(self._lengths, file)
        records = tf.data.TFRecordDataset(tf.gather(self._files, file)).ignore_errors()
        records = records.concatenate(tf.data.Dataset.from_tensors("").repeat()).take(length)
        return records.enumerate().map(lambda number, record: (record, file, number))

    def _numbers(self, file):
        numbers = tf.data.Dataset.range(tf.gather(self._lengths, file))
        return numbers.map(lambda number: (file, number))

    def _record(self, file, number):
        """One record, for which those before it are read again; empty if it or one of them is corrupt."""
        records = tf.data.TFRecordDataset(self._files[file]).ignore_errors().skip(number).take(1)
        return next(records.as_numpy_iterator(), b"")


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

    Records are counted when the files are opened, by going from length to length. Every worker reads every file, in the
    same order: that is what lets workers share global batches exactly.

    Args:
        files: Local files, a pattern such as ``"imagenet/train-*"``, or a folder, of which all files are taken.
        num_classes: How many classes there are.
        label_offset: The number of the first class in the files: 1 in the usual ImageNet ones, whose 0 is "background".
        class_names: In the order of the labels.
        image_key: Feature of the encoded image.
        label_key: Feature of the label.
        shuffle_buffer: How many encoded images are held to draw the next one from; ImageNet's take 110 kB each.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: if a file is no TFRecord file or has been cut short, or a feature is missing.
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
        ...     len(examples), [examples.read(*key)[1] for key in examples.keys().as_numpy_iterator()]
        (1, [2])
    """
    files = _find(files)
    lengths = [_count_records(file) for file in files]
    for file in (file for file, length in zip(files, lengths, strict=True) if not length):
        _log.warning("%s: has no records", file)
    if not sum(lengths):
        raise ValueError(f"{files[0]}: no records in {len(files)} files")
    if class_names is not None and len(class_names) != num_classes:
        raise ValueError(f"class_names must be {num_classes}, one for each class, got {len(class_names)}")
    examples = TFRecordExamples(
        files,
        lengths,
        num_classes=num_classes,
        class_names=None if class_names is None else tuple(class_names),
        image_key=image_key,
        label_key=label_key,
        label_offset=label_offset,
        shuffle_buffer=shuffle_buffer,
    )
    first = next(examples.keys().as_numpy_iterator())
    try:
        examples.read(*first)
    except ValueError as error:
        raise type(error)(f"{examples.name(*first)}: {error}") from error
    return examples


def parse(record: bytes, *, image_key: str, label_key: str, label_offset: int, num_classes: int) -> tuple[bytes, int]:
    """Encoded image and label of one record.

    Raises:
        ValueError: if it is no ``tf.train.Example``, or lacks a feature.
        LabelError: if the label is not one of the classes.
    """
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # the decoder's own exceptions differ between versions of protobuf
        raise ValueError(f"is no tf.train.Example ({error})") from error
    for key, kind in ((image_key, "bytes_list"), (label_key, "int64_list")):
        if key not in features or len(getattr(features[key], kind).value) != 1:
            raise ValueError(f"has no single {key!r} ({kind}) among its features {', '.join(sorted(features))}")
    label = features[label_key].int64_list.value[0] - label_offset
    if not 0 <= label < num_classes:
        raise LabelError(
            f"label {label + label_offset} is not from {label_offset} to {label_offset + num_classes - 1}; "
            "label_offset is the number of the first class in the files"
        )
    return features[image_key].bytes_list.value[0], label


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


def _count_records(path):
    """Goes from length to length, without reading what is between."""
    count, position, size = 0, 0, Path(path).stat().st_size
    with open(path, "rb", buffering=0) as file:
        while position < size:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            position = file.seek(min(position + _FRAME_BYTES + length, size + 1))
            if position > size:
                raise ValueError(f"{path}: is no TFRecord file, or corrupt or cut short in record {count}")
            count += 1
    return count


def _shuffled(keys, buffer, epoch, seed):
    def shuffle(shuffle_seed):
        # For the graph of this function alone: the order would depend on the global seed of the program, too.
        tf.random.set_seed(1)
        return keys.shuffle(buffer, seed=shuffle_seed, reshuffle_each_iteration=False)

    draw = lambda epoch: generator(seed, epoch).integers(2**31, dtype=np.int64)  # noqa: E731
    shuffle_seed = tf.ensure_shape(tf.numpy_function(draw, [epoch], tf.int64, stateful=False), [])
    return tf.data.Dataset.from_tensors(shuffle_seed).flat_map(shuffle)
