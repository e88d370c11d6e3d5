"""Runs that are killed, and folders that cannot be written."""

import csv
import shutil
from pathlib import Path

import bnext_keras
from bnext_keras.cli.train import main
from bnext_keras.training.history import History

import forked
import numpy as np
import pytest
import tensorflow as tf

# Two weak teachers take turns and the temperature falls, so that every state of the method changes within the run.
SETTINGS = [
    "widths=8,16",
    "epochs=3",
    "batch_size=256",
    "teacher_epochs=1",
    "weak_teachers=ConvNet2,ConvNet3",
    "strong_teacher=ConvNet3",
    "temperature_decay=1e-4",
]
KILLED = -9

#: The run.json of these settings as version 0.1 wrote it.
OLD_RUN = """{
 "recipe": {
  "model": "BNext", "widths": [8, 16], "stem_stride": 2, "elm_attention": true, "info_recoupling": true,
  "num_classes": 10, "image_size": 32, "data": "digits", "label_offset": 0, "augmentation": "shift",
  "color_jitter": 0.0, "random_erasing": 0.0, "mixup": 0.0, "cutmix": 0.0, "normalization": "imagenet",
  "batch_size": 256, "epochs": 3, "optimizer": "two_group_adamw", "learning_rate": 0.002,
  "warmup_learning_rate": 2e-05, "final_learning_rate": 0.0, "warmup_epochs": 1, "weight_decay": 0.001,
  "kernel_weight_decay": 1e-08, "clip_norm": 5.0, "weight_temperature": true, "temperature_decay": 0.0001,
  "weak_teachers": ["ConvNet2", "ConvNet3"], "strong_teacher": "ConvNet3", "teacher_epochs": 1,
  "label_weight": 0.0, "per_example": true, "seed": 0
 },
 "data": "digits",
 "strategy": "none",
 "devices": 1,
 "versions": {"bnext_keras": "0.1.0", "tensorflow": "2.21.0"}
}
"""


def run(folder, *arguments, program=("-m", "bnext_keras.cli.train"), **options):
    return forked.run(*program, "digits", "--out", folder, *SETTINGS, *arguments, **options)


def run_killed(folder, moment, *arguments):
    """Ends at one of the moments of killed_run.py; returns the name of the checkpoint that counts then."""
    result = run(
        folder, *arguments, program=(Path(__file__).parents[2] / "support" / "programs" / "killed_run.py", moment)
    )
    assert result.returncode == KILLED, result.stderr
    return Path(tf.train.latest_checkpoint(folder / "checkpoints")).name


def weights(path):
    model = tf.keras.models.load_model(path)
    return {weight.name: weight.numpy() for weight in [*model.weights, *model.optimizer.variables]}


def assert_same_run(folder, other):
    expected, found = weights(folder / "final.h5"), weights(other / "final.h5")
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert (other / "history.csv").read_bytes() == (folder / "history.csv").read_bytes()
    expected, found = weights(folder / "best.h5"), weights(other / "best.h5")
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "uninterrupted"
    result = run(folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def killed_in_epoch_2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "killed"
    assert run_killed(folder, 0) == "ckpt-1"
    return folder


@pytest.fixture
def killed(killed_in_epoch_2, tmp_path):
    return shutil.copytree(killed_in_epoch_2, tmp_path / "killed")


def test_a_run_that_is_killed_ends_with_the_same_weights(uninterrupted, killed):
    result = run(killed, "--resume")
    assert result.returncode == 0, result.stderr
    assert "Epoch 2/3" in result.stdout
    assert "Epoch 1/3" not in result.stdout
    assert_same_run(uninterrupted, killed)


@pytest.mark.exhaustive
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_weights(uninterrupted, killed):
    # Checkpoint 2 is complete, but does not count yet.
    assert run_killed(killed, 1, "--resume") == "ckpt-1"
    assert run_killed(killed, 2, "--resume") == "ckpt-2"
    result = run(killed, "--resume")
    assert result.returncode == 0, result.stderr
    assert "Epoch 3/3" in result.stdout
    assert "Epoch 2/3" not in result.stdout
    assert_same_run(uninterrupted, killed)


def test_history_has_each_epoch_once_and_the_method_moved_on(uninterrupted):
    with (uninterrupted / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["weak_teacher"]) for row in rows] == [0, 0, 1]
    assert [float(row["weight_temperature"]) for row in rows] == [1, 1e-4, 0]
    assert len({row["learning_rate"] for row in rows}) == 3


def test_a_run_leaves_models_that_anyone_loads(uninterrupted):
    names = {path.name for path in uninterrupted.iterdir()}
    files = {"best.h5", "final.h5", "history.csv", "history.json", "curves.png", "run.json"}
    assert names == files | {"checkpoints", "tensorboard", "teachers"}
    model = tf.keras.models.load_model(uninterrupted / "best.h5")
    assert model.output_shape == (None, 10)
    assert isinstance(model.optimizer, bnext_keras.training.TwoGroupAdamW)


def test_other_settings_do_not_continue_a_run(uninterrupted, refused_by):
    refused = refused_by(main)
    message = refused("digits", "--out", uninterrupted, *SETTINGS, "--resume", "epochs=5", "weight_decay=0.5")
    assert "optimizer.weight_decay was 0.001, now 0.5; schedule.epochs was 3, now 5" in message


def test_a_run_of_an_earlier_version_continues(uninterrupted, tmp_path, refused_by, capsys):
    folder = shutil.copytree(uninterrupted, tmp_path / "old")
    (folder / "run.json").write_text(OLD_RUN)
    refused = refused_by(main)
    message = refused("digits", "--out", folder, *SETTINGS, "--resume", "epochs=5", "elm_attention=false")
    assert (
        "settings: model_options.elm_attention was unset, now false; "
        "schedule.epochs was 3, now 5 (the learning rate of epoch 3 would have been another); "
    ) in message
    before = weights(folder / "final.h5")
    assert main(["digits", "--out", str(folder), *SETTINGS, "--resume"]) == 0
    assert "Epoch" not in capsys.readouterr().out
    np.testing.assert_equal(weights(folder / "final.h5"), before)


def test_a_finished_run_is_not_trained_further(uninterrupted, capsys):
    before = weights(uninterrupted / "final.h5")
    assert main(["digits", "--out", str(uninterrupted), *SETTINGS, "--resume"]) == 0
    assert "Epoch" not in capsys.readouterr().out
    np.testing.assert_equal(weights(uninterrupted / "final.h5"), before)


def test_no_space_left(killed):
    """The system lets no file grow to the size that the checkpoint of this run has."""
    content = {path.name: path.read_bytes() for path in (killed / "checkpoints").iterdir()}
    limit = 30_000
    assert max(map(len, content.values())) > limit
    result = run(killed, "--resume", largest_file=limit)
    assert result.returncode == 2, result.stderr
    assert "cannot be written" in result.stderr
    assert "ckpt-1: make room, then continue with --resume" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in (killed / "checkpoints").iterdir()} == content


def test_the_best_epoch_is_the_most_accurate_one_with_binary_kernels():
    history = History()
    for epoch, (accuracy, temperature) in enumerate([(0.9, 0.5), (0.5, 0.0), (0.7, 0.0), (0.7, 0.0)]):
        history.add(epoch, {"val_accuracy": accuracy, "weight_temperature": temperature, "loss": float("nan")})
    assert history.best()["epoch"] == 2
    assert history.as_csv().splitlines()[1] == b"1,0.9,0.5,"
