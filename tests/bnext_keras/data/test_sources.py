"""Where examples come from: folders, arrays, TFRecords and tensorflow-datasets, and what is said of bad ones."""

import logging
import os
import socket
from pathlib import Path

from bnext_keras import data, recipes
from bnext_keras.errors import RunError
from bnext_keras.training.datasets import open_data

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image


def write_image(path, value=0, size=(8, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


def labels_of(batches):
    return [int(label) for _, labels in batches for label in labels]


def order_of(examples, epoch=None, seed=0):
    return [int(number) for number in examples.keys(epoch, seed).as_numpy_iterator()]


@pytest.fixture
def pets(tmp_path):
    """Two cats, one of them deeper, and one dog; endings in any case; and what is no image."""
    write_image(tmp_path / "pets" / "dog" / "rex.JPEG", 200)
    write_image(tmp_path / "pets" / "cat" / "tom.png", 10)
    write_image(tmp_path / "pets" / "cat" / "wild" / "leo.BMP", 20)
    write_image(tmp_path / "pets" / "cat" / ".hidden.png")
    write_image(tmp_path / "pets" / ".thumbnails" / "rex.png")
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("meow")
    (tmp_path / "pets" / "README").write_text("pets")
    return tmp_path / "pets"


def test_a_folder_has_sorted_classes_and_the_images_in_them(pets):
    examples = data.from_folder(pets)
    assert examples.class_names == ("cat", "dog")
    assert examples.num_classes == 2
    assert len(examples) == 3
    names = [examples.name(number) for number in range(3)]
    assert names == [str(pets / "cat/tom.png"), str(pets / "cat/wild/leo.BMP"), str(pets / "dog/rex.JPEG")]
    assert [examples.read(number)[1] for number in range(3)] == [0, 0, 1]
    assert examples.read(0)[0] == (pets / "cat" / "tom.png").read_bytes()
    assert order_of(examples) == [0, 1, 2]


def test_a_source_tells_what_it_is(pets):
    assert repr(data.from_folder(pets)) == "FolderExamples(2 classes, 3 images)"


def test_what_a_folder_is_not_read_for_is_counted_in_one_line(pets, caplog):
    (pets / "dog" / "max.heic").touch()
    (pets / "dog" / "\x1b[2J").touch()
    os.mkfifo(pets / "dog" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(pets / "cat" / "s.jpg"))  # its whole path may be too long for a socket
        assert len(data.from_folder(pets)) == 3
    assert caplog.messages == [f"{pets}: 5 files skipped (2 no regular files, 1 .txt, 1 no ending, 1 .heic)"]


def test_links_in_a_circle_end_and_give_nothing_twice(pets):
    (pets / "cat" / "up").symlink_to("..")
    (pets / "cat" / "further_up").symlink_to("../..")
    (pets / "cat" / "wild" / "back").symlink_to("..")
    (pets / "cat" / "wild" / "itself").symlink_to(".")
    (pets / "dog" / "up").symlink_to(pets)
    examples = data.from_folder(pets)
    names = [os.path.relpath(examples.name(number), pets) for number in range(len(examples))]
    assert names == ["cat/tom.png", "cat/wild/leo.BMP", "dog/rex.JPEG"]


def test_links_to_elsewhere_are_followed(pets, tmp_path):
    write_image(tmp_path / "elsewhere" / "max.png")
    (pets / "dog" / "more").symlink_to(tmp_path / "elsewhere")
    (pets / "owl").symlink_to(tmp_path / "elsewhere")
    assert repr(data.from_folder(pets)) == "FolderExamples(3 classes, 5 images)"


@pytest.mark.parametrize("change", ["rename", "remove", "size", "class"])
def test_a_folders_fingerprint_tells_it_from_others(pets, change):
    before = data.from_folder(pets).fingerprint()
    assert data.from_folder(pets).fingerprint() == before
    tom = pets / "cat" / "tom.png"
    if change == "rename":
        tom.rename(tom.with_name("tim.png"))
    elif change == "remove":
        tom.unlink()
    elif change == "size":
        write_image(tom, size=(9, 9))
    else:
        tom.rename(pets / "dog" / "tom.png")
    assert data.from_folder(pets).fingerprint() != before


def test_every_source_follows_the_protocol(pets):
    assert isinstance(data.from_folder(pets), data.Examples)
    assert isinstance(data.from_arrays(np.zeros((1, 2, 2), np.uint8), [0]), data.Examples)


def test_classes_can_be_numbered_as_in_training(pets, caplog):
    with caplog.at_level(logging.WARNING, "bnext_keras.data"):
        examples = data.from_folder(pets, class_names=["bird", "cat", "dog"])
    assert [examples.read(number)[1] for number in range(3)] == [1, 1, 2]
    assert examples.num_classes == 3
    assert f"{pets / 'bird'}: has no images" in caplog.text
    with pytest.raises(ValueError, match=r"pets: has folders that are none of the 1 classes: dog"):
        data.from_folder(pets, class_names=["cat"])


def test_an_empty_class_is_warned_of(pets, caplog):
    (pets / "ant").mkdir()
    with caplog.at_level(logging.WARNING, "bnext_keras.data"):
        examples = data.from_folder(pets)
    assert f"{pets / 'ant'}: has no images (.bmp, .gif" in caplog.text
    assert [examples.read(number)[1] for number in range(3)] == [1, 1, 2]


def test_a_folder_that_is_of_no_use_is_refused_with_advice(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such folder"):
        data.from_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"has no folders, one for each class$"):
        data.from_folder(tmp_path)
    write_image(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"has images but no folders, one for each class; put them into one folder"):
        data.from_folder(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(ValueError, match=r"has no images in its 1 folders"):
        data.from_folder(tmp_path)


def test_an_epochs_order_depends_on_seed_and_epoch_alone():
    examples = data.from_arrays(np.zeros((50, 2, 2), np.uint8), np.zeros(50, int))
    first = order_of(examples, epoch=0)
    assert sorted(first) == list(range(50))
    orders = {tuple(order_of(examples, *place)) for place in [(0, 0), (1, 0), (2, 0), (0, 1)]}
    assert len(orders) == 4
    tf.random.set_seed(7)
    np.random.seed(7)  # noqa: NPY002 - the global state that must not matter
    assert order_of(examples, epoch=0) == first


def test_every_example_comes_first_equally_often():
    examples = data.from_arrays(np.zeros((5, 2, 2), np.uint8), np.zeros(5, int))
    firsts = np.bincount([order_of(examples, epoch=epoch)[0] for epoch in range(100)], minlength=5)
    assert (abs(firsts - 20) < 14).all()  # deviation 4


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 1), (3, 4, 5, 3)], ids=str)
def test_grey_and_colour_arrays_become_rgb_batches(shape):
    images = np.full(shape, 255, np.uint8)
    examples = data.from_arrays(images, [2, 0, 1])
    ((batch, labels),) = data.evaluation_data(
        examples, image_size=(4, 5), batch_size=4, crop=1, normalization=data.Normalization((0, 0, 0), (1, 1, 1))
    )
    np.testing.assert_array_equal(batch, np.ones((3, 4, 5, 3), np.float32))
    assert labels.numpy().tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("images", "labels", "options", "message"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), [0, 1], {}, "images must be uint8 .* got float32"),
        (np.zeros((2, 4, 4, 4), np.uint8), [0, 1], {}, r"got uint8 of shape \(2, 4, 4, 4\)"),
        (np.zeros((2, 4, 4), np.uint8), [0], {}, "one for each of 2 images"),
        (np.zeros((2, 4, 4), np.uint8), [0.0, 1.0], {}, "whole numbers"),
        (np.zeros((0, 4, 4), np.uint8), np.zeros(0, int), {}, "at least one"),
        (np.zeros((2, 4, 4), np.uint8), [0, 3], {"num_classes": 3}, "labels must be from 0 to 2, got 0 to 3"),
        (np.zeros((2, 4, 4), np.uint8), [-1, 1], {}, "got -1 to 1"),
        (np.zeros((2, 4, 4), np.uint8), [0, 1], {"num_classes": 3, "class_names": ["a", "b"]}, "class_names must be 3"),
    ],
)
def test_bad_arrays_are_refused(images, labels, options, message):
    with pytest.raises(ValueError, match=message):
        data.from_arrays(images, labels, **options)


