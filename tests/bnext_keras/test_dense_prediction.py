"""A detector and a decoder on feature maps, converted with every output verified."""

import bnext_keras
from bnext_keras import dense_prediction

import numpy as np
import pytest
import tensorflow as tf
from rewrites import randomize

from android_demo.runner import Interpreter
from converter import convert


def backbone(**options):
    network = bnext_keras.models.BNext([32, 32, 64], input_shape=(32, 32, 3), stem_stride=2, include_top=False)
    return bnext_keras.features(network, strides=(2, 4), **options)


def test_a_detector_scores_every_place_of_every_map():
    model = dense_prediction.detector(backbone(), 3, boxes=2, depth=1)
    shapes = {name: tuple(output.shape[1:]) for name, output in model.output.items()}
    assert shapes == {
        "boxes_P1": (16, 16, 8),
        "boxes_P2": (8, 8, 8),
        "scores_P1": (16, 16, 6),
        "scores_P2": (8, 8, 6),
    }
    np.testing.assert_allclose(tf.sigmoid(model.get_layer("scores_P1").bias), 0.01, rtol=1e-5)


def test_a_decoder_says_something_of_every_pixel():
    model = dense_prediction.segmenter(backbone(), 4, dilations=(1, 3))
    assert model.output_shape == (None, 32, 32, 4)
    assert model.get_layer("segmenter_P2_dilated3_conv").dilation_rate == (3, 3)


@pytest.mark.exhaustive
@pytest.mark.parametrize("head", [dense_prediction.detector, dense_prediction.segmenter])
def test_a_head_converts_and_the_engine_runs_it(head):
    model = randomize(head(backbone(), 3))
    result = convert(model, engines={"the engine": Interpreter})
    assert result.verification.float_convs == []
    assert [output.shape[1:] for output in result.verification.outputs] == [
        tuple(output.shape[1:]) for output in tf.nest.flatten(model.output)
    ]


def test_what_returns_no_maps_is_refused():
    image = tf.keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match="model 'one' must return a dictionary of maps, as "):
        dense_prediction.detector(tf.keras.Model(image, image + 1, name="one"), 2)
    maps = {"P1": image[:, :6, :6], "P2": image[:, :4, :4]}
    with pytest.raises(
        ValueError, match="model 'odd' has maps of 4 x 4 and 6 x 6 pixels; the larger must be a multiple"
    ):
        dense_prediction.segmenter(tf.keras.Model(image, maps, name="odd"), 2)
