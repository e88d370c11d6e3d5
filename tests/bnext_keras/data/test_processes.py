"""Images from processes: the ones that threads make, whatever becomes of the processes."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bnext_keras import data
from bnext_keras.data import processes
from bnext_keras.data.loading import Loader
from bnext_keras.data.locations import InMemory
from bnext_keras.data.processes import Processes, default_processes
from bnext_keras.data.records import Record
from bnext_keras.data.views import EvaluationView

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

PROGRAM = Path(__file__).parents[2] / "support" / "programs" / "fed_by_processes.py"
VIEW = EvaluationView((8, 8), crop=1.0)
IMAGE = np.full((8, 8, 3), 7, np.uint8)


@pytest.fixture(scope="module", autouse=True)
def started():
    """One process and two, which serve the whole file: each takes half a second to start."""
    return Processes.of(1), Processes.of(2)


@pytest.fixture
def photos(tmp_path):
    """Twenty images of two classes, three of them broken: the first of its class, and two in a row."""
    random = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / ("cat", "dog")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8)).save(path)
        if number in (0, 6, 8):
            path.write_bytes(path.read_bytes()[:-40])
    return tmp_path


def batches_of(examples, **options):
    options = {"image_size": 8, "batch_size": 6, "epochs": 3, "seed": 5, **options}
    return [(images.numpy(), labels.numpy()) for images, labels in data.training_data(examples, **options)]


def assert_same(batches, expected):
    assert len(batches) == len(expected)
    for pair, expected_pair in zip(batches, expected, strict=True):
        np.testing.assert_array_equal(pair[0], expected_pair[0])
        np.testing.assert_array_equal(pair[1], expected_pair[1])


def test_threads_and_processes_make_the_same_batches(photos):
    examples, broken = data.from_folder(photos), data.BrokenImages()
    expected = batches_of(examples, threads=2)
    assert_same(batches_of(examples, processes=1), expected)
    assert_same(batches_of(examples, processes=2, broken=broken), expected)
    assert sorted(Path(name).name for name in broken.errors) == ["00.png", "06.png", "08.png"]


def test_what_is_erased_and_mixed_is_the_same_too(photos):
    options = {"augmentation": data.Augmentation(color_jitter=0.4, random_erasing=0.5, mixup=0.2), "epochs": 1}
    examples = data.from_folder(photos)
    assert_same(batches_of(examples, processes=2, **options), batches_of(examples, threads=2, **options))


def test_a_resumed_run_and_its_workers_see_the_same_batches(photos):
    examples = data.from_folder(photos)
    expected = batches_of(examples, threads=2)
    assert_same(batches_of(examples, first_epoch=2, processes=2), expected[6:])
    shards = [batches_of(examples, shard=(number, 2), processes=2) for number in range(2)]
    for (images, labels), *parts in zip(expected, *shards, strict=True):
        for number, part in enumerate(parts):
            np.testing.assert_array_equal(part[0], images[number::2])
            np.testing.assert_array_equal(part[1], labels[number::2])


def test_an_evaluation_leaves_broken_images_out(photos):
    broken, options = data.BrokenImages(), {"image_size": 8, "batch_size": 7}
    examples = data.from_folder(photos)
    in_threads = list(data.evaluation_data(examples, **options))
    in_processes = list(data.evaluation_data(examples, processes=2, broken=broken, **options))
    assert [len(labels) for _, labels in in_processes] == [7, 7, 3]
    assert_same(
        [(images.numpy(), labels.numpy()) for images, labels in in_processes],
        [(images.numpy(), labels.numpy()) for images, labels in in_threads],
    )
    assert len(broken) == 3


@pytest.fixture
def records(photos):
    """The photos as two files of records; the last one of the second file is corrupt, too."""
    files = [sorted(photos.glob(f"{name}/*.png")) for name in ("cat", "dog")]
    for label, images in enumerate(files):
        with tf.io.TFRecordWriter(str(photos / f"train-{label}")) as writer:
            for image in images:
                feature = {
                    "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.read_bytes()])),
                    "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    content = bytearray((photos / "train-1").read_bytes())
    content[-100] ^= 1
    (photos / "train-1").write_bytes(content)
    return str(photos / "train-*")


def test_records_are_read_by_the_processes(records, monkeypatch):
    def unread(record):
        raise AssertionError(f"{record} is read by the process that trains")

    examples, broken = data.from_tfrecords(records, num_classes=2), data.BrokenImages()
    # None but those that take a broken one's place.
    monkeypatch.setattr(Loader, "_next_sound", lambda *place: (np.zeros((8, 8, 3), np.uint8), 0))
    monkeypatch.setattr(Record, "read", unread)
    assert len(batches_of(examples, processes=2, epochs=1, broken=broken)) == 3
    names = ["0, record 0", "0, record 3", "0, record 4", "1, record 9"]
    assert sorted(broken.errors) == [records.replace("*", name) for name in names]


def test_records_make_the_same_batches_however_they_are_read(records):
    examples = data.from_tfrecords(records, num_classes=2)
    expected = batches_of(examples, epochs=2, threads=2)
    assert_same(batches_of(examples, epochs=2, first_epoch=1, processes=2), expected[3:])
    shard = batches_of(examples, epochs=1, shard=(1, 2), processes=2)
    assert_same(shard, [(images[1::2], labels[1::2]) for images, labels in expected[:3]])


def test_a_wrong_label_that_a_process_finds_is_named(records):
    examples = data.from_tfrecords(records, num_classes=1)
    with pytest.raises(tf.errors.OpError, match=r"train-1, record \d: label 1 is not from 0 to 0; label_offset is the"):
        batches_of(examples, processes=1)


@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., 0], IMAGE[..., :1]], ids=["rgb", "grey", "channel"])
def test_arrays_of_every_kind_reach_a_process(started, image):
    kept = [InMemory(image, 4), InMemory(b"", 5), InMemory(image, 6)]
    pixels, labels, faults = started[0].look(VIEW, kept, [0] * 3, [0, 1, 2])
    assert labels == [4, 0, 6]
    assert faults == [None, "the file is empty", None]
    np.testing.assert_array_equal(pixels[[0, 2]], np.stack([IMAGE, IMAGE]))


def test_larger_images_may_follow_smaller_ones(started):
    for size in (4, 300, 8):
        view = EvaluationView((size, size), crop=1.0)
        image = InMemory(np.full((size, size), size % 256, np.uint8), 0)
        pixels, _, _ = started[0].look(view, [image], [0], [0])
        assert pixels.shape == (1, size, size, 3)
        assert (pixels == size % 256).all()


def test_a_mistake_in_augmentation_is_raised_and_the_processes_go_on(photos):
    mistaken = data.Augmentation(randaugment=None)
    object.__setattr__(mistaken, "scale", (1.0, "all"))
    with pytest.raises(tf.errors.OpError, match="could not convert string to float: 'all'"):
        batches_of(data.from_folder(photos), processes=1, augmentation=mistaken)
    assert len(batches_of(data.from_folder(photos), processes=1)) == 9


def test_a_killed_process_is_an_error_of_one_line_and_others_can_be_started():
    before, victims = set(multiprocessing.active_children()), Processes.of(3)
    victims.look(VIEW, [InMemory(IMAGE, 0)], [0], [0])
    (victim,) = set(multiprocessing.active_children()) - before
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    examples = data.from_arrays(np.stack([IMAGE] * 12), np.arange(12))
    message = "RuntimeError: a process that prepares images, one of 3, was killed, perhaps for want of memory: take"
    with pytest.raises(tf.errors.OpError, match=message):
        batches_of(examples, batch_size=4, epochs=1, processes=3)
    assert len(batches_of(examples, batch_size=4, epochs=1, processes=3)) == 3


def test_a_process_that_is_killed_while_it_starts_is_not_called_a_mistake_of_the_program():
    def kill_the_first_that_comes():
        while not (victims := set(multiprocessing.active_children()) - before):
            time.sleep(0.001)
        os.kill(victims.pop().pid, signal.SIGKILL)

    before = set(multiprocessing.active_children())
    killer = threading.Thread(target=kill_the_first_that_comes)
    killer.start()
    with pytest.raises(RuntimeError, match="ended before the first was ready: they were killed, perhaps for want"):
        Processes(1).look(VIEW, [InMemory(IMAGE, 0)], [0], [0])
    killer.join()


def test_processes_end_when_nobody_needs_them():
    before, unneeded = set(multiprocessing.active_children()), Processes(1)
    unneeded.look(VIEW, [InMemory(IMAGE, 0)], [0], [0])
    (process,) = set(multiprocessing.active_children()) - before
    del unneeded
    process.join(timeout=60)
    assert process.exitcode == 0


@pytest.mark.parametrize("fatal", [signal.SIGINT, signal.SIGKILL], ids=lambda fatal: fatal.name)
def test_whatever_ends_the_program_ends_its_processes_in_silence(fatal):
    program = subprocess.Popen(
        [sys.executable, PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = [int(number) for number in program.stdout.readline().split()]
    assert len(children) == 2
    if fatal is signal.SIGINT:
        os.killpg(program.pid, fatal)  # as a terminal does
    else:
        program.kill()
    # The end of what they write is that of the last one which could.
    output, errors = program.communicate(timeout=60)
    assert output == ("interrupted\n" if fatal is signal.SIGINT else "")
    # Whoever tidies up behind a killed program may say so.
    assert errors == "" if fatal is signal.SIGINT else "Traceback" not in errors
    assert not [number for number in children if is_running(number)]


def is_running(number):
    """Whether a process runs, or still does in a second; one that nobody has asked for its status does not."""
    for _ in range(20):
        try:
            if Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except OSError:
            return False
        time.sleep(0.05)
    return True


def test_a_system_at_its_limits_is_an_error_of_one_line(monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RuntimeError, match=r"^no memory for images \(No space left on device\): take fewer processes"):
        Processes.of(1).look(EvaluationView((400, 400), crop=1.0), [InMemory(IMAGE, 0)], [0], [0])
    monkeypatch.setattr(processes, "ProcessPoolExecutor", full)
    with pytest.raises(RuntimeError, match=r"cannot start \(No space left on device; /dev/shm, or the number of"):
        Processes(1)
    monkeypatch.setattr(ProcessPoolExecutor, "submit", full)
    with pytest.raises(RuntimeError, match=r"cannot start \(No space left on device; /dev/shm, or the number of"):
        Processes.of(2).look(VIEW, [InMemory(IMAGE, 0)], [0], [0])


def test_the_default_suits_the_machine(monkeypatch):
    suggestions = []
    for cores in (16, 4, 5):
        monkeypatch.setattr(processes, "cores", lambda cores=cores: cores)
        suggestions.append(default_processes())
    assert suggestions == [15, 0, 4]


def test_a_number_of_processes_that_cannot_be_is_refused_at_once(monkeypatch):
    examples = data.from_arrays(np.stack([IMAGE] * 4), np.arange(4))
    with pytest.raises(ValueError, match="processes must be 0 or more, got -1"):
        data.training_data(examples, image_size=8, batch_size=2, epochs=1, processes=-1)
    monkeypatch.delattr(os, "memfd_create")
    with pytest.raises(ValueError, match="processes=2: processes need Linux; 0 takes threads"):
        data.evaluation_data(examples, image_size=8, batch_size=2, processes=2)
    assert default_processes() == 0
