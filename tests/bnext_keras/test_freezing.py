"""What stays as it is while the rest is trained."""

from bnext_keras import models
from bnext_keras.callbacks import WeightTemperature
from bnext_keras.errors import RecipeError
from bnext_keras.freezing import freeze
from bnext_keras.layers import BinaryConv2D
from bnext_keras.quantizers import temperatures

import numpy as np
import pytest
import tensorflow as tf

IMAGES = np.random.default_rng(0).normal(1, 2, (4, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def built():
    return models.BNext([8, 16, 16], input_shape=(16, 16, 3), num_classes=2)


@pytest.fixture
def model(built):
    """A network of which nothing is frozen."""
    built.trainable = True
    return built


def trainable(model):
    return [layer.name for layer in model.layers if layer.trainable_weights]


@pytest.mark.parametrize(
    ("parts", "left"),
    [
        (["backbone"], ["head"]),
        (["stem", "block1", "block2", "head_prelu"], ["head"]),
        (["stem", "block1_3x3", "block1_1x1a", "block1_1x1b", "block2_3x3", "block2_1x1"], ["head_prelu", "head"]),
    ],
)
def test_parts_are_named_by_the_beginnings_of_layers(model, parts, left):
    freeze(model, parts)
    assert trainable(model) == left


def test_block1_is_not_block10():
    layers = [tf.keras.layers.Dense(2, name=name) for name in ("block1_a", "block10_a", "head")]
    assert freeze(tf.keras.Sequential([tf.keras.Input((2,)), *layers]), ["block1"]) == ["block1_a"]


def test_roles_and_normalizations(model):
    assert set(freeze(model, ["norms"])) == {layer.name for layer in model.layers if "bn" in layer.name}
    assert freeze(model, ["binary"])[0] == "block1_3x3_conv"
    assert "block1_3x3_se_squeeze" in freeze(model, ["squeeze-and-expand"])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            ["stm"],
            "freeze=stm: no part of bnext; it has stem, block1 to block2, head, backbone, norms, binary, "
            "squeeze-and-expand, and single layers by their names; did you mean stem",
        ),
        (["backbone", "head"], "freeze=backbone,head: nothing of bnext would be left to train; freeze less"),
    ],
)
def test_what_cannot_be_frozen(model, parts, message):
    before = trainable(model)
    with pytest.raises(RecipeError, match=message):
        freeze(model, parts)
    assert trainable(model) == before


def test_what_is_frozen_stays_bit_for_bit_and_computes_as_in_evaluation():
    """Running statistics and kernels too, whatever the temperature of those that are trained."""
    x = image = tf.keras.Input((16, 16, 3))
    x = tf.keras.layers.BatchNormalization(name="stem_bn")(tf.keras.layers.Conv2D(4, 3, name="stem_conv")(x))
    for block in ("block1", "block2"):
        x = BinaryConv2D(4, 3, name=f"{block}_conv")(x)
        x = tf.keras.layers.BatchNormalization(name=f"{block}_bn")(x)
    model = tf.keras.Model(image, tf.keras.layers.Dense(2)(tf.keras.layers.GlobalAveragePooling2D()(x)))
    freeze(model, ["stem", "block1"])
    kept = {weight.name: weight.numpy() for name in ("stem", "block1") for weight in _weights(model, name)}
    stem = tf.keras.Model(model.input, model.get_layer("stem_bn").output)
    expected = stem(IMAGES, training=False).numpy()
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    callback = WeightTemperature(0.5, 0.5, may_end_soft=True)
    model.fit(IMAGES, np.array([0, 1, 0, 1]), epochs=1, verbose=0, callbacks=[callback])
    for name in ("stem", "block1"):
        for weight in _weights(model, name):
            np.testing.assert_array_equal(weight, kept[weight.name], err_msg=weight.name)
    np.testing.assert_array_equal(stem(IMAGES, training=True), expected)
    found = {name: float(value) for name, value in temperatures(model).items()}
    assert found["block1_conv"] == 0
    assert found["block2_conv"] == 0.5


def _weights(model, part):
    return [weight for layer in model.layers if layer.name.startswith(f"{part}_") for weight in layer.weights]
