"""What bnext-benchmark takes from bnext-evaluate's results."""

import json

from bnext_keras.errors import BenchmarkError

import pytest

from android_demo.cli import main
from android_demo.results import ModelFile
from android_demo.results.accuracies import Evaluated, read_accuracies, with_accuracy

pytest_plugins = ["device_fixtures"]

MODEL = {"name": "a.tflite", "sha256": "ab" * 32, "top1_percent": 72.5}
CONTENT = {"schema": "bnext-evaluation/1", "data": {"source": "/home/me/photos", "images": 1200}, "models": [MODEL]}


def test_a_file_is_known_by_its_content(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(CONTENT))
    accuracies = read_accuracies(tmp_path / "results.json")
    assert accuracies == [Evaluated("a.tflite", "ab" * 32, 72.5, "1,200 images of photos")]
    record = ModelFile(name="other.tflite", sha256="ab" * 32, bytes=9)
    found = with_accuracy(record, accuracies)
    assert (found.name, found.top1_percent, found.accuracy_source) == ("other.tflite", 72.5, "1,200 images of photos")


def test_a_file_that_was_not_evaluated_has_no_accuracy():
    record = ModelFile(name="other.tflite", sha256="cd" * 32, bytes=9)
    assert with_accuracy(record, [Evaluated("a.tflite", "ab" * 32, 72.5, "")]) == record


def test_another_file_of_the_name_is_refused():
    record = ModelFile(name="a.tflite", sha256="cd" * 32, bytes=9)
    message = (
        r"a.tflite: is not the file of that name that was evaluated; evaluate it again; or state .* --top1 a.tflite="
    )
    with pytest.raises(BenchmarkError, match=message):
        with_accuracy(record, [Evaluated("a.tflite", "ab" * 32, 72.5, "")])


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        "{}",
        json.dumps({**CONTENT, "schema": "1.2"}),
        json.dumps({**CONTENT, "models": [{**MODEL, "top1_percent": 101}]}),
        json.dumps({**CONTENT, "models": [{**MODEL, "top1_percent": float("nan")}]}),
        json.dumps({**CONTENT, "models": 3}),
        "[" * 100_000,
    ],
)
def test_anything_else_is_refused(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(BenchmarkError, match=r"results.json: is not what bnext-evaluate writes \(.*\); bnext-evaluate"):
        read_accuracies(path)


def test_the_command_needs_an_accuracy_of_its_models(refused_by, tmp_path, float_model):
    (tmp_path / "results.json").write_text(json.dumps(CONTENT))
    options = ("--device", "host", "--out", tmp_path / "out", "--accuracy")
    refused = refused_by(main)
    assert "results.json: is about a.tflite, none of the models" in refused(
        float_model, *options, tmp_path / "results.json"
    )
    assert "no.json: cannot be read (No such file" in refused(float_model, *options, tmp_path / "no.json")