def test_kerass_columns_of_labels_are_taken():
    assert data.from_arrays(np.zeros((2, 4, 4), np.uint8), [[3], [5]]).num_classes == 6


# TFRecords


def png(value):
    return tf.io.encode_png(np.full((6, 8, 3), value, np.uint8)).numpy()


def example(image, label, image_key="image/encoded", label_key="image/class/label"):
    feature = {
        image_key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        label_key: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write_records(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


@pytest.fixture
def records(tmp_path):
    """Three files of ten grey images; the label is the image's number, counted from 1."""
    for file in range(3):
        numbers = range(10 * file, 10 * file + 10)
        write_records(tmp_path / "records" / f"train-{file}", [example(png(number), number + 1) for number in numbers])
    return tmp_path / "records"


def test_tfrecords_are_counted_and_read_in_order(records):
    examples = data.from_tfrecords(records / "train-*", num_classes=30, label_offset=1)
    assert len(examples) == 30
    assert order_of(examples) == list(range(30))
    assert examples.name(9) == f"{records}/train-0, record 9"
    assert examples.name(10) == f"{records}/train-1, record 0"
    batches = list(data.evaluation_data(examples, image_size=4, batch_size=8))
    assert labels_of(batches) == list(range(30))
    np.testing.assert_allclose(
        batches[0][0][3, 0, 0], (3 / 255 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225], 1e-5
    )


@pytest.mark.parametrize("chosen", ["folder", "pattern", "list"])
def test_tfrecord_files_are_named_by_folder_pattern_or_list(records, chosen):
    files = {"folder": records, "pattern": f"{records}/train-[02]", "list": [records / "train-1"]}[chosen]
    count = {"folder": 30, "pattern": 20, "list": 10}[chosen]
    assert len(data.from_tfrecords(files, num_classes=31)) == count


def test_tfrecords_are_shuffled_by_seed_and_epoch_alone(records):
    examples = data.from_tfrecords(records, num_classes=31, shuffle_buffer=8)
    first = order_of(examples, epoch=0)
    assert sorted(first) == list(range(30))
    assert len({tuple(order_of(examples, *place)) for place in [(0, 0), (1, 0), (0, 1)]}) == 3
    tf.random.set_seed(7)
    assert order_of(examples, epoch=0) == first
    # Out of all files from the start on, and not in the order of any of them.
    assert {number // 10 for number in first[:8]} == {0, 1, 2}
    in_file = [number for number in first if number < 10]
    assert in_file != sorted(in_file)


def test_runs_of_0_1_0_go_on_in_the_same_order(tmp_path):
    for file, numbers in enumerate((range(3), range(3, 7), range(7, 12))):
        write_records(tmp_path / f"t-{file:03}", [example(b"x", number) for number in numbers])
    examples = data.from_tfrecords(tmp_path, num_classes=12, shuffle_buffer=4)
    assert order_of(examples, epoch=0) == [8, 1, 4, 9, 3, 7, 10, 6, 0, 2, 5, 11]
    assert order_of(examples, epoch=3, seed=7) == [0, 7, 4, 3, 1, 2, 5, 10, 9, 6, 11, 8]
    # A run is continued only with examples of the same fingerprint.
    assert examples.fingerprint() == "dd0cd96c74c894ccfd709709e3bbe21d9c578d0f045f33b8c81a6d3fe061a0b6"


def change(path, position, number=255):
    content = bytearray(path.read_bytes())
    content[position] ^= number
    path.write_bytes(content)


def starts(path):
    """Where the ten records of a file begin, which are of the same size."""
    return range(0, path.stat().st_size, path.stat().st_size // 10)


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        (8, "its length does not have the checksum that stands beside it"),
        (40, "its data do not have the checksum that stands beside them"),
        (-1, "its data do not have the checksum that stands beside them"),
    ],
)
def test_a_corrupt_record_costs_nothing_but_itself(records, place, fault):
    change(records / "train-1", starts(records / "train-1")[6 if place > 0 else 7] + place)
    examples = data.from_tfrecords(records, num_classes=31, label_offset=1)
    broken = data.BrokenImages()
    labels = labels_of(data.evaluation_data(examples, image_size=4, batch_size=8, broken=broken))
    assert labels == [*range(16), *range(17, 30)]
    assert broken.errors == {f"{records}/train-1, record 6": f"the record is corrupt: {fault}"}

    labels = labels_of(data.training_data(examples, image_size=4, batch_size=10, epochs=2))
    assert len(labels) == 60
    assert set(labels) == {*range(16), *range(17, 30)}


def test_a_corrupt_length_leads_nowhere_and_is_named(records):
    change(records / "train-1", starts(records / "train-1")[6])
    with pytest.raises(ValueError, match=r"train-1: is no TFRecord file, or corrupt in the length of record 6$"):
        data.from_tfrecords(records, num_classes=31)


def test_a_file_that_is_cut_while_it_is_used_costs_what_it_lost(records):
    examples = data.from_tfrecords(records, num_classes=31, label_offset=1)
    os.truncate(records / "train-1", starts(records / "train-1")[8] + 20)
    broken = data.BrokenImages()
    labels = labels_of(data.evaluation_data(examples, image_size=4, batch_size=8, broken=broken))
    assert labels == [*range(18), *range(20, 30)]
    assert set(broken.errors) == {f"{records}/train-1, record {number}" for number in (8, 9)}
    assert set(broken.errors.values()) == {"the file has been cut short since it was opened"}


@pytest.mark.parametrize("kind", ["GZIP", "ZLIB"])
def test_a_compressed_file_is_refused_with_a_way_out(tmp_path, kind):
    with tf.io.TFRecordWriter(str(tmp_path / "train-0"), tf.io.TFRecordOptions(compression_type=kind)) as writer:
        writer.write(example(png(0), 0))
    with pytest.raises(ValueError, match=rf"train-0: is compressed with {kind}, .* write it anew without compression$"):
        data.from_tfrecords(tmp_path, num_classes=1)


def test_a_broken_image_is_replaced_alike_whether_keys_are_numbers_or_records(records):
    class WithRecords:
        """A source of somebody's own, all of whose keys hold records."""

        def __init__(self, examples):
            self._examples = examples
            self.num_classes, self.class_names = examples.num_classes, None

        def __len__(self):
            return len(self._examples)

        def keys(self, epoch=None, seed=0):
            read = lambda number: tf.numpy_function(self._examples.read, [number], [tf.string, tf.int64])  # noqa: E731
            return self._examples.keys(epoch, seed).map(read)

        def name(self, image, label):
            return f"image of {label}"

        def read(self, image, label):
            return image, int(label)

    write_records(
        records / "train-1", [example(png(number) if number % 3 else b"", number + 1) for number in range(10)]
    )
    examples = data.from_tfrecords(records, num_classes=31, shuffle_buffer=8)
    options = {"image_size": 4, "batch_size": 6, "epochs": 2}
    replaced, alike = (data.training_data(each, **options) for each in (examples, WithRecords(examples)))
    for (images, labels), (other_images, other_labels) in zip(replaced, alike, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(labels, other_labels)


def test_tfrecords_of_no_use_are_refused_with_the_files_name(records):
    with pytest.raises(FileNotFoundError, match=r"val-\*: no such file"):
        data.from_tfrecords(records / "val-*", num_classes=3)
    with pytest.raises(ValueError, match=r"train-0, record 0: has no single 'jpeg' \(bytes_list\) among its features "):
        data.from_tfrecords(records, num_classes=31, image_key="jpeg")
    with pytest.raises(ValueError, match=r"train-0, record 0: has no single 'image/encoded' \(int64_list\)"):
        data.from_tfrecords(records, num_classes=31, label_key="image/encoded")
    (records / "cut").write_bytes((records / "train-2").read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"cut: is cut short in record 9$"):
        data.from_tfrecords(records, num_classes=31)
    (records / "cut").write_text("This is no TFRecord file at all.")
    with pytest.raises(ValueError, match=r"cut: is no TFRecord file, or corrupt in the length of record 0$"):
        data.from_tfrecords(records / "cut", num_classes=31)
    (records / "cut").write_bytes(b"")
    with pytest.raises(ValueError, match=r"cut: no records in 1 files"):
        data.from_tfrecords(records / "cut", num_classes=31)
    write_records(records / "cut", [b"\xff\xff no example"])
    with pytest.raises(ValueError, match=r"cut, record 0: is no tf\.train\.Example"):
        data.from_tfrecords(records / "cut", num_classes=31)


def test_a_label_out_of_range_is_refused_and_not_taken_for_a_broken_image(records):
    with pytest.raises(data.LabelError, match=r"record 0: label 1 is not from 2 to 4; label_offset is the number of"):
        data.from_tfrecords(records, num_classes=3, label_offset=2)
    examples = data.from_tfrecords(records, num_classes=30)  # the last label is 30
    with pytest.raises(tf.errors.OpError, match=r"train-2, record 9: label 30 is not from 0 to 29"):
        labels_of(data.evaluation_data(examples, image_size=4, batch_size=8))


# tensorflow-datasets


@pytest.fixture
def pet_builder(tmp_path):
    """A data set of its own making: twelve grey images in two files, prepared without any download."""
    tfds = pytest.importorskip("tensorflow_datasets")

    class Pets(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=["cat", "dog", "owl"])}
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number in range(12):
                yield number, {"image": np.full((6, 8, 3), 20 * number, np.uint8), "label": number % 3}

    return Pets(data_dir=tmp_path)


def prepare(builder):
    import tensorflow_datasets as tfds

    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=2))


