"""Weight files in Larq Zoo's layout, written by Keras itself."""

from bnext_keras.importers import CheckpointError, StateDictError, load_larq_zoo_weights
from bnext_keras.layers import BinaryConv2D

import h5py
import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture
def build():
    def build(filters=4, num_classes=3, head="head_dense"):
        image = x = tf.keras.Input((8, 8, 3))
        x = tf.keras.layers.Conv2D(filters, 3, use_bias=False, name="stem_s0_conv")(x)
        x = tf.keras.layers.BatchNormalization(name="stem_s0_bn")(x)
        x = BinaryConv2D(4, 1, name="section_0_block_0_dense_binconv")(x)
        x = tf.keras.layers.GlobalAveragePooling2D(name="head_globalpool")(x)
        if head:
            x = tf.keras.layers.Dense(num_classes, name=head)(x)
        model = tf.keras.Model(image, x, name="tiny")
        generator = np.random.default_rng(filters)
        for weight in model.weights:
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
        return model

    return build


@pytest.mark.parametrize("whole", [False, True])
def test_weights_by_the_names_of_layers(build, tmp_path, whole):
    source, model = build(), build()
    path = tmp_path / "weights.h5"
    source.save(path) if whole else source.save_weights(path)
    for weight in model.weights:
        weight.assign(tf.zeros_like(weight))
    assert load_larq_zoo_weights(model, path) == []
    for weight, expected in zip(model.weights, source.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_without_a_head_the_classes_stay_fresh(build, tmp_path, caplog):
    build(head=None).save_weights(tmp_path / "notop.h5")
    model = build(num_classes=5)
    head = model.get_layer("head_dense").kernel.numpy()
    assert load_larq_zoo_weights(model, tmp_path / "notop.h5") == ["head_dense"]
    assert "no weights for head_dense" in caplog.text
    np.testing.assert_array_equal(model.get_layer("head_dense").kernel, head)


def test_names_that_keras_cuts_into_several_attributes(build, tmp_path):
    path = tmp_path / "weights.h5"
    build().save_weights(path)
    with h5py.File(path, "a") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:2], names[2:]
    assert load_larq_zoo_weights(build(), path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "classes"}, "1 layers have no place: classes"),
        ({"num_classes": 5}, r"1 layers have another shape: head_dense \[\(4, 5\), \(5,\)\]"),
        ({"filters": 5}, "3 layers have another shape: section_0_block_0_dense_binconv"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(build, tmp_path, options, message):
    build(**options).save_weights(tmp_path / "weights.h5")
    model = build()
    before = [weight.numpy() for weight in model.weights]
    with pytest.raises(StateDictError, match=message):
        load_larq_zoo_weights(model, tmp_path / "weights.h5")
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_layers_other_than_the_head_must_be_there(build, tmp_path):
    source = build()
    tf.keras.Model(source.input, source.get_layer("stem_s0_bn").output).save_weights(tmp_path / "part.h5")
    with pytest.raises(StateDictError, match="1 layers are missing: section_0_block_0_dense_binconv"):
        load_larq_zoo_weights(source, tmp_path / "part.h5")


@pytest.mark.parametrize("damage", ["text", "empty", "truncated", "no names", "a name too many"])
def test_files_that_are_no_weights(build, tmp_path, damage):
    path = tmp_path / "weights.h5"
    build().save_weights(path)
    if damage == "text":
        path.write_text("no weights")
    elif damage == "empty":
        h5py.File(path, "w").close()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:2000])
    else:
        with h5py.File(path, "a") as file:
            names = file.attrs.pop("layer_names")
            if damage == "a name too many":
                file.attrs["layer_names"] = np.append(names.astype("S40"), b"another")
    with pytest.raises(CheckpointError, match="not a weight file of Keras, or a damaged one"):
        load_larq_zoo_weights(build(), path)
