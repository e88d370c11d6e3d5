"""The engine on every kind of device, from the command to the page: its program really runs."""

import json

from bnext_keras.preprocessing import Normalization, load_image

import numpy as np
import pytest
from PIL import Image
from tflite_graphs import Graph

from android_demo.cli import main
from android_demo.results import State, load
from android_demo.runner import Interpreter
from android_demo.runner.build import machine
from converter.tflite.interpreter import Interpreter as LceInterpreter

pytest_plugins = ["device_fixtures"]


@pytest.fixture
def benchmark(tmp_path, capfd):
    """Runs the command line; returns exit status, the measurements in the file and what was printed."""

    def run(*arguments):
        out = tmp_path / "out"
        common = ["--out", out, "--cache", tmp_path / "cache", "--cool-down", 0, "--runs", 2, "--warmup-runs", 0]
        common += ["--tool-flag=--min_secs=0", "--repetitions", 2]
        status = main([str(argument) for argument in (*arguments, *common)])
        printed = capfd.readouterr()
        file = out / "results.json"
        return status, load(file).measurements if file.exists() else (), printed.out + printed.err

    return run


def check(measurement, kernels):
    assert measurement.state in (State.OK, State.THROTTLED), measurement.reason
    assert measurement.tool.kind == "bnext_engine"
    assert len(measurement.tool.sha256) == 64
    assert measurement.model.name == "binary.tflite"
    assert measurement.latency.count == 2 * 2
    assert measurement.kernels in kernels
    assert measurement.ignored_flags == ()
    profile = measurement.profile
    assert {"BinaryConv", "Map", "Conv", "Dense"} <= {operator.type for operator in profile.operators}
    assert profile.nodes_executed == len(profile.operators)
    assert profile.timings_us.count == 2
    assert sum(row.count for row in profile.summary) == len(profile.operators)
    assert profile.summary[-1].cdf_percent == pytest.approx(100, abs=0.1)


def test_on_a_phone(phone, benchmark, binary_model):
    status, (measurement,), printed = benchmark(binary_model)
    assert status == 0, printed
    check(measurement, {"neon"})
    assert measurement.settings.pinned_mask == "80"
    assert "engine, 1 thread, neon kernels" in printed


@pytest.fixture
def test_data(binary_model, tmp_path):
    """Three images, of which the network gives the first two the labels that they have."""
    images = np.random.default_rng(0).standard_normal((3, 32, 32, 3)).astype(np.float32)
    lce = LceInterpreter(binary_model.read_bytes())
    labels = np.array([lce.run([image[np.newaxis]])[0].argmax() for image in images])
    labels[2] = (labels[2] + 1) % 10
    np.savez(tmp_path / "test.npz", images=images, labels=labels)
    return tmp_path / "test.npz"


def test_accuracy_is_measured_on_the_phone(phone, benchmark, binary_model, test_data, monkeypatch):
    monkeypatch.setattr("android_demo.session.accuracy._AT_ONCE", 2 * 32 * 32 * 3 * 4)  # two images
    arguments = ("--no-profile", "--repetitions", 1, "--test-data", test_data)
    status, (measurement,), printed = benchmark(binary_model, *arguments)
    assert status == 0, printed
    assert measurement.reason == ""
    assert measurement.model.top1_percent == pytest.approx(100 * 2 / 3)
    assert measurement.model.accuracy_source == "measured there, 3 images"
    assert len(phone.files) == 3  # the folder, program and plan: images and answers are gone


@pytest.fixture
def photos(binary_model, tmp_path):
    """Three pictures in a folder for each of ten classes, two of them where the network puts them."""
    engine, scale = Interpreter(binary_model), Normalization.imagenet()
    for number in range(10):
        (tmp_path / f"photos/{number}").mkdir(parents=True)
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), np.uint8)
        file = tmp_path / "picture.png"
        Image.fromarray(pixels).save(file)
        image = load_image(file, (32, 32), mean=scale.mean, std=scale.std)
        found = int(engine.predict(image[np.newaxis]).argmax())
        file.rename(tmp_path / f"photos/{(found + (number == 2)) % 10}/{number}.png")
    return tmp_path / "photos"


def test_accuracy_is_measured_with_a_folder_of_pictures(benchmark, binary_model, photos):
    quick = ("--device", "host", "--no-profile", "--repetitions", 1)
    status, (measurement,), printed = benchmark(binary_model, *quick, "--data", photos)
    assert status == 0, printed
    assert measurement.model.top1_percent == pytest.approx(100 * 2 / 3)
    assert measurement.model.accuracy_source == "measured there, 3 images"
    assert "ImageNet's mean and deviation were taken" in measurement.reason


def test_pictures_that_cannot_be_read_are_named_and_left_out(benchmark, binary_model, photos):
    quick = ("--device", "host", "--no-profile", "--repetitions", 1, "--data", photos)
    (wrong,) = photos.rglob("2.png")
    wrong.write_bytes(b"no picture")
    status, (measurement,), _ = benchmark(binary_model, *quick)
    assert (status, measurement.model.top1_percent) == (0, 100)
    assert measurement.model.accuracy_source == "measured there, 2 images"
    assert f"1 broken image skipped: {wrong}" in measurement.reason
    for file in photos.rglob("*.png"):
        file.write_bytes(b"no picture")
    status, (measurement,), _ = benchmark(binary_model, *quick)
    assert (status, measurement.model.top1_percent) == (0, None)
    assert "no accuracy: none of the images can be read; 3 broken images skipped: " in measurement.reason


