"""Feature maps by stride."""

import bnext_keras
from bnext_keras import models, zoo
from bnext_keras.backbones import features

import numpy as np
import pytest
import tensorflow as tf
from zero_weights import fill_with_zeros


def shapes(model):
    return {name: tuple(tensor.shape[1:]) for name, tensor in model.output.items()}


@pytest.mark.parametrize(
    ("build", "channels"),
    [
        (models.BNextTiny, (128, 256, 512, 1024)),
        (zoo.BinaryDenseNet28, (448, 544, 576, 576)),
        (zoo.BiRealNet50, (256, 512, 1024, 2048)),
        (zoo.QuickNetSmall, (32, 64, 256, 512)),
    ],
)
def test_the_maps_of_a_network_are_the_ends_of_its_stages(monkeypatch, build, channels):
    fill_with_zeros(monkeypatch)
    found = shapes(features(build(input_shape=(96, 96, 3), include_top=False)))
    assert found == {f"P{i}": (96 >> i, 96 >> i, channels[i - 2]) for i in (2, 3, 4, 5)}


def test_everything_behind_a_map_is_computed_from_it():
    network = models.BNext([8, 16, 32, 64], input_shape=(32, 32, 3), stem_stride=2, num_classes=3)
    maps = features(network)
    image = np.random.default_rng(0).standard_normal((1, 32, 32, 3)).astype(np.float32)
    assert shapes(maps) == {"P2": (8, 8, 32), "P3": (4, 4, 64)}
    rest = tf.keras.Model(network.get_layer("block2_1x1_concat").output, network.output)
    np.testing.assert_array_equal(rest(maps(image)["P2"]), network(image))


def test_a_model_without_maps_of_a_stride_is_refused():
    network = models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=3)
    with pytest.raises(ValueError, match="model 'bnext' has no map of stride 4 to 32, it has maps of 1"):
        features(network)
    with pytest.raises(ValueError, match="'bnext' has no map of stride 8, it has maps of 1"):
        features(network, strides=(1, 8))


def test_the_maps_can_be_had_by_the_packages_name():
    assert bnext_keras.features is features