def test_tensorflow_datasets_gives_the_images_that_it_was_made_of(pet_builder):
    prepare(pet_builder)
    examples = data.from_tfds(pet_builder)
    assert len(examples) == 12
    assert examples.class_names == ("cat", "dog", "owl")
    unchanged = data.Normalization((0, 0, 0), (1 / 255,) * 3)
    batches = data.evaluation_data(examples, image_size=(6, 8), batch_size=5, crop=1, normalization=unchanged)
    seen = {
        round(float(image[0, 0, 0])): int(label)
        for images, labels in batches
        for image, label in zip(images, labels, strict=True)
    }
    assert seen == {20 * number: number % 3 for number in range(12)}


def test_tensorflow_datasets_train_like_any_other_source(pet_builder):
    prepare(pet_builder)
    examples = data.from_tfds(pet_builder)
    labels = labels_of(data.training_data(examples, image_size=4, batch_size=6, epochs=3))
    assert np.bincount(labels).tolist() == [12, 12, 12]


def test_records_that_tensorflow_datasets_has_lost_are_missed(pet_builder):
    prepare(pet_builder)
    file = pet_builder.info.splits["train"].filepaths[1]
    write_records(Path(file), [b""] * 2)
    with pytest.raises(ValueError, match=r"00001-of-00002: has 2 records and should have \d; prepare pets/1\.0\.0 "):
        data.from_tfds(pet_builder)
    Path(file).unlink()
    with pytest.raises(FileNotFoundError, match=r"00001-of-00002: no such file on this machine$"):
        data.from_tfds(pet_builder)


