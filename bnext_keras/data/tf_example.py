"""Images and labels out of ``tf.train.Example``, without TensorFlow.

Reference:
    https://protobuf.dev/programming-guides/encoding; the messages are in ``tensorflow/core/example/example.proto``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bnext_keras.errors import LabelError

#: Kinds of features by the number of the field that they stand in.
_KINDS = {1: "bytes_list", 2: "float_list", 3: "int64_list"}


@dataclass(frozen=True)
class Layout:
    """What the features of a data set are called.

    Attributes:
        image_key: Feature of the encoded image.
        label_key: Feature of the label.
        label_offset: The number of the first class.
        num_classes: How many classes there are.
    """

    image_key: str
    label_key: str
    label_offset: int
    num_classes: int

    def parse(self, record: bytes | memoryview) -> tuple[bytes, int]:
        """Encoded image and label of one record.

        Raises:
            ValueError: if it is no ``tf.train.Example``, or lacks a feature.
            LabelError: if the label is not one of the classes.

        Example:
            >>> import tensorflow as tf
            >>> feature = {
            ...     "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"..."])),
            ...     "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[3])),
            ... }
            >>> record = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
            >>> Layout("image", "label", label_offset=1, num_classes=10).parse(record)
            (b'...', 2)
        """
        found = []
        try:
            features = _features(memoryview(record))
            for key, kind in ((self.image_key, "bytes_list"), (self.label_key, "int64_list")):
                found.append((key, kind, *_values(features.get(key, memoryview(b"")))))
        except ValueError as error:
            raise ValueError(f"is no tf.train.Example ({error})") from error
        for key, kind, found_kind, values in found:
            if found_kind != kind or len(values) != 1:
                raise ValueError(f"has no single {key!r} ({kind}) among its features {', '.join(sorted(features))}")
        image, label = (values[0] for *_, values in found)
        first, last = self.label_offset, self.label_offset + self.num_classes - 1
        if not first <= label <= last:
            remedy = "label_offset is the number of the first class in the files"
            raise LabelError(f"label {label} is not from {first} to {last}", remedy=remedy)
        return bytes(image), label - first


def _features(record) -> dict[str, memoryview]:
    """The features by their names, themselves encoded still."""
    found = {}
    for features in _messages(record, 1):
        for entry in _messages(features, 1):
            fields = dict(_fields(entry))
            name, feature = fields.get(1, b""), fields.get(2, b"")
            found[str(_sized(name), "utf-8")] = memoryview(_sized(feature))
    return found


def _values(feature):
    """Kind and values of one feature; floats are not read."""
    kind, values = "", []
    for number, value in _fields(feature):
        if number not in _KINDS:
            continue
        if _KINDS[number] != kind:
            kind, values = _KINDS[number], []
        for field, item in _fields(_sized(value)):
            if field != 1:
                continue
            if kind == "bytes_list":
                values.append(_sized(item))
            elif kind == "int64_list":
                values += [_signed(item)] if isinstance(item, int) else _packed(item)
    return kind, values


def _messages(buffer, number):
    return [_sized(value) for field, value in _fields(buffer) if field == number]


def _sized(value):
    if isinstance(value, int):
        raise ValueError("a number where bytes should be")
    return value


def _fields(buffer) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: a whole number, or bytes."""
    position = 0
    while position < len(buffer):
        key, position = _varint(buffer, position)
        wire = key & 7
        if wire == 0:
            value, position = _varint(buffer, position)
            yield key >> 3, value
            continue
        if wire == 2:
            size, position = _varint(buffer, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a field of the unknown type {wire}")
        if position + size > len(buffer):
            raise ValueError("it ends within a field")
        yield key >> 3, buffer[position : position + size]
        position += size


def _varint(buffer, position):
    number = shift = 0
    while position < len(buffer) and shift < 70:
        byte = buffer[position]
        number |= (byte & 0x7F) << shift
        shift, position = shift + 7, position + 1
        if byte < 0x80:
            return number, position
    raise ValueError("it ends within a number" if shift < 70 else "a number of more than 64 bits")


def _packed(buffer):
    numbers, position = [], 0
    while position < len(buffer):
        number, position = _varint(buffer, position)
        numbers.append(_signed(number))
    return numbers


def _signed(number):
    return number - (1 << 64) if number >> 63 & 1 else number & (1 << 64) - 1
