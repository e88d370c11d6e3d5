"""Models of any size, and of other precisions, as a file can hold them."""

import bnext_keras
from bnext_keras.precision import global_policy

import numpy as np
import pytest
import tensorflow as tf
from alike import with_more

from converter import ConversionError, convert
from converter.cli.convert import main
from converter.source.loading import load
from converter.source.rebuilding import in_float32, of_size, other_precisions

Layers = tf.keras.layers


def sequential(*shape):
    return tf.keras.Sequential([tf.keras.Input(shape), Layers.Conv2D(4, 3), Layers.GlobalAveragePooling2D()])


def test_a_model_of_any_size_is_converted_for_one(tmp_path):
    model = bnext_keras.models.BNext([32, 64], input_shape=(None, None, 3), num_classes=2)
    expected = convert(of_size(model, 32))
    assert convert(model, input_size=32).content == expected.content
    assert expected.input_shape == (1, 32, 32, 3)
    model.save(tmp_path / "model.h5")
    assert main([str(tmp_path / "model.h5"), "--input-size", "32"]) == 0
    assert (tmp_path / "model.tflite").stat().st_size == pytest.approx(expected.size, abs=200)  # but for its SHA-256


def test_a_sequential_model_of_any_size_keeps_its_weights():
    model = sequential(None, None, 3)
    copy = of_size(model, 16)
    assert copy.input_shape == (None, 16, 16, 3)
    image = np.ones((1, 16, 16, 3), np.float32)
    np.testing.assert_array_equal(copy(image), model(image))
    assert of_size(copy, 16) is copy
    assert of_size(model, None) is model


def test_a_size_that_is_not_the_models_is_refused():
    with pytest.raises(ConversionError, match="its input has the size 16 x 16; leave out the input size"):
        convert(sequential(16, 16, 3), input_size=32)
    with pytest.raises(ConversionError, match="it cannot be built for images of 2 x 2"):
        of_size(sequential(None, None, 3), 2)


def test_without_a_size_the_remedy_is_the_option():
    with pytest.raises(ConversionError, match=r"dynamic input shape .*; give the size, bnext-convert --input-size N"):
        convert(sequential(None, None, 3))


@pytest.mark.parametrize(
    ("policy", "file"),
    with_more([("mixed_float16", "model.h5")], [("mixed_bfloat16", "model.keras"), ("mixed_bfloat16", "model.h5")]),
)
def test_a_model_of_mixed_precision_becomes_the_file_of_its_twin_in_float32(tmp_path, policy, file):
    def build(policy):
        tf.keras.utils.set_random_seed(0)
        with global_policy(policy):
            return bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=2)

    build(policy).save(tmp_path / file)
    result = convert(load(tmp_path / file))
    assert result.content == convert(build("float32")).content
    assert [advice.what for advice in result.advice] == [
        f"it computes in {policy}; the file, and the model that it was compared with, in float32"
    ]


@pytest.mark.parametrize("file", ["model.h5", "model.keras"])
def test_models_are_loaded_and_converted_while_another_policy_is_in_force(tmp_path, file):
    def build():
        return bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=2)

    build().save(tmp_path / file)
    expected = convert(load(tmp_path / file)).content
    with global_policy("mixed_float16"):
        assert convert(load(tmp_path / file)).content == expected
        assert convert(build()).verification.passed


def test_layers_of_earlier_versions_are_loaded_while_another_policy_is_in_force():
    config = bnext_keras.layers.BinaryConv2D(32, 3).get_config()
    config["kernel_quantizer"]["config"]["dtype"] = None
    with global_policy("mixed_float16"):
        copy = bnext_keras.layers.BinaryConv2D.from_config(config)
    assert copy.kernel_quantizer.dtype_policy.name == copy.dtype_policy.name == "float32"


def test_another_precision_is_converted_as_float32_on_demand(conv_model, float64):
    precision = "float64"
    image = tf.keras.Input((8, 8, 32))
    inner = conv_model((8, 8, 32), filters=32, kernel_size=3)
    x = Layers.GlobalAveragePooling2D()(Layers.BatchNormalization()(inner(image)))
    model = tf.keras.Model(image, Layers.Dense(4, name="head")(x), name="net")
    assert set(other_precisions(model).values()) == {precision}
    with pytest.raises(ConversionError, match="bnext-convert --float32"):
        convert(model)
    result = convert(model, float32=True)
    assert result.verification.passed
    assert [advice.what for advice in result.advice] == [
        f"it computes in {precision}; the file, and the model that it was compared with, in float32"
    ]
    assert set(other_precisions(model).values()) == {precision}


def test_float32_stays_what_it_is():
    model = sequential(8, 8, 3)
    assert other_precisions(model) == {}
    copy = in_float32(model)
    assert [layer.dtype for layer in copy.layers] == [layer.dtype for layer in model.layers]
    assert convert(model, float32=True).advice == []
