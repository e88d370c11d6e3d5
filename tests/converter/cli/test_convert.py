"""bnext-convert as a user runs it: in a process of its own, on files good and bad."""

import io
import json
import os
import subprocess
import sys

import bnext_keras
from bnext_keras.layers import LearnableBias
from bnext_keras.quantizers import temperatures

import forked
import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter
from PIL import Image

from android_demo.runner import Interpreter as Engine
from converter.cli.convert import main


def run(*arguments, **options):
    return forked.run("-m", "converter.cli.convert", *arguments, **options)


def run_from_its_start(*arguments, cwd):
    command = [sys.executable, "-m", "converter.cli.convert", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small BNext saved in every way."""
    folder = tmp_path_factory.mktemp("models")
    tf.keras.utils.set_random_seed(1)
    model = bnext_keras.models.BNext([32, 64, 128], input_shape=(32, 32, 3), num_classes=10, name="small_bnext")
    for name in ("model.h5", "model.keras", "saved_model"):
        model.save(folder / name)
    return folder


@pytest.fixture
def refused(refused_by):
    return refused_by(main)


@pytest.mark.parametrize(("options", "multiplications"), [(["--no-simplify"], 23), ([], None)])
def test_simplification_can_be_left_out(folder, tmp_path, options, multiplications):
    report = tmp_path / "report.json"
    assert main([str(folder / "model.h5"), "-o", str(tmp_path / "out.tflite"), "--json", str(report), *options]) == 0
    found = json.loads(report.read_text())
    if multiplications is not None:
        # Two for the mix, gate and second normalization of each of six processors, and the ELM-attention of one; but
        # where two processors read one map, the same half of it goes into both mixes at first.
        assert found["operators"]["MUL"] == multiplications
    assert ("gather_gates" in [entry["name"] for entry in found["passes"]]) == (multiplications is None)


def test_the_engine_is_verified_as_lce_is(folder, tmp_path, capsys):
    report, page = tmp_path / "report.json", tmp_path / "report.html"
    options = ["--verify-engine", "--json", str(report), "--report", str(page), "-o", str(tmp_path / "out.tflite")]
    assert main([str(folder / "model.h5"), *options]) == 0
    assert "the engine" in capsys.readouterr().out
    found = json.loads(report.read_text())
    engine = found["engines"]["the engine"]
    assert engine["passed"]
    assert engine["errors"] == []
    assert engine["signs"] * 2 == found["verification"]["signs"] or engine["signs"] == found["verification"]["signs"]
    assert engine["max_difference_same_signs"] < 1e-4 * engine["largest_output"]
    assert found["profile"]["engine"]["network"] > 0
    assert "The engine: the same first answer for 100" in page.read_text()


def test_folders_of_what_is_written_are_made(folder, tmp_path):
    file, report = tmp_path / "new" / "out.tflite", tmp_path / "reports" / "today" / "report.json"
    assert main([str(folder / "model.h5"), "-o", str(file), "--json", str(report)]) == 0
    assert json.loads(report.read_text())["size"] == file.stat().st_size


def test_an_engine_that_is_wrong_keeps_the_file_from_being_written(folder, tmp_path, monkeypatch, capsys):
    class Wrong(Engine):
        def run(self, inputs):
            answers, *signs = super().run(inputs)
            return [answers + 1, *signs]

    monkeypatch.setattr("android_demo.runner.Interpreter", Wrong)
    assert main([str(folder / "model.h5"), "--verify-engine", "-o", str(tmp_path / "out.tflite")]) == 1
    assert "with the engine the outputs differ by" in capsys.readouterr().err
    assert not (tmp_path / "out.tflite").exists()


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "saved_model"])
def test_a_saved_model_becomes_a_file_with_the_same_answers(folder, tmp_path, name):
    result = run(folder / name, "-o", "out.tflite", "--json", "out.json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "6 of 6 became LceBconv2d" in result.stdout
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["verification"]["float_convs"] == []
    assert len(report["verification"]["binary_convs"]) == 6
    assert report["operators"]["LceBconv2d"] == 6
    assert report["verification"]["passed"] is True
    assert report["size"] == (tmp_path / "out.tflite").stat().st_size
    assert report["theoretical_size"] <= report["size"]
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    model = tf.keras.models.load_model(folder / name, compile=False)
    answers = Interpreter((tmp_path / "out.tflite").read_bytes()).predict(images)
    np.testing.assert_array_equal(answers.argmax(-1), model.predict(images, verbose=0).argmax(-1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.tflite"]


def test_by_default_the_file_lies_beside_the_model(folder, tmp_path):
    (tmp_path / "model.h5").write_bytes((folder / "model.h5").read_bytes())
    assert run_from_its_start("model.h5", cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.h5", "model.tflite"]


def test_weights_only_with_the_models_name(tmp_path):
    bnext_keras.models.BNext18(input_shape=(32, 32, 3), num_classes=7).save_weights(tmp_path / "only.weights.h5")
    arguments = ("only.weights.h5", "--model", "BNext18", "--input-size", 32, "--num-classes", 7)
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "16 of 16 became LceBconv2d" in result.stdout


@pytest.mark.parametrize("kind", ["images", "npy"])
def test_the_users_data_is_verified_too(folder, tmp_path, kind):
    data = tmp_path / "data"
    if kind == "images":
        data.mkdir()
        for i in range(3):
            Image.fromarray(np.full((40, 50, 3), 60 * i, np.uint8)).save(data / f"{i}.png")
    else:
        data = tmp_path / "data.npy"
        np.save(data, np.random.default_rng(0).normal(size=(3, 32, 32, 3)))
    result = run(folder / "model.h5", "-o", tmp_path / "out.tflite", "--verify-data", data, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "11 inputs" in result.stdout


def test_help_is_quick_and_usage_errors_exit_with_2(tmp_path):
    program = (
        "import sys, converter.cli.convert\n"
        "try:\n"
        "    converter.cli.convert.main(['--help'])\n"
        "finally:\n"
        "    assert 'tensorflow' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0
    assert "exit status" in result.stdout
    assert result.stdout.startswith("usage: bnext-convert [options] MODEL\n       bnext-convert advise MODEL\n")
    assert run(cwd=tmp_path).returncode == 2
    assert run("model.h5", "--input-size", "many", cwd=tmp_path).returncode == 2


def test_no_such_file(refused, tmp_path):
    assert "missing.h5: no such file" in refused(tmp_path / "missing.h5")


@pytest.mark.parametrize("name", ["text.h5", "text.keras", "text.tflite"])
def test_not_a_keras_file(refused, tmp_path, name):
    (tmp_path / name).write_text("not a model")
    assert "not a Keras file" in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_truncated_files(refused, folder, tmp_path, name):
    content = (folder / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    assert "truncated" in refused(tmp_path / name)


def test_a_folder_that_is_no_saved_model(refused, tmp_path):
    assert "no saved_model.pb" in refused(tmp_path)


def test_a_folder_of_a_training_run(refused, tmp_path):
    (tmp_path / "final.h5").touch()
    (tmp_path / "best.h5").touch()
    assert f"name the file in it: {tmp_path / 'best.h5'}" in refused(tmp_path)


def test_several_models(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["a.h5", "b.h5", "c.h5"])
    assert "takes one model at a time, not b.h5 c.h5 too" in capsys.readouterr().err


def test_a_model_with_code_in_it(refused, tmp_path):
    image = tf.keras.Input((8,))
    tf.keras.Model(image, tf.keras.layers.Lambda(lambda x: x)(image)).save(tmp_path / "model.h5")
    assert "is a layer Lambda, which runs Python code that the file brings; use --trust" in refused(
        tmp_path / "model.h5"
    )


def test_a_broken_saved_model(refused, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 100)
    assert "not readable as a Keras model" in refused(tmp_path, "-o", tmp_path / "out.tflite")


def test_an_unknown_layer(refused, tmp_path):
    class Mystery(LearnableBias):
        pass

    image = tf.keras.Input((32, 32, 3))
    tf.keras.Model(image, Mystery()(image)).save(tmp_path / "model.h5")
    assert "Mystery" in refused(tmp_path / "model.h5")


def test_weights_without_their_architecture(refused, tmp_path, small_bnext):
    small_bnext.save_weights(tmp_path / "weights.h5")
    assert "holds weights without an architecture; name it: --model BNextTiny" in refused(tmp_path / "weights.h5")
    assert "rebuild it in Python, load these weights and save it whole" in refused(tmp_path / "weights.h5")
    assert "not one of BNextTiny" in refused(tmp_path / "weights.h5", "--model", "BNextHuge")
    arguments = ("--model", "BNextTiny", "--input-size", 32, "--num-classes", 10)
    assert "not the weights of BNextTiny" in refused(tmp_path / "weights.h5", *arguments)
    assert "must be multiples of 32" in refused(tmp_path / "weights.h5", "--model", "BNextTiny", "--input-size", 100)


def test_an_architecture_for_a_whole_model(refused, tmp_path, small_bnext):
    small_bnext.save(tmp_path / "model.keras")
    assert "leave out --model" in refused(tmp_path / "model.keras", "--model", "BNextTiny")


def test_a_dynamic_shape(refused, tmp_path):
    bnext_keras.models.BNext([8, 16], input_shape=(None, None, 3), num_classes=2).save(tmp_path / "model.h5")
    assert "dynamic input shape (None, None, None, 3)" in refused(tmp_path / "model.h5")


def test_float64(refused, tmp_path, float64):
    bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2).save(tmp_path / "model.h5")
    assert "is float64" in refused(tmp_path / "model.h5")


def test_a_kernel_that_is_not_binary(refused, tmp_path, conv_model):
    conv_model((8, 8, 32), filters=32, kernel_size=3, kernel_quantizer="ste_tern").save(tmp_path / "model.h5")
    assert "layer 'conv': its kernel is not binary" in refused(tmp_path / "model.h5")


def test_a_temperature_that_is_not_annealed(refused, tmp_path, small_bnext):
    list(temperatures(small_bnext).values())[2].assign(0.25)
    small_bnext.save(tmp_path / "model.h5")
    assert "layer 'block1_1x1b_conv': its weight temperature is 0.25, not annealed" in refused(tmp_path / "model.h5")


def npy_header(samples):
    """The beginning of a file that promises so many inputs, of which none follows."""
    header = io.BytesIO()
    description = {"descr": "<f4", "fortran_order": False, "shape": (samples, 32, 32, 3)}
    np.lib.format.write_array_header_1_0(header, description)
    return header.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda path: np.save(path, np.zeros((2, 16, 16, 3))), "has shape (2, 16, 16, 3)"),
        (lambda path: np.save(path, np.zeros((0, 32, 32, 3))), "at least one input"),
        (lambda path: np.save(path, np.full((1, 32, 32, 3), np.nan)), "finite"),
        (lambda path: np.save(path, np.zeros((1, 32, 32, 3), np.uint8)), "data are uint8, pixels as they are"),
        (lambda path: np.save(path, np.array([{}], object)), "readable .npy"),
        (lambda path: path.write_bytes(b"\x93NUMPY"), "readable .npy"),
        (lambda path: path.write_bytes(b""), "readable .npy"),
        (lambda path: path.write_bytes(npy_header(10**12)), "readable .npy"),
        (lambda path: path.mkdir(), "has no images"),
        (
            lambda path: (path.mkdir(), (path / "broken.png").write_bytes(b"?")),
            "data.npy: none of the images can be read; 1 broken image skipped: ",
        ),
        (lambda path: None, "no such file"),
    ],
)
def test_verification_data_that_does_not_fit(refused, folder, tmp_path, data, message):
    path = tmp_path / "data.npy"
    data(path)
    output = tmp_path / "out.tflite"
    assert message.lower() in refused(folder / "model.h5", "-o", output, "--verify-data", path).lower()


def test_an_output_that_cannot_be_written(refused, folder, tmp_path):
    (tmp_path / "file").touch()
    assert "file is no folder" in refused(folder / "model.h5", "-o", tmp_path / "file" / "out.tflite")
    assert "is a folder" in refused(folder / "model.h5", "-o", tmp_path)
    assert "is a folder" in refused(folder / "model.h5", "-o", tmp_path / "out.tflite", "--json", tmp_path)


def test_a_mean_that_is_no_number(capsys, folder):
    with pytest.raises(SystemExit):
        main([str(folder / "model.h5"), "--mean", "a"])
    assert "argument --mean: 'a' is no number, nor three such as 0.5,0.5,0.5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "options", "written"),
    [("other.h5", [], ".tflite"), ("model.onnx", [], ".tflite"), ("x.tflite", ["--target", "onnx"], ".onnx")],
)
def test_an_output_with_the_name_of_another_format(refused, folder, tmp_path, name, options, written):
    (tmp_path / name).write_bytes(b"trained for a week")
    message = refused(folder / "model.h5", "-o", tmp_path / name, *options)
    assert f", and a {written} file is written; name one that ends so" in message
    assert (tmp_path / name).read_bytes() == b"trained for a week"


@pytest.mark.parametrize("option", ["-o", "--json", "--report"])
def test_a_name_that_is_too_long(refused, tmp_path, option):
    (tmp_path / "model.h5").touch()
    assert "cannot be written (File name too long)" in refused(tmp_path / "model.h5", option, tmp_path / ("x" * 256))


@pytest.mark.parametrize("option", ["-o", "--json", "--report"])
def test_the_model_itself_is_never_an_output(refused, tmp_path, option):
    (tmp_path / "model.h5").write_bytes(b"trained for a week")
    assert "model.h5: is an input, and would be replaced" in refused(
        tmp_path / "model.h5", option, tmp_path / "model.h5"
    )
    assert (tmp_path / "model.h5").read_bytes() == b"trained for a week"


@pytest.mark.parametrize("options", [["--json", "model.tflite"], ["-o", "out", "--report", "out"]])
def test_two_outputs_have_two_names(refused, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.h5").touch()
    assert "is named for two outputs" in refused("model.h5", *options)


def test_a_pipe_or_a_device_is_no_output(refused, tmp_path):
    (tmp_path / "model.h5").touch()
    os.mkfifo(tmp_path / "pipe")
    assert "pipe: is no regular file" in refused(tmp_path / "model.h5", "-o", tmp_path / "pipe")


def test_nor_is_the_model_in_python(folder):
    before = (folder / "model.h5").read_bytes()
    with pytest.raises(bnext_keras.errors.ConversionError, match="is an input"):
        bnext_keras.convert(folder / "model.h5", folder / "model.h5")
    assert (folder / "model.h5").read_bytes() == before


def test_no_space_left(folder, tmp_path):
    """The system refuses to let the file grow; an older file of that name stays as it was."""
    (tmp_path / "out.tflite").write_text("older")
    result = run(folder / "model.h5", "-o", "out.tflite", cwd=tmp_path, largest_file=4096)
    assert result.returncode == 2
    assert "out.tflite: cannot be written (File too large)" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out.tflite"]
    assert (tmp_path / "out.tflite").read_text() == "older"


def test_no_space_left_for_the_report(tmp_path):
    """The report is larger than the model's file: neither is written."""
    model = tf.keras.Sequential([tf.keras.Input((8, 8, 3)), tf.keras.layers.Flatten(), tf.keras.layers.Dense(2)])
    model.save(tmp_path / "model.h5")
    result = run("model.h5", "--report", "report.html", "--no-engine", cwd=tmp_path, largest_file=8192)
    assert result.returncode == 2
    assert "report.html: cannot be written (File too large)" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]
