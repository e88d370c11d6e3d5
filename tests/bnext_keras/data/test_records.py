"""TFRecord files without TensorFlow: their checksums, where their records lie, and what is in these."""

import contextlib

from bnext_keras.data.crc32c import crc32c
from bnext_keras.data.records import Record, index
from bnext_keras.data.tf_example import Layout
from bnext_keras.errors import LabelError

import numpy as np
import pytest
import tensorflow as tf

LAYOUT = Layout("image", "label", label_offset=1, num_classes=10)
RANDOM = np.random.default_rng(0).bytes(70_000)


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (bytes([255] * 32), 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_checksums_are_those_of_rfc_3720(data, checksum):
    assert crc32c(data) == checksum


@pytest.mark.parametrize("size", [0, 1, 1160, 1161, 1167, 5968, 5969, 22_740, 22_741, 40_033, 70_000])
def test_records_of_every_size_have_the_checksums_that_tensorflow_writes(tmp_path, size):
    write(tmp_path / "one", [RANDOM[:size]])
    masked = int.from_bytes((tmp_path / "one").read_bytes()[-4:], "little")
    turned = (masked - 0xA282EAD8) % 2**32
    assert crc32c(RANDOM[:size]) == (turned << 15 | turned >> 17) % 2**32


def test_an_index_says_where_records_begin_and_the_last_one_ends(tmp_path):
    write(tmp_path / "one", [b"", b"abc", bytes(1000)])
    write(tmp_path / "none", [])
    assert [starts.tolist() for starts in index([str(tmp_path / "one"), str(tmp_path / "none")])] == [
        [0, 16, 35, 1051],
        [0],
    ]


def write(path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def encoded(image=(b"abc",), label=(3,), **features):
    """An example that also has features of every kind that nobody wants."""
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=image)),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=label)),
        "box": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 1.0])),
        "name": tf.train.Feature(bytes_list=tf.train.BytesList(value=["größe".encode(), b""])),
        "size": tf.train.Feature(int64_list=tf.train.Int64List(value=[500, -1])),
        "nothing": tf.train.Feature(),
        **features,
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def test_image_and_label_are_found_among_other_features():
    assert LAYOUT.parse(encoded()) == (b"abc", 2)
    assert LAYOUT.parse(encoded(label=(10,))) == (b"abc", 9)


def test_a_label_may_be_written_by_itself_and_the_last_one_counts():
    # Fields are their number times 8, plus 0 for numbers and 2 for bytes of the size that follows.
    first, second = (b"\x12\x04\x1a\x02\x08" + bytes([label]) for label in (3, 5))
    entries = [b"\x0a\x05label" + each for each in (first, second)] + [b"\x0a\x05image\x12\x05\x0a\x03\x0a\x01x"]
    features = b"".join(b"\x0a" + bytes([len(entry)]) + entry for entry in entries)
    record = b"\x0a" + bytes([len(features)]) + features
    assert tf.train.Example.FromString(record).features.feature["label"].int64_list.value == [5]
    assert LAYOUT.parse(record) == (b"x", 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image": (b"a", b"b")}, r"^has no single 'image' \(bytes_list\) among its features box, image, label, name,"),
        ({"image": ()}, r"^has no single 'image' \(bytes_list\)"),
        ({"label": (1, 2)}, r"^has no single 'label' \(int64_list\)"),
        ({"label": ()}, r"^has no single 'label' \(int64_list\)"),
    ],
)
def test_features_that_are_none_or_several_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        LAYOUT.parse(encoded(**changed))


@pytest.mark.parametrize("label", [0, 11, -1, -(2**63), 2**63 - 1])
def test_labels_that_are_no_class_are_told_as_they_stand(label):
    with pytest.raises(LabelError, match=rf"^label {label} is not from 1 to 10; "):
        LAYOUT.parse(encoded(label=(label,)))


def test_whatever_is_no_example_is_a_value_error():
    record, random = encoded(), np.random.default_rng(1)
    for end in range(len(record)):
        with pytest.raises(ValueError, match=r"is no tf\.train\.Example|has no single"):
            LAYOUT.parse(record[:end])
    for _ in range(300):
        damaged = bytearray(record)
        damaged[random.integers(len(record))] = random.integers(256)
        with contextlib.suppress(ValueError):
            LAYOUT.parse(bytes(damaged))


def test_records_of_another_place_are_read_where_they_lie():
    """TensorFlow's file systems: this one is of memory, ``gs://`` is another."""
    path = "ram://records/train-0"
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"")
        writer.write(encoded())
    (starts,) = index([path])
    assert Record(path, 1, *starts[1:].tolist(), LAYOUT).read() == (b"abc", 2)
    with pytest.raises(FileNotFoundError, match=r"^ram://records/train-1: no such file$"):
        index(["ram://records/train-1"])
