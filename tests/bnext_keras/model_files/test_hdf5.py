import zipfile

from bnext_keras.errors import CheckpointError, FileError, StateDictError
from bnext_keras.importers import load_larq_zoo_weights
from bnext_keras.model_files import load_model, open_hdf5

import foreign_models
import h5py
import numpy as np
import pytest

KERNEL = "model_weights/dense/dense/kernel:0"


def external_storage(file, secret):
    del file[KERNEL]
    file.create_dataset(KERNEL, (4, 3), "f4", external=[(str(secret), 0, 48)])


def virtual_dataset(file, secret):
    del file[KERNEL]
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "kernel", (4, 3))
    file.create_virtual_dataset(KERNEL, layout)


def external_link(file, secret):
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink(str(secret), "kernel")


def soft_link(file, secret):
    file[KERNEL + "2"] = h5py.SoftLink("/" + KERNEL)


def linked_weights(file, secret):
    del file["model_weights"]
    file["model_weights"] = h5py.ExternalLink(str(secret), "/")


STRANGERS = {
    "a .tflite file": (b"\x1c\0\0\0TFL3", "model.h5", "under a name that ends in .tflite"),
    "an ONNX file": (b"\x08\x08\x12\x07tf2onnx\x1a\x06" + bytes(20), "model.onnx", "it runs in ONNX Runtime"),
    "an HDF5 file": (b"\x89HDF\r\n\x1a\n", "model.keras", "give it a name that ends in .h5"),
    "a pickle, such as PyTorch's old checkpoints": (b"\x80\x02}q\0", "model.pth", "bnext-import reads these"),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_files_of_other_kinds_are_called_by_what_they_are(kind, tmp_path):
    content, name, remedy = STRANGERS[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError) as refused:
        load_model(tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path / name}: not a Keras file but {kind}; ")
    assert remedy in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "kind"), [("config.json", "a .keras file"), ("archive/data.pkl", "a PyTorch checkpoint")]
)
def test_archives_are_told_by_what_is_in_them(entry, kind, tmp_path):
    with zipfile.ZipFile(tmp_path / "model.h5", "w") as archive:
        archive.writestr(entry, "{}")
    with pytest.raises(FileError, match=f"not a Keras file but {kind}; "):
        load_model(tmp_path / "model.h5")


def huge(file, secret):
    del file[KERNEL]
    file.create_dataset(KERNEL, (10**6, 10**6), "f4", chunks=(100, 100))


@pytest.mark.parametrize(
    ("craft", "words"),
    [
        (external_storage, f"'/{KERNEL}' is stored in another file"),
        (virtual_dataset, f"'/{KERNEL}' is put together from other datasets"),
        (external_link, f"'/{KERNEL}' is a link to another file"),
        (soft_link, f"'/{KERNEL}2' is a symbolic link"),
        (linked_weights, "'/model_weights' is a link to another file"),
        (huge, f"'/{KERNEL}' is larger than what the file can hold"),
    ],
)
def test_weights_from_other_files_are_refused_by_every_reader(tmp_path, craft, words):
    model, path, secret = foreign_models.network(), tmp_path / "net.h5", tmp_path / "secret"
    model.save(path)
    with h5py.File(secret, "w") as file:
        file["kernel"] = np.ones((4, 3), "f4")
    with h5py.File(path, "r+") as file:
        craft(file, secret)
    for read in (load_model, lambda path: load_model(path, trusted=True)):
        with pytest.raises(FileError) as error:
            read(path)
        assert words in str(error.value)
    with pytest.raises(CheckpointError) as error:
        load_larq_zoo_weights(model, path)
    assert words in str(error.value)


def test_circles_of_hard_links(tmp_path):
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["a/b"] = file.create_group("a")
    with open_hdf5(tmp_path / "net.h5") as file:
        assert list(file["a/b/b"]) == ["b"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.full((4, 3), np.nan, "f4"), "is not finite"),
        (np.full((4, 3), np.inf, "f4"), "is not finite"),
        (np.ones((4, 3), bool), "holds bool"),
        (np.ones((4, 3), "i8"), "holds int64"),
        (np.ones((4, 3), "c8"), "holds complex64"),
        (np.full((4, 3), b"a", "S1"), "holds |S1"),
    ],
)
def test_weights_that_are_no_numbers(tmp_path, value, words):
    model, path = foreign_models.network(), tmp_path / "weights.h5"
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        del file["dense/dense/kernel:0"]
        file["dense/dense/kernel:0"] = value
    before = model.get_weights()[0]
    with pytest.raises(StateDictError) as error:
        load_larq_zoo_weights(model, path)
    assert words in str(error.value)
    assert "kernel:0" in str(error.value)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_a_whole_model_is_no_file_of_larq_zoo(tmp_path):
    foreign_models.network().save(tmp_path / "net.h5")
    other = foreign_models.tf.keras.Sequential([foreign_models.tf.keras.layers.Dense(2, input_shape=(3,))])
    with pytest.raises(StateDictError, match="but a whole Keras model, which bnext-convert takes"):
        load_larq_zoo_weights(other, tmp_path / "net.h5")
