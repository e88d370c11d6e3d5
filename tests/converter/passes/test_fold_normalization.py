"""What an image is normalized with goes into the first convolution."""

import numpy as np
import pytest
import tensorflow as tf
from rewrites import assert_exact, sequential

from converter.passes import CANONICAL, count_operators
from converter.passes.fold_normalization import fold_normalization

Layers = tf.keras.layers
PASSES = (*CANONICAL, fold_normalization)


def normalize(dtype="uint8"):
    return Layers.Rescaling([0.02, 0.03, 0.05], [-2.0, 1.5, 0.5])


def folded(*layers):
    graph = assert_exact(sequential((5, 6, 3), normalize(), *layers), PASSES)
    return count_operators(graph)


@pytest.mark.parametrize(
    "layer",
    [
        Layers.Conv2D(4, 3, use_bias=False),
        Layers.Conv2D(4, 3),
        Layers.DepthwiseConv2D(3, depth_multiplier=2),
    ],
    ids=["convolution", "with bias", "depthwise"],
)
def test_an_unpadded_convolution_takes_factors_and_offsets(layer):
    counts = folded(layer)
    assert (counts["Mul"], counts["AddV2"]) == (0, 0)


def test_a_padded_convolution_takes_the_factors():
    counts = folded(Layers.Conv2D(4, 3, padding="same", strides=2))
    assert (counts["Mul"], counts["AddV2"]) == (0, 1)


def test_padding_and_turning_in_between_change_nothing():
    turned = Layers.Lambda(lambda x: tf.reverse(x, [1, 2]))
    counts = folded(Layers.ZeroPadding2D(1), turned, Layers.Conv2D(4, 3))
    assert (counts["Mul"], counts["AddV2"]) == (0, 1)


def test_an_image_that_others_read_too_stays_as_it_is():
    image = tf.keras.Input((5, 6, 3))
    x = normalize()(image)
    y = Layers.Concatenate()([Layers.Conv2D(4, 3, padding="same")(x), x])
    counts = count_operators(assert_exact(tf.keras.Model(image, y), PASSES))
    assert (counts["Mul"], counts["AddV2"]) == (1, 1)


def test_a_channel_without_factor_stays_as_it_is():
    graph = assert_exact(sequential((5, 6, 3), Layers.Rescaling([0.0, 1, 2], 1.0), Layers.Conv2D(4, 3)), PASSES)
    assert count_operators(graph)["Mul"] == 1


def test_normalizations_within_the_network_are_left_to_other_passes():
    layers = (Layers.ReLU(), normalize(), Layers.Conv2D(4, 3))
    graph = assert_exact(sequential((5, 6, 3), *layers), PASSES)
    assert count_operators(graph)["Mul"] == 1


def test_whole_numbers_are_cast_and_the_rest_is_folded():
    pixels = tf.keras.Input((5, 6, 3), dtype="uint8")
    model = tf.keras.Model(pixels, Layers.Conv2D(4, 3, use_bias=False)(normalize()(pixels)))
    graph = assert_exact(model, PASSES)
    assert count_operators(graph) == {"Cast": 1, "Conv2D": 1}
    assert [np.prod(node.shape) for node in graph.inputs.values()] == [90]
