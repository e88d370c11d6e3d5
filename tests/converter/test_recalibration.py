"""A conversion whose batch normalizations have the statistics of the user's images."""

from bnext_keras.classes import annotate
from bnext_keras.recalibration import recalibrate

import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter
from PIL import Image

from converter import ConversionError, convert
from converter.cli.convert import main

IMAGES = np.random.default_rng(0).normal(3, 2, (6, 8, 8, 3)).astype(np.float32)


@pytest.fixture
def model():
    image = tf.keras.Input((8, 8, 3))
    x = tf.keras.layers.BatchNormalization(name="norm")(tf.keras.layers.Conv2D(4, 3)(image))
    x = tf.keras.layers.Dense(2)(tf.keras.layers.GlobalMaxPooling2D()(x))
    return annotate(tf.keras.Model(image, x, name="small"), mean=0.5, std=0.25)


def test_the_file_has_them_and_the_model_those_of_training(model):
    before = model(IMAGES).numpy()
    result = convert(model, recalibrate=IMAGES)
    np.testing.assert_array_equal(model(IMAGES), before)
    answers = Interpreter(result.content).predict(IMAGES[:1])
    np.testing.assert_allclose(answers, recalibrate(model, [IMAGES])(IMAGES[:1]), rtol=1e-4)
    assert abs(answers - before[:1]).max() > 0.1
    (note,) = [advice.what for advice in result.advice if "statistics" in advice.what]
    assert note == "its batch normalizations have the statistics of 6 images in the file, not those of training"


def test_images_are_a_folder_and_normalized_as_the_model_states(model, tmp_path, refused_by):
    model.save(tmp_path / "small.h5")
    (tmp_path / "photos").mkdir()
    for i in range(3):
        Image.new("RGB", (20, 20), (80 * i, 0, 255)).save(tmp_path / "photos" / f"{i}.png")
    assert main([str(tmp_path / "small.h5"), "--recalibrate", str(tmp_path / "photos")]) == 0
    for i in range(3):
        (tmp_path / "photos" / f"{i}.png").write_bytes(b"")
    message = refused_by(main)(tmp_path / "small.h5", "--recalibrate", tmp_path / "photos")
    assert "recalibration: " in message
    assert "photos: none of the images can be read; 3 broken images skipped: " in message
    with pytest.raises(ConversionError, match=r"recalibration: recalibration data: has float32 of shape \(6, 8, 8\)"):
        convert(model, recalibrate=IMAGES[..., 0])