def test_what_tensorflow_datasets_does_not_have_is_said(pet_builder):
    with pytest.raises(FileNotFoundError, match=r"pets/1\.0\.0: has not been prepared in .*download=True does that"):
        data.from_tfds(pet_builder)
    prepare(pet_builder)
    with pytest.raises(ValueError, match=r"pets/1\.0\.0: has no split 'test'; it has train"):
        data.from_tfds(pet_builder, "test")
    with pytest.raises(ValueError, match=r"has no Image 'photo' among its features image, label"):
        data.from_tfds(pet_builder, image_key="photo")
    with pytest.raises(ValueError, match=r"has no ClassLabel 'image' among"):
        data.from_tfds(pet_builder, label_key="image")


def test_tensorflow_datasets_is_optional(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match=r"pip install '.\[tfds\]' in a clone of bnext-keras"):
        data.from_tfds("cifar10")


def cifar_row(label, red, green, blue):
    """One image of a single colour as it stands in CIFAR's files: all of red, then green, then blue."""
    return bytes(label) + bytes([red]) * 1024 + bytes([green]) * 1024 + bytes([blue]) * 1024


@pytest.fixture
def cifar(tmp_path):
    """CIFAR-100's binary version with two images to train on; the second has one pixel more red, right of the first."""
    second = bytearray(cifar_row([19, 98], 1, 2, 3))
    second[2 + 1] = 255
    (tmp_path / "train.bin").write_bytes(cifar_row([0, 7], 10, 20, 30) + second)
    (tmp_path / "test.bin").write_bytes(cifar_row([0, 99], 0, 0, 0))
    (tmp_path / "fine_label_names.txt").write_text("".join(f"class_{i}\n" for i in range(100)))
    return tmp_path


