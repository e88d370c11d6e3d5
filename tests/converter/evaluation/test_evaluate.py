"""bnext-evaluate as a user runs it, on models that tell colours apart."""

import json
import subprocess
import sys

import bnext_keras
from bnext_keras import data
from bnext_keras.classes import annotate
from bnext_keras.errors import PredictionError

import numpy as np
import pytest
import tensorflow as tf
from alike import with_more
from PIL import Image

from android_demo.results import ModelFile
from android_demo.results.accuracies import read_accuracies, with_accuracy
from android_demo.session.labelled import read_test_data
from converter import convert
from converter.cli.evaluate import main
from converter.cli.predict import main as predict
from converter.evaluation.picture import confusion_picture

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
#: What lies in the folder of each class: one blue image among those of red.
IMAGES = {"blue": ["blue", "blue"], "green": ["green"], "red": ["red", "red", "blue"]}


def colour_model(names=("red", "green", "blue"), size=8, channels=3, blind_to=None):
    """Its first logits are an image's mean in red, green and blue; the rest are below those."""
    image = tf.keras.Input((size, size, channels))
    x = tf.keras.layers.GlobalAveragePooling2D()(image)
    kernel = np.eye(channels, len(names))
    if blind_to is not None:
        kernel[blind_to] = 0
    bias = [0.0] * channels + [-1.0 - i for i in range(len(names) - channels)]
    x = tf.keras.layers.Dense(len(names), weights=[kernel, np.array(bias)], name="logits")(x)
    return annotate(tf.keras.Model(image, x, name="colours"), class_names=names, mean=0.0, std=1.0)