def test_folders_of_other_classes_are_refused(benchmark, binary_model, photos):
    (photos / "0").rename(photos / ".hidden")
    status, _, printed = benchmark(binary_model, "--device", "host", "--data", photos)
    assert status == 2
    assert "its 9 folders are called otherwise than the 10 classes in" in " ".join(printed.split())
    status, _, printed = benchmark(binary_model, "--device", "host", "--data", photos / "1")
    assert (status, "has no folders with images in them" in " ".join(printed.split())) == (2, True)


def test_test_data_that_do_not_fit_are_refused(benchmark, binary_model, tmp_path):
    images, labels = np.zeros((2, 8, 8, 3), np.float32), np.zeros(2, int)
    for arrays, message in (
        ({"images": images}, "must hold the arrays images and labels"),
        ({"images": images, "labels": labels[:1]}, "labels int64 of shape (1,)"),
        ({"images": images, "labels": labels}, "takes images of shape (32, 32, 3), not (8, 8, 3)"),
    ):
        np.savez(tmp_path / "test.npz", **arrays)
        status, _, printed = benchmark(binary_model, "--device", "host", "--test-data", tmp_path / "test.npz")
        assert status == 2
        assert message in " ".join(printed.split())
    for content in (b"no archive", b"PK\x03\x04 no archive"):
        (tmp_path / "test.npz").write_bytes(content)
        assert "cannot be read as an .npz file" in benchmark(binary_model, "--test-data", tmp_path / "test.npz")[2]


def test_of_several_outputs_the_classes_are_right_or_wrong(benchmark, tmp_path):
    """A map of ones before them would be the largest numbers."""
    graph = Graph()
    image = graph.input((1, 2, 2, 3))
    ones = graph.add("ADD", [image, graph.constant(np.float32([9, 9, 9]))], (1, 2, 2, 3))
    classes = graph.add("MEAN", [image, graph.constant(np.int32([1, 2]))], (1, 3))
    file = tmp_path / "two.tflite"
    file.write_bytes(graph.content(ones, classes))
    images = np.eye(3, dtype=np.float32)[:, np.newaxis, np.newaxis] * np.ones((3, 2, 2, 3), np.float32)
    np.savez(tmp_path / "test.npz", images=images, labels=np.int64([0, 1, 0]))
    arguments = ("--device", "host", "--no-profile", "--test-data", tmp_path / "test.npz")
    status, (measurement,), printed = benchmark(file, *arguments)
    assert status == 0, printed
    assert measurement.model.top1_percent == pytest.approx(100 * 2 / 3)
    for outputs, reason in (((classes, classes), "has 2 outputs, 2 of them of classes"), ((ones, ones), "0 of them")):
        file.write_bytes(graph.content(*outputs))
        assert reason in " ".join(benchmark(file, *arguments)[2].split())
    graph.input((1, 4))
    file.write_bytes(graph.content(classes))
    assert "has 2 inputs; accuracy is measured with one" in " ".join(benchmark(file, *arguments)[2].split())


def test_pictures_for_a_network_of_two_classifiers_are_refused_before_anything_is_measured(benchmark, tmp_path):
    graph = Graph()
    classes = graph.add("MEAN", [graph.input((1, 2, 2, 3)), graph.constant(np.int32([1, 2]))], (1, 3))
    (tmp_path / "two.tflite").write_bytes(graph.content(classes, classes))
    for name in ("a", "b", "c"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (2, 2)).save(tmp_path / "photos" / name / "1.png")
    status, measurements, printed = benchmark(
        tmp_path / "two.tflite", "--device", "host", "--data", tmp_path / "photos"
    )
    assert (status, measurements) == (2, ())
    assert "has 2 outputs, 2 of them of classes; accuracy is measured of one" in " ".join(printed.split())


def test_emulated(benchmark, binary_model, need):
    need("qemu-aarch64-static", "qemu-user-static")
    status, (measurement,), printed = benchmark(binary_model, "--device", "qemu:cortex-a53", "--runner", "bnext")
    assert status == 0, printed
    check(measurement, {"neon"})
    assert measurement.device.emulated


def test_both_runners_on_this_machine_are_compared(benchmark, binary_model, tmp_path):
    status, (engine, lce), printed = benchmark(binary_model, "--device", "host", "--runner", "both")
    assert status == 0, printed
    check(engine, {"avx2", "avx512", "amx"} if machine() == "x86_64" else {"neon", "dotprod"})
    assert lce.tool.kind == "lce_interpreter"
    assert engine.model == lce.model
    assert engine.memory_growth_mb > 0
    assert "binary, 1 thread: the engine takes 0." in printed
    assert "The engine beside LCE" in (tmp_path / "out" / "index.html").read_text()
    stored = json.loads((tmp_path / "out" / "results.json").read_text())
    assert stored["schema_version"] == "1.3"
    assert stored["measurements"][0]["repetitions"][0]["output"]["kernels"] == engine.kernels