def test_cifar_as_it_is_published(cifar):
    examples = data.from_cifar(cifar, "train")
    assert repr(examples) == "ArrayExamples(100 classes, 2 images)"
    assert examples.class_names[98] == "class_98"
    image, label = examples.read(0)
    assert label == 7
    np.testing.assert_array_equal(image, np.full((32, 32, 3), [10, 20, 30], np.uint8))
    image, label = examples.read(1)
    assert label == 98
    assert image[0, :3].tolist() == [[1, 2, 3], [255, 2, 3], [1, 2, 3]]
    assert data.from_cifar(cifar, "test").read(0)[1] == 99


def test_cifar_files_that_are_not_whole(cifar):
    (cifar / "train.bin").write_bytes(b"x" * 3073)
    with pytest.raises(ValueError, match=r"train\.bin: has 3,073 bytes, no whole number of images of 3,074"):
        data.from_cifar(cifar, "train")
    (cifar / "test.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"test\.bin"):
        data.from_cifar(cifar, "test")
    with pytest.raises(FileNotFoundError, match=r"has neither data_batch_1\.bin nor train\.bin"):
        data.from_cifar(cifar / "elsewhere", "train")


def test_cifar_for_python_is_not_read(tmp_path):
    (tmp_path / "data_batch_1").touch()
    (tmp_path / "batches.meta").touch()
    with pytest.raises(RunError, match=r"holds CIFAR for Python, pickles, .*; unpack its binary version instead"):
        open_data(str(tmp_path), recipes.read("cifar10")[1])