@pytest.fixture(scope="module")
def folder(compiled_engine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    model = colour_model()
    model.save(folder / "colours.h5")
    convert(model, folder / "colours.tflite")
    colour_model(blind_to=2).save(folder / "blind.keras")
    for label, colours in IMAGES.items():
        (folder / "photos" / label).mkdir(parents=True)
        for i, colour in enumerate(colours):
            Image.new("RGB", (20, 30), COLOURS[colour]).save(folder / "photos" / label / f"{i}.png")
    return folder


@pytest.fixture
def evaluate(folder, capsys, monkeypatch, tmp_path):
    """Runs the tool in this process on files of `folder`; returns the exit status, what it printed and its JSON."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        capsys.readouterr()
        status = main([*map(str, arguments), "--json", str(tmp_path / "results.json")])
        return status, *capsys.readouterr(), json.loads((tmp_path / "results.json").read_text())

    return run


@pytest.fixture
def refused(folder, refused_by, monkeypatch):
    monkeypatch.chdir(folder)
    return refused_by(main)


def test_files_side_by_side(evaluate):
    status, out, err, found = evaluate("colours.h5", "colours.tflite", "blind.keras", "photos")
    assert (status, err) == (0, "")
    assert found["schema"] == "bnext-evaluation/1"
    assert (found["data"]["source"], found["data"]["images"], found["data"]["broken"]) == ("photos", 6, {})
    keras, tflite, blind = found["models"]
    assert [(model["name"], model["runs_in"]) for model in found["models"]] == [
        ("colours.h5", "Keras"),
        ("colours.tflite", "engine"),
        ("blind.keras", "Keras"),
    ]
    assert keras["top1_percent"] == tflite["top1_percent"] == pytest.approx(100 * 5 / 6)
    # Blue ones, for which all its outputs are equal, it takes for the first of its classes.
    assert blind["top1_percent"] == pytest.approx(100 * 4 / 6)
    assert keras["top5_percent"] is None
    assert keras["confusion"] == tflite["confusion"] == [[0, 0, 2], [0, 2, 1], [1, 1, 1], [2, 2, 2]]
    assert keras["classes"][0] == {"class": 0, "name": "red", "images": 3, "right": 2, "answered": 2}
    assert [entry["p"] for entry in found["comparisons"]] == [1.0, 1.0, 1.0]
    assert found["comparisons"][1] == {
        "models": ["colours.h5", "blind.keras"],
        "only_first_right": 2,
        "only_second_right": 1,
        "test": "McNemar, exact binomial",
        "p": 1.0,
    }
    assert "6 images of photos" in out
    assert "colours.h5 and blind.keras: the first alone is right on 2 images, the second alone on 1: no diff" in out
    assert "blue (1)" in out


def test_a_file_has_a_size_of_its_own(refused, refused_by, evaluate):
    message = "colours.tflite: takes images of 8 x 8, not of another size; leave out --input-size 16"
    assert message in refused("colours.tflite", "photos", "--input-size", "16")
    assert message in refused_by(predict)("colours.tflite", "photos/red/0.png", "--input-size", "16")
    assert evaluate("colours.tflite", "photos", "--input-size", "8")[0] == 0


def test_evaluation_prediction_and_benchmark_see_the_same_of_small_pictures(evaluate, folder, capsys):
    """Only who sees the outermost pixels finds blue ones."""
    image = tf.keras.Input((32, 32, 3))
    x = tf.keras.layers.GlobalAveragePooling2D()(image)
    x = tf.keras.layers.Dense(2, weights=[np.float32([[0, 0], [0, 0], [0, 1]]), np.float32([0.05, 0])])(x)
    convert(annotate(tf.keras.Model(image, x), class_names=["none", "blue"], mean=0.0, std=1.0), "border.tflite")
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[[0, -1], :, 2] = pixels[:, [0, -1], 2] = 255
    (folder / "bordered" / "blue").mkdir(parents=True)
    Image.fromarray(pixels).save("bordered/blue/0.png")

    assert evaluate("border.tflite", "bordered")[3]["models"][0]["top1_percent"] == 100
    assert predict(["border.tflite", "bordered/blue/0.png", "--top", "1"]) == 0
    assert "blue" in capsys.readouterr().out.splitlines()[1]
    (folder / "bordered" / "none").mkdir()
    measured = read_test_data(folder / "bordered").fitted_to(folder / "border.tflite")
    ((images, _),) = measured.portions(1)
    np.testing.assert_array_equal(images[0], np.float32(pixels) / np.float32(255))


def test_the_benchmark_takes_the_accuracy_of_that_very_file(evaluate, tmp_path, folder):
    evaluate("colours.tflite", "photos")
    accuracies = read_accuracies(tmp_path / "results.json")
    digest = bnext_keras.files.sha256(folder / "colours.tflite")
    record = with_accuracy(ModelFile(name="renamed.tflite", sha256=digest, bytes=1), accuracies)
    assert record.top1_percent == pytest.approx(100 * 5 / 6)
    assert record.accuracy_source == "6 images of photos"


def test_what_python_gets(folder):
    found = bnext_keras.evaluate([folder / "colours.h5", colour_model()], data.from_folder(folder / "photos"))
    assert [(model.name, model.top1) for model in found.models][1] == ("colours", 5 / 6)
    np.testing.assert_array_equal(found.models[0].confusion, [[2, 0, 1], [0, 1, 0], [0, 0, 2]])
    (comparison,) = found.comparisons
    assert comparison[2].p == 1.0
    assert found.data == "FolderExamples(3 classes, 6 images)"


def test_the_data_may_have_some_of_the_classes_in_any_order(evaluate, tmp_path):
    model = colour_model(["red", "green", "blue", "cyan", "pink", "grey"])
    model.save(tmp_path / "six.h5")
    _, out, _, found = evaluate(tmp_path / "six.h5", "photos")
    (six,) = found["models"]
    assert six["top1_percent"] == pytest.approx(100 * 5 / 6)
    assert six["top5_percent"] == 100
    assert [entry["name"] for entry in six["classes"]] == ["red", "green", "blue"]
    assert "top-5" in out


def test_a_model_that_states_nothing_is_told_about(evaluate, tmp_path):
    bare = colour_model()
    tf.keras.Model(bare.inputs, bare.get_layer("logits").output).save(tmp_path / "bare.h5")
    _, _, err, found = evaluate(tmp_path / "bare.h5", "photos")
    # In the order of the data it has other classes: blue, green, red.
    assert found["models"][0]["top1_percent"] < 50
    assert "ImageNet's mean and deviation are assumed" in err
    assert "the model does not name its classes; they are taken for the data's, in order" in err
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n")
    _, _, err, found = evaluate(
        tmp_path / "bare.h5", "photos", "--labels", tmp_path / "names.txt", "--mean", 0, "--std", 1
    )
    assert (found["models"][0]["top1_percent"], err) == (pytest.approx(100 * 5 / 6), "")


def test_a_broken_image_is_left_out(evaluate, folder, tmp_path, caplog):
    for label in IMAGES:
        (tmp_path / "some" / label).mkdir(parents=True)
        Image.new("RGB", (9, 9), COLOURS[label]).save(tmp_path / "some" / label / "1.png")
    broken = tmp_path / "some" / "red" / "0.png"
    broken.write_bytes(b"no image")
    status, _, err, found = evaluate("colours.h5", tmp_path / "some")
    assert status == 1
    assert "1 images could not be read and are left out" in err
    assert found["data"]["images"] == 3
    assert found["data"]["broken"] == {str(broken): "no image that Pillow knows"}
    assert found["models"][0]["top1_percent"] == 100


def test_arrays_are_prepared_or_taken_as_they_are(evaluate, tmp_path):
    """Floats just as ``bnext-benchmark --test-data`` takes them."""
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    pixels[0, ..., 0], pixels[1, ..., 2] = 255, 255
    np.savez(tmp_path / "pixels.npz", images=pixels, labels=[0, 2])
    np.savez(tmp_path / "ready.npz", images=pixels.astype(np.float32) - 3, labels=[0, 2])
    for name in ("pixels.npz", "ready.npz"):
        _, _, err, found = evaluate("colours.tflite", tmp_path / name)
        assert (found["models"][0]["top1_percent"], err) == (100, "")


def test_a_folder_with_parts_is_evaluated_on_the_one_for_validation(evaluate, folder, tmp_path):
    for part, colour in (("train", "blue"), ("val", "red")):
        for label in COLOURS:
            (tmp_path / "set" / part / label).mkdir(parents=True)
        Image.new("RGB", (9, 9), COLOURS[colour]).save(tmp_path / "set" / part / "red" / "1.png")
    assert evaluate("colours.h5", tmp_path / "set")[3]["models"][0]["top1_percent"] == 100
    assert evaluate("colours.h5", tmp_path / "set", "--split", "train")[3]["models"][0]["top1_percent"] == 0


def test_grey_models_and_turned_images(tmp_path):
    """The upper left corner of a turned image is the lower right one of the image."""
    image = tf.keras.Input((2, 2, 1))
    corners = tf.keras.layers.Flatten()(image)
    model = annotate(tf.keras.Model(image, corners), mean=0.0, std=1.0)
    pixels = np.zeros((1, 2, 2), np.uint8)
    pixels[0, 0, 0] = 255
    examples = data.from_arrays(pixels, [0], num_classes=4)
    assert bnext_keras.evaluate(model, examples).models[0].answers.tolist() == [0]
    assert bnext_keras.evaluate(model, examples, rotate=True).models[0].answers.tolist() == [3]


def test_small_models_see_whole_images_and_others_the_centre():
    def tell_border(size):
        image = tf.keras.Input((size, size, 3))
        x = tf.keras.layers.Lambda(lambda x: tf.stack([x[:, 0, 0, 0], 0.5 - x[:, 0, 0, 0]], axis=1))(image)
        return annotate(tf.keras.Model(image, x), mean=0.0, std=1.0)

    pixels = np.zeros((1, 200, 200, 3), np.uint8)
    pixels[:, :4] = pixels[:, :, :4] = 255
    examples = data.from_arrays(pixels, [0], num_classes=2)
    assert bnext_keras.evaluate(tell_border(64), examples).models[0].top1 == 1
    assert bnext_keras.evaluate(tell_border(100), examples).models[0].top1 == 0
    assert bnext_keras.evaluate(tell_border(100), examples, crop=1.0).models[0].top1 == 1


@pytest.mark.parametrize("kind", with_more(["png"], ["svg"]))
def test_a_picture_of_what_was_taken_for_what(evaluate, tmp_path, kind):
    path = tmp_path / f"confusion.{kind}"
    evaluate("colours.h5", "blind.keras", "photos", "--confusion", path)
    content = path.read_bytes()
    if kind == "png":
        with Image.open(path) as picture:
            assert picture.width > 1.5 * picture.height
    else:
        assert b">colours.h5<" in content
        assert content.count(b">green<") == 4
    matrices = [("a", np.eye(2, dtype=int), ["x", "y"])]
    assert confusion_picture(matrices, kind) == confusion_picture(matrices, kind)


def test_names_in_a_picture_are_texts():
    content = confusion_picture([("$x_$<b>", np.eye(2, dtype=int), ["$a$", "b\x1b"])], "svg").decode()
    assert "$x_$&lt;b&gt;" in content
    assert "$a$" in content
    assert "b\\x1b" in content


def test_models_and_data_that_do_not_fit(refused, folder, tmp_path):
    np.savez(tmp_path / "labels.npz", images=np.zeros((1, 8, 8, 3), np.uint8), labels=[3])
    np.savez(tmp_path / "ready.npz", images=np.zeros((1, 9, 9, 3), np.float32), labels=[0])
    np.savez(tmp_path / "others.npz", images=np.zeros((1, 9, 9, 3), np.float32))
    (tmp_path / "text.npz").write_text("no arrays")
    (tmp_path / "cats" / "cat").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "cats" / "cat" / "1.png")
    (tmp_path / "broken" / "red").mkdir(parents=True)
    (tmp_path / "broken" / "red" / "1.png").write_bytes(b"")
    for source, message in (
        ("missing", "missing: no such file or folder"),
        (tmp_path / "labels.npz", "labels.npz: labels must be from 0 to 2, got 3 to 3"),
        (
            tmp_path / "ready.npz",
            "the images are of shape (9, 9, 3) and ready for a model, but this one takes (8, 8, 3)",
        ),
        (tmp_path / "others.npz", "it must hold the arrays images and labels"),
        (tmp_path / "text.npz", "cannot be read as an .npz file"),
        (tmp_path / "cats", "colours.h5: has no classes cat, which the data have; its own are red, green, blue"),
        (tmp_path / "broken", "none of the images can be read; 1 broken image skipped"),
        ("tfds:no_such_set", "tfds:no_such_set: "),
        ("tfrecord:no-such-files-*", "no-such-files-*"),
    ):
        assert message in refused("colours.h5", source)


def test_commands_that_cannot_be_carried_out(refused, folder, tmp_path):
    assert "no.h5: no such file" in refused("no.h5", "photos")
    assert "ends in .png or .svg" in refused("colours.h5", "photos", "--confusion", tmp_path / "a.pdf")
    assert "is an input, and would be replaced" in refused("colours.h5", "photos", "--json", "colours.h5")
    assert "--crop 2: must be a share" in refused("colours.h5", "photos", "--crop", 2)
    assert "holds a whole model" in refused("colours.h5", "photos", "--model", "BNextTiny")


def test_answers_that_are_no_numbers_are_refused(folder):
    model = colour_model()
    model.get_layer("logits").bias.assign([np.nan] * 3)
    with pytest.raises(PredictionError, match="colours: the model's answers are not finite"):
        bnext_keras.evaluate(model, str(folder / "photos"))


def test_help_is_quick():
    program = (
        "import sys, converter.cli.evaluate as cli\n"
        "try:\n"
        "    cli.main(['--help'])\n"
        "finally:\n"
        "    assert not {'tensorflow', 'rich', 'matplotlib'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "bnext-evaluate phone.tflite photos/val/" in result.stdout
