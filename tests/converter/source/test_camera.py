"""Files that take a camera's pixels, several at once, and give probabilities."""

import bnext_keras
from bnext_keras.errors import ConversionError, PredictionError

import numpy as np
import pytest
import tensorflow as tf

from android_demo.export.model import read_model
from android_demo.runner import Interpreter as Engine
from converter import convert
from converter.cli.convert import main
from converter.cli.predict import main as predict
from converter.predict.classifier import from_keras, from_tflite
from converter.tflite.interpreter import Interpreter
from converter.tflite.metadata import read_metadata

PIXELS = np.random.default_rng(1).integers(0, 256, (6, 16, 16, 3), np.uint8)
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


@pytest.fixture(scope="module")
def model():
    model = bnext_keras.models.BNext([8, 16], input_shape=(16, 16, 3), num_classes=5)
    return bnext_keras.classes.annotate(model, class_names=list("abcde"), mean=MEAN, std=STD)


@pytest.fixture(scope="module")
def camera(model):
    """Pixels in, probabilities out, four images at once."""
    return convert(model, input_type="uint8", softmax=True, batch=4, verify_data=PIXELS)


@pytest.fixture(scope="module")
def single(model):
    return convert(model, input_type="uint8", engines={"the engine": Engine})


@pytest.fixture(scope="module")
def expected(model):
    normalized = (PIXELS.astype(np.float64) / 255 - MEAN) / STD
    return model(normalized.astype(np.float32)).numpy()


def test_pixels_in_probabilities_out_four_at_once(camera, expected):
    assert camera.verification.passed
    assert camera.users_inputs == 6
    interpreter = Interpreter(camera.content)
    assert interpreter.input_shapes == [(4, 16, 16, 3)]
    assert interpreter.input_types == [np.uint8]
    (answers,) = interpreter.run_each(PIXELS)
    np.testing.assert_allclose(answers, tf.nn.softmax(expected), atol=1e-4)
    assert camera.input_type == "uint8"
    assert camera.input_shape == (4, 16, 16, 3)


def test_the_file_says_what_it_takes_and_gives(camera):
    metadata = read_metadata(camera.content)
    assert metadata.outputs == ("probabilities",)
    assert metadata.labels == list("abcde")
    assert np.allclose(metadata.mean, 0)
    assert np.allclose(metadata.std, 1 / 255)


def test_the_normalization_costs_a_cast_and_at_most_an_addition(single, model):
    plain = convert(model)
    more = single.operators - plain.operators
    assert more == {"CAST": 1, "ADD": 1}


def test_the_engine_runs_it_and_is_verified(single, expected):
    assert single.engines["the engine"].passed
    engine = Engine(single.content)
    np.testing.assert_allclose(engine.predict(PIXELS), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("runner", ["bnext", "lce"])
def test_predictions_are_those_of_the_network(single, expected, runner):
    classifier = from_tflite(single.content, runner=runner)
    assert classifier.takes_pixels
    normalized = classifier.normalization(PIXELS[0])
    np.testing.assert_allclose(normalized, PIXELS[0], rtol=1e-6)
    probabilities = classifier.probabilities(normalized)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(expected[0]), atol=1e-4)


def test_a_file_of_several_images_predicts_one(camera, expected):
    probabilities = from_tflite(camera.content).probabilities(PIXELS[1].astype(np.float32))
    np.testing.assert_allclose(probabilities, tf.nn.softmax(expected[1]), atol=1e-4)


def test_pages_for_browsers_give_it_pixels(single, tmp_path):
    (tmp_path / "model.tflite").write_bytes(single.content)
    exported = read_model(tmp_path / "model.tflite")
    assert exported.normalization.std == pytest.approx((1 / 255,) * 3)
    with pytest.raises(PredictionError, match="takes pixels from 0 to 255 as they are"):
        read_model(tmp_path / "model.tflite", normalization=bnext_keras.preprocessing.Normalization.imagenet())


def test_a_normalization_of_the_users_contradicts_it(single, tmp_path, refused_by):
    from PIL import Image

    (tmp_path / "model.tflite").write_bytes(single.content)
    Image.fromarray(PIXELS[0]).save(tmp_path / "photo.png")
    assert predict([str(tmp_path / "model.tflite"), str(tmp_path / "photo.png")]) == 0
    refused = refused_by(predict)
    assert "leave out --mean" in refused(tmp_path / "model.tflite", tmp_path / "photo.png", "--mean", "0.5")


def test_the_command_writes_such_files(model, tmp_path, capsys):
    model.save(tmp_path / "model.h5")
    form = ["--input", "uint8", "--softmax", "--batch", "2"]
    assert main([str(tmp_path / "model.h5"), "-o", str(tmp_path / "out.tflite"), *form]) == 0
    assert "uint8, pixels from 0 to 255" in capsys.readouterr().out
    interpreter = Interpreter((tmp_path / "out.tflite").read_bytes())
    assert (interpreter.input_shapes, interpreter.input_types) == ([(2, 16, 16, 3)], [np.uint8])
    np.testing.assert_allclose(interpreter.run([PIXELS[:2]])[0].sum(axis=1), 1, rtol=1e-5)


def test_a_model_whose_own_input_is_of_pixels_makes_such_a_file():
    pixels = tf.keras.Input((8, 8, 3), dtype="uint8")
    x = tf.keras.layers.Rescaling(1 / 127.5, -1)(pixels)
    x = tf.keras.layers.Conv2D(32, 3, strides=2, padding="same")(x)
    x = bnext_keras.layers.BinaryConv2D(32, 3, padding="same")(x)
    model = tf.keras.Model(pixels, tf.keras.layers.Dense(3)(tf.keras.layers.GlobalAveragePooling2D()(x)))
    result = convert(model)
    assert result.input_type == "uint8"
    assert Interpreter(result.content).input_types == [np.uint8]
    images = np.random.default_rng(2).integers(0, 256, (2, 8, 8, 3), np.uint8)
    np.testing.assert_allclose(Interpreter(result.content).run_each(images)[0], model(images), rtol=1e-4, atol=1e-4)
    probabilities = from_keras(model).probabilities(images[0].astype(np.float32))
    np.testing.assert_allclose(probabilities, tf.nn.softmax(model(images[:1]))[0], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_type": "uint8"}, "does not say how its images are normalized"),
        ({"softmax": True, "head": "softmax"}, "it gives probabilities already; leave out --softmax"),
        ({"input_type": "int8"}, "--input int8: not one of float32, uint8"),
        ({"batch": 0}, "--batch 0: must be a whole number of at least 1"),
        ({"batch": "2"}, "--batch 2: must be a whole number of at least 1"),
        ({"batch": 1.5}, "--batch 1.5: must be a whole number of at least 1"),
        ({"dtype": "int16"}, "its input 'image' is int16; inputs must be float32 or int32 or int64 or uint8"),
    ],
)
def test_what_has_no_such_file_is_refused(options, message):
    options = dict(options)
    image = tf.keras.Input((8, 8, 3), dtype=options.pop("dtype", "float32"))
    pooled = tf.keras.layers.GlobalAveragePooling2D()(tf.keras.layers.Rescaling(2.0)(image))
    model = tf.keras.Model(image, tf.keras.layers.Dense(3, options.pop("head", None))(pooled))
    with pytest.raises(ConversionError, match=message):
        convert(model, **options)


def test_verification_data_must_be_pixels(model):
    with pytest.raises(ConversionError, match="are no pixels from 0 to 255, which this file takes"):
        convert(model, input_type="uint8", verify_data=np.full((1, 16, 16, 3), -1.0))
