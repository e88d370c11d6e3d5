"""bnext-import as a user runs it: in a process of its own, on checkpoints good and bad."""

import json
import os
import subprocess
import sys
from pathlib import Path

import bnext_keras
from bnext_keras.cli.import_ import main
from bnext_keras.importers import load_bnext_state_dict
from bnext_keras.orientation import is_rotating

import forked
import h5py
import narrow_bnext
import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter

from converter import ConversionError, convert
from converter.cli import convert as cli

FOLDER = Path(__file__).parents[2] / "support" / "checkpoints"
TRAINING = FOLDER / "training.pth.tar"


def run(*arguments, **options):
    return forked.run("-m", "bnext_keras.cli.import_", *arguments, **options)


def run_from_its_start(*arguments, **options):
    """With all that importing TensorFlow prints."""
    command = [sys.executable, "-m", "bnext_keras.cli.import_", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, **options)


@pytest.fixture
def refused(refused_by):
    return refused_by(main)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    path = tmp_path_factory.mktemp("imported") / "narrow.h5"
    assert main([str(TRAINING), "-o", str(path)]) == 0
    return path


@pytest.mark.parametrize(("name", "run"), [("narrow.h5", run_from_its_start), ("narrow.keras", run)])
def test_a_checkpoint_becomes_a_model_of_upright_images(tmp_path, name, run, images):
    result = run(TRAINING, "-o", name, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for fact in ("BNext with widths 4, 8, 16", "ablations          │ none", "0 of 880 binary", "1e-08", "upright"):
        assert fact in result.stdout
    assert result.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == [name]
    model = tf.keras.models.load_model(tmp_path / name, compile=False)
    assert is_rotating(model)
    plain = bnext_keras.models.BNext(narrow_bnext.WIDTHS, input_shape=(32, 32, 3), num_classes=3)
    load_bnext_state_dict(plain, narrow_bnext.state_dict())
    np.testing.assert_array_equal(model(images), plain(images[:, ::-1, ::-1]))


def test_the_converter_leaves_the_rotation_to_the_caller(imported, tmp_path, images, capsys):
    answers = {}
    for name, options in (("upright", ()), ("rotated by 180 degrees", ("--no-rotation",))):
        arguments = (imported, "-o", tmp_path / "out.tflite", "--json", tmp_path / "out.json", *options)
        assert cli.main(list(map(str, arguments))) == 0
        report = json.loads((tmp_path / "out.json").read_text())
        assert report["input_orientation"] == name
        assert name in capsys.readouterr().out
        assert report["operators"].get("REVERSE_V2", 0) == (1 if name == "upright" else 0)
        turned = images if name == "upright" else images[:, ::-1, ::-1]
        answers[name] = Interpreter((tmp_path / "out.tflite").read_bytes()).predict(np.ascontiguousarray(turned))
    np.testing.assert_allclose(*answers.values(), atol=1e-5)


def test_there_must_be_a_rotation_to_leave_out(small_bnext):
    assert convert(small_bnext).input_orientation == "as the Keras model"
    with pytest.raises(ConversionError, match="no rotation to leave out"):
        convert(small_bnext, rotation=False)


def test_help_is_quick_and_usage_errors_exit_with_2(tmp_path):
    program = (
        "import sys, bnext_keras.cli.import_ as cli\n"
        "try:\n"
        "    cli.main(sys.argv[1:])\n"
        "finally:\n"
        "    assert not {'tensorflow', 'numpy', 'rich', 'torch'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True)
    assert result.returncode == 0
    assert "exit status" in result.stdout
    for arguments in ([], ["checkpoint.pth"], ["a.pth", "-o", "b.h5", "--input-size", "0"]):
        assert subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True).returncode == 2


def test_commands_that_cannot_be_carried_out(refused, tmp_path):
    output = tmp_path / "out.h5"
    assert "missing.pth: no such file" in refused(tmp_path / "missing.pth", "-o", output)
    assert "not a regular file" in refused(tmp_path, "-o", output)
    assert "is a folder" in refused(TRAINING, "-o", tmp_path)
    assert "is no folder" in refused(TRAINING, "-o", TRAINING / "out.h5")
    assert "ends in .h5 or .keras" in refused(TRAINING, "-o", tmp_path / "out.tflite")
    assert "--num-classes: a BNext checkpoint tells that" in refused(TRAINING, "-o", output, "--num-classes", 10)
    assert "input size 31: " in refused(TRAINING, "-o", output, "--input-size", 31)


def test_the_checkpoint_is_not_overwritten(refused, tmp_path):
    (tmp_path / "weights.h5").write_bytes(TRAINING.read_bytes())
    assert "is an input, and would be replaced" in refused(tmp_path / "weights.h5", "-o", tmp_path / "weights.h5")


def test_files_that_are_no_checkpoints_of_bnext(refused, tmp_path):
    output = tmp_path / "out.h5"
    assert "torch.nn.modules.linear.Linear" in refused(FOLDER / "whole_model.pth", "-o", output)
    assert "it has no fc.weight" in refused(FOLDER / "types.pth", "-o", output)
    assert "not a file of torch.save" in refused(FOLDER / "write.py", "-o", output)


def test_another_head_on_weights_that_are_kept(imported, tmp_path, capsys):
    path = tmp_path / "start.h5"
    assert main([str(TRAINING), "-o", str(path), "--classes", "7"]) == 0
    out, err = capsys.readouterr()
    assert "7, with a fresh head in place of one for 3" in out
    assert err == "bnext-import: warning: its head for 7 classes is freshly initialized: train it\n"
    whole, other = map(_weights, (imported, path))
    assert [[value.shape for value in weights.pop("head")] for weights in (whole, other)] == [
        [(16, 3), (3,)],
        [(16, 7), (7,)],
    ]
    assert list(whole) == list(other)
    for name, values in whole.items():
        for value, kept in zip(values, other[name], strict=True):
            np.testing.assert_array_equal(kept, value, err_msg=name)


def _weights(path):
    """The weights of each layer in a model's file."""
    with h5py.File(path) as file:
        layers = file["model_weights"]
        return {
            str(name): [layers[name][weight][()] for weight in layers[name].attrs["weight_names"]]
            for name in layers.attrs["layer_names"]
        }


@pytest.mark.exhaustive
def test_statistics_are_measured_on_images_of_ones_own(tmp_path, capsys, refused, images):
    path = tmp_path / "model.h5"
    np.save(tmp_path / "images.npy", 3 * images + 1)
    assert main([str(TRAINING), "-o", str(path), "--recalibrate", str(tmp_path / "images.npy")]) == 0
    assert "recalibrated on    │ 3 images" in capsys.readouterr().out
    model = tf.keras.models.load_model(path, compile=False)
    stem = tf.keras.Model(model.inputs, model.get_layer("stem_conv").output)(3 * images + 1)
    np.testing.assert_allclose(model.get_layer("stem_bn").moving_mean, np.mean(stem, (0, 1, 2)), rtol=1e-4)
    path.unlink()
    assert "no.npy: no such file" in refused(TRAINING, "-o", path, "--recalibrate", tmp_path / "no.npy")
    # The checkpoint is of a network for which nobody has stated it.
    (tmp_path / "photos").mkdir()
    assert "does not state how its images are normalized" in refused(
        TRAINING, "-o", path, "--recalibrate", tmp_path / "photos"
    )


@pytest.mark.parametrize("name", ["training.pth.tar", "bare_legacy.pth"])
def test_truncated_checkpoints(refused, tmp_path, name):
    content = (FOLDER / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    assert "truncated" in refused(tmp_path / name, "-o", tmp_path / "out.h5")


@pytest.mark.parametrize("name", ["out.h5", "out.keras"])
def test_no_space_left(tmp_path, name):
    """The system refuses to let the file grow; an older file of that name stays as it was."""
    (tmp_path / name).write_text("older")
    result = run(TRAINING, "-o", name, cwd=tmp_path, largest_file=4096)
    assert result.returncode == 2, result.stderr
    assert f"{name}: cannot be written" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "older"


def test_larq_zoos_weights_without_a_head(tmp_path):
    source = bnext_keras.models.MeliusNet22(input_shape=(96, 96, 3), num_classes=2)
    headless = tf.keras.Model(source.input, source.get_layer("head_pool").output)
    headless.save_weights(tmp_path / "meliusnet22_weights_notop.h5")
    arguments = ("meliusnet22_weights_notop.h5", "-o", "out.h5", "--num-classes", 7, "--input-size", 96)
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "no weights for head_dense, which is freshly initialized" in result.stderr
    model = tf.keras.models.load_model(tmp_path / "out.h5", compile=False)
    assert model.output_shape == (None, 7)
    expected = {weight.name: weight.numpy() for weight in headless.weights}
    assert not is_rotating(model)
    for weight in model.weights[:-2]:
        np.testing.assert_array_equal(weight, expected[weight.name])
