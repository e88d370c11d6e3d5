"""From images to a file for phones, by commands: what one of them leaves, the next one takes."""

import json

from bnext_keras.cli.train import main as train
from bnext_keras.quantizers import temperatures

import numpy as np
import pytest
import tensorflow as tf

from converter.cli.convert import main as convert

#: Of the recipe for CIFAR-10: a narrow network for few images, and as few epochs as have soft and binary kernels.
NARROW = ["model=BNext", "widths=8,16", "epochs=2", "warmup_epochs=0", "batch_size=10"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A few images of noise in the files of CIFAR-10's binary version, each class brighter than the one before."""
    folder = tmp_path_factory.mktemp("hour")
    (folder / "cifar-10-batches-bin").mkdir()
    random = np.random.default_rng(0)
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        rows = random.integers(0, 100, (10, 1 + 3072), np.uint8)
        rows[:, 0] = np.arange(10)
        rows[:, 1:] += 15 * rows[:, :1]
        rows.tofile(folder / "cifar-10-batches-bin" / name)
    names = [f"brightness_{i}" for i in range(10)]
    (folder / "cifar-10-batches-bin" / "batches.meta.txt").write_text("\n".join([*names, "", ""]))
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    """The run of the command that README and guides show."""
    command = ["cifar10", "--data", f"{folder}/cifar-10-batches-bin/", "--out", f"{folder}/runs/cifar"]
    assert train([*command, *NARROW]) == 0
    return folder / "runs" / "cifar" / "best.h5"


def test_the_cifar_recipe_ends_in_a_file_that_is_verified(trained, tmp_path):
    report = tmp_path / "report.json"
    assert convert([str(trained), "--json", str(report)]) == 0
    assert trained.with_suffix(".tflite").read_bytes()[4:8] == b"TFL3"
    found = json.loads(report.read_text())
    assert found["verification"]["passed"] is True
    assert found["operators"]["LceBconv2d"] == 3
    assert not [advice for advice in found["advice"] if "temperature" in advice["what"]]


def test_a_run_that_could_not_be_converted_is_not_begun(folder, tmp_path, refused_by):
    command = ["cifar10", "--data", folder / "cifar-10-batches-bin", "--out", tmp_path / "run"]
    message = refused_by(train)(*command, "epochs=100", "temperature_decay=0.9")
    assert message == (
        "bnext-train: temperature_decay=0.9: the weight temperature is still 3e-05 in the last of 100 epochs: kernels "
        "that are binary by then take a decay of 0.849 at most, or 154 epochs; "
        "temperature_decay=0 fits the decay to the epochs"
    )


def test_a_model_that_ended_soft_is_converted_with_harden_alone(trained, tmp_path, refused_by):
    model = tf.keras.models.load_model(trained)
    for temperature in temperatures(model).values():
        temperature.assign(0.25)
    model.save(tmp_path / "soft.h5")
    message = refused_by(convert)(tmp_path / "soft.h5")
    assert "its weight temperature is 0.25, not annealed" in message
    assert "bnext-convert --harden" in message
    report = tmp_path / "report.json"
    assert convert([str(tmp_path / "soft.h5"), "--harden", "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    assert found["verification"]["passed"] is True
    hardened = {advice["layer"] for advice in found["advice"] if "its kernel was hardened" in advice["what"]}
    assert hardened == set(temperatures(model))
