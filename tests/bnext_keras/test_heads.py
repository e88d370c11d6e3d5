"""Another classifier on weights that are kept."""

from bnext_keras import models, zoo
from bnext_keras.classes import annotate, stated
from bnext_keras.errors import UserError
from bnext_keras.heads import find_head, with_classes
from bnext_keras.preprocessing import Normalization

import numpy as np
import pytest
import tensorflow as tf
from zero_weights import fill_with_zeros

Layers = tf.keras.layers


def test_all_but_the_head_is_kept():
    model = annotate(
        models.BNext([8, 16], input_shape=(16, 16, 3), num_classes=2), class_names=["cat", "dog"], mean=0.5, std=0.25
    )
    for weight in model.weights:
        weight.assign(weight + 0.25)
    other = with_classes(model, 5)
    assert (other.name, other.output_shape) == (model.name, (None, 5))
    assert stated(other).class_names is None
    assert stated(other).normalization == Normalization((0.5,) * 3, (0.25,) * 3)
    for old, new in zip(model.layers, other.layers, strict=True):
        if old.name != "head":
            for weight, value in zip(new.weights, old.get_weights(), strict=True):
                np.testing.assert_array_equal(weight, value, err_msg=weight.name)
    np.testing.assert_array_equal(other.get_layer("head").bias, 0)
    # The model itself stays what it is.
    assert model.output_shape == (None, 2)
    assert stated(model).class_names == ("cat", "dog")


def test_networks_of_others():
    image = tf.keras.Input((8, 8, 3))
    x = Layers.GlobalAveragePooling2D()(Layers.Conv2D(4, 3)(image))
    stranger = annotate(tf.keras.Model(image, Layers.Dense(2)(x)), class_names=["a", "b"], mean=0.5, std=1.0)
    other = with_classes(stranger, 3)
    assert (other.output_shape, stated(other).class_names) == ((None, 3), None)
    assert stated(other).normalization.mean == (0.5,) * 3
    plain = tf.keras.Sequential([tf.keras.Input((4,)), Layers.Dense(4), Layers.Dense(2), Layers.Softmax()])
    assert with_classes(plain, 3).output_shape == (None, 3)
    np.testing.assert_array_equal(with_classes(plain, 3).layers[0].kernel, plain.layers[0].kernel)


def test_a_binary_head_and_the_normalization_behind_it(monkeypatch):
    fill_with_zeros(monkeypatch)
    binary = zoo.BinaryNet()
    assert find_head(binary).filters == 10
    assert with_classes(binary, 3).output_shape == (None, 3)


def test_a_model_without_a_head_is_refused():
    image = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(image, Layers.Flatten()(image), name="bare")
    with pytest.raises(UserError, match="model 'bare': has no head that is known as one"):
        with_classes(model, 3)
