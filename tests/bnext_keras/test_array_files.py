"""Arrays out of files, and what is none."""

from bnext_keras.array_files import read_array, read_arrays, read_labelled
from bnext_keras.errors import FileError

import numpy as np
import pytest

IMAGES = np.zeros((2, 8, 8, 3), np.float32)


def test_images_and_labels_are_read(tmp_path):
    np.savez(tmp_path / "test.npz", images=IMAGES, labels=[[1], [0]], class_names=["cat", "dog"])
    found = read_labelled(tmp_path / "test.npz")
    assert (found.images.shape, found.labels.tolist(), found.class_names) == ((2, 8, 8, 3), [1, 0], ("cat", "dog"))


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": IMAGES, "labels": [0]},
        {"images": IMAGES, "labels": [0.0, 1.0]},
        {"images": IMAGES.astype(str), "labels": [0, 1]},
        {"images": IMAGES[0, 0], "labels": np.zeros(8, int)},
        {"images": np.float32(1), "labels": 1},
        {"images": IMAGES[:0], "labels": np.zeros(0, int)},
    ],
)
def test_what_is_no_image_with_a_class_for_each_is_refused(tmp_path, arrays):
    np.savez(tmp_path / "test.npz", **arrays)
    with pytest.raises(FileError, match=r"test.npz: images are .*, not numbers .* and whole numbers"):
        read_labelled(tmp_path / "test.npz")


def test_an_array_that_is_not_there_is_named(tmp_path):
    np.savez(tmp_path / "test.npz", a=1, c=2)
    with pytest.raises(FileError, match="has no array 'b'; it must hold the arrays a, b and c"):
        read_arrays(tmp_path / "test.npz", ("a", "b", "c"))
    assert read_arrays(tmp_path / "test.npz", ["a"], optional=["b"]).keys() == {"a"}


def _archive(path):
    np.savez_compressed(path, images=np.arange(10_000), labels=[0])
    return path.read_bytes()


@pytest.mark.parametrize(
    "broken",
    [
        lambda whole: b"",
        lambda whole: b"no archive",
        lambda whole: b"PK\x03\x04 no archive",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:200] + bytes(100) + whole[300:],
        lambda whole: b"\x93NUMPY",
    ],
)
def test_broken_files_are_refused(tmp_path, broken):
    path = tmp_path / "test.npz"
    path.write_bytes(broken(_archive(path)))
    with pytest.raises(FileError, match=r"test.npz: cannot be read as an .npz file"):
        read_labelled(path)


def test_a_file_of_one_array_and_one_of_several_are_told_apart(tmp_path):
    np.save(tmp_path / "one.npy", IMAGES)
    np.savez(tmp_path / "several.npz", images=IMAGES)
    assert read_array(tmp_path / "one.npy", mapped=True).shape == (2, 8, 8, 3)
    with pytest.raises(FileError, match=r"one.npy: cannot be read as an .npz file"):
        read_arrays(tmp_path / "one.npy", ["images"])
    with pytest.raises(FileError, match=r"several.npz: holds several arrays"):
        read_array(tmp_path / "several.npz")
    (tmp_path / "broken.npy").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(FileError, match=r"broken.npy: neither a folder of images nor a readable .npy file"):
        read_array(tmp_path / "broken.npy")


def test_labelled_images_are_finite_numbers(tmp_path):
    images = np.zeros((3, 2, 2, 3))
    images[2, 0, 1, 0], images[1, 1, 1, 2] = np.nan, np.inf
    np.savez(tmp_path / "test.npz", images=images, labels=[0, 1, 1])
    with pytest.raises(FileError, match=r"test.npz: image 1 has numbers that are NaN or infinite"):
        read_labelled(tmp_path / "test.npz")
