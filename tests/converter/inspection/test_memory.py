"""The memory of results, counted by hand."""

from bnext_keras.layers import BinaryConv2D

import pytest
import tensorflow as tf

from converter import convert

Layers = tf.keras.layers


def test_a_shortcut_is_kept_until_it_is_added():
    image = tf.keras.Input((8, 8, 32))
    x = BinaryConv2D(32, 3, name="conv")(image)
    inspection = convert(tf.keras.Model(image, Layers.Add()([x, image]))).inspection
    types = [operator.type for operator in inspection.operators]
    assert types == ["LceQuantize", "LceBconv2d", "ADD"]
    # The image, the convolution's result and the sum, each 8 x 8 x 32 floats.
    assert inspection.peak_memory == 3 * 8 * 8 * 32 * 4
    assert inspection.to_dict()["peak_memory"] == 24_576


def test_weights_that_become_floats_stay_in_memory():
    pytest.importorskip("ai_edge_quantizer")
    image = tf.keras.Input((1, 1, 64))
    model = tf.keras.Model(image, Layers.Dense(32, use_bias=False)(Layers.Flatten()(image)))
    before, after = (convert(model, weights=weights).inspection for weights in ("float32", "int8"))
    assert before.peak_memory < 2048
    assert after.peak_memory == before.peak_memory + 64 * 32 * 4
