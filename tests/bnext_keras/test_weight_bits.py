"""Networks whose float layers are trained in few bits."""

import bnext_keras
from bnext_keras import quantize_weights
from bnext_keras.layers import BinaryConv2D, Conv2D, Dense, DepthwiseConv2D, LowBitConv2D
from bnext_keras.quantizers import fake_quantized
from bnext_keras.recipes import Recipe
from bnext_keras.training.student import build_model
from bnext_keras.twin import float_twin

import numpy as np
import pytest
import tensorflow as tf

Layers = tf.keras.layers


def bnext(**options):
    return bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2, **options)


def small():
    """A layer of each role."""
    image = tf.keras.Input((8, 8, 3))
    x = Layers.GlobalAveragePooling2D()(Conv2D(4, 3, role="stem", name="stem")(image))
    x = x * Dense(4, activation="sigmoid", role="squeeze-and-expand", name="gate")(x)
    return tf.keras.Model(image, Dense(2, role="head", name="head")(x))


def images(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("layer", "shape", "name"),
    [
        (lambda **options: Conv2D(4, 3, padding="same", strides=2, **options), (2, 8, 8, 6), "kernel"),
        (lambda **options: Dense(4, activation="relu", **options), (2, 6), "kernel"),
        (lambda **options: Dense(4, **options), (2, 1, 1, 6), "kernel"),
        (lambda **options: DepthwiseConv2D(3, depth_multiplier=2, **options), (2, 8, 8, 6), "depthwise_kernel"),
    ],
)
def test_layers_compute_with_the_quantized_kernel(layer, shape, name):
    quantized, plain = layer(kernel_bits=4), layer()
    inputs = images(*shape)
    answers, _ = quantized(inputs), plain(inputs)
    plain.set_weights(quantized.get_weights())
    kernel = getattr(plain, name)
    rows = kernel.numpy()
    # The output channels are the last axis of all but depthwise kernels.
    rows = rows.reshape(*rows.shape[:2], -1) if name == "depthwise_kernel" else rows
    kernel.assign(fake_quantized(tf.constant(rows), 4).numpy().reshape(kernel.shape))
    np.testing.assert_allclose(answers, plain(inputs), rtol=1e-5, atol=1e-6)
    assert not np.allclose(quantized.get_weights()[0], kernel)


def test_the_papers_bits_by_role():
    model = bnext()
    found = quantize_weights(model, "8/4/8")
    gates = {f"block1_{name}_se_{part}": 4 for name in ("3x3", "1x1a", "1x1b") for part in ("squeeze", "expand")}
    assert found == {"stem_conv": 8, **gates, "head": 8}
    assert quantize_weights(model, {"se": 32, "head": 2}) == {"stem_conv": 8, "head": 2}


def test_a_network_without_bits_is_what_it_was():
    configs = [layer["config"] for layer in small().get_config()["layers"]]
    assert not [config for config in configs if "kernel_bits" in config]


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_files_keep_the_bits(tmp_path, ending):
    model = small()
    quantize_weights(model, "8/4/8")
    model.save(tmp_path / f"model.{ending}")
    copy = tf.keras.models.load_model(tmp_path / f"model.{ending}")
    assert [copy.get_layer(name).kernel_bits for name in ("stem", "gate", "head")] == [8, 4, 8]
    np.testing.assert_array_equal(copy(images(1, 8, 8, 3)), model(images(1, 8, 8, 3)))


def test_what_has_been_compiled_is_not_used_any_more():
    model, inputs = small(), images(2, 8, 8, 3)
    before = model.predict(inputs, verbose=0)
    quantize_weights(model, "2/2/2")
    after = model.predict(inputs, verbose=0)
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(after, model(inputs), rtol=1e-5)


def test_kernels_are_quantized_in_float32_under_mixed_precision(mixed_float16):
    layer = Dense(2, kernel_bits=4)
    layer.build((None, 2))
    # Steps are 1. In float16 both weights of the second row would be 2.5, and round alike.
    layer.kernel.assign([[7.0, 7.0], [2.5001, 2.4999]])
    kernel = layer.effective_kernel()
    assert (kernel.dtype, kernel.numpy().tolist()) == (tf.float16, [[7.0, 7.0], [3.0, 2.0]])
    with tf.GradientTape() as tape:
        result = layer(tf.constant([[0.5, 2.0]]))
    assert (result.dtype, result.numpy().tolist()) == (tf.float16, [[9.5, 7.5]])
    gradient = tape.gradient(result, layer.kernel)
    assert (gradient.dtype, gradient.numpy().tolist()) == (tf.float32, [[0.5, 0.5], [2.0, 2.0]])


def test_counts_know_the_bits():
    model = bnext()
    floats = bnext_keras.models.count(model)
    quantize_weights(model, "8/4/8")
    costs = bnext_keras.models.count(model)
    # 3x3x3 to 8, and 16 features to 2 classes; three gates of 8 channels to 1 and back.
    assert costs.trained_bits == {8: 216 + 32, 4: 3 * 16}
    assert floats.bytes - costs.bytes == 3 * 248 + 3.5 * 48
    lines = []
    bnext_keras.models.summary(model, print_fn=lines.append)
    expected = "  as trained                0.00 MiB: 48 weights of 4 bits, 248 weights of 8 bits, the rest in float32"
    assert expected in lines


def test_other_copies_of_a_network():
    model = small()
    quantize_weights(model, "8/4/8")
    assert bnext_keras.heads.with_classes(model, 5).get_layer("head").kernel_bits == 8
    assert float_twin(model).get_layer("head").kernel_bits is None


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ("8/4", "must be bits of stem, squeeze-and-expand and head from 2 to 8, or 32 for floats, such as 8/4/8; got"),
        ("8/4/16", "got '8/4/16'"),
        ("eight", "got 'eight'"),
        ({"other": 8}, "bits are those of stem, se, head, got 'other'"),
        ({"se": 1}, "got {'se': 1}"),
    ],
)
def test_bits_that_there_are_none_of(bits, message):
    with pytest.raises(ValueError, match=message):
        quantize_weights(tf.keras.Sequential(), bits)


def test_layers_that_cannot():
    image = tf.keras.Input((8, 8, 3))
    x = Layers.GlobalAveragePooling2D()(BinaryConv2D(8, 3)(Layers.Conv2D(8, 3, name="first")(image)))
    model = tf.keras.Model(image, Dense(2, role="head")(x), name="mine")
    with pytest.raises(ValueError, match=r"layer 'first' \(stem\) is tf_keras's Conv2D, which cannot be trained in 8"):
        quantize_weights(model, "8/32/8")
    with pytest.raises(ValueError, match="model 'mine' has no squeeze-and-expand to quantize; write 32 for it"):
        quantize_weights(model, "32/4/8")
    assert model.layers[-1].kernel_bits is None  # nothing was changed
    assert quantize_weights(model, "32/32/8") == {"dense": 8}
    with pytest.raises(ValueError, match="LowBitConv2D has bits of its own"):
        LowBitConv2D(8, 3, kernel_bits=8)


@pytest.mark.exhaustive
def test_a_recipe_says_the_bits():
    recipe = Recipe("BNext", model_options={"widths": (8, 16)}).with_settings(
        ["weight_bits=8/4/8", "num_classes=2", "image_size=32", "precision=mixed_bfloat16"]
    )
    model = build_model(recipe)
    assert [model.get_layer(name).kernel_bits for name in ("stem_conv", "block1_3x3_se_expand", "head")] == [8, 4, 8]
    assert Recipe("BNext").settings()["weight_bits"] == "32/32/32"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["weight_bits=8"], "weight_bits=8: must be bits of stem, squeeze-and-expand and head"),
        (["weight_bits=8/4/8", "float_twin=true"], "a float twin has float weights; leave out weight_bits="),
    ],
)
def test_recipes_that_are_refused(settings, message):
    with pytest.raises(bnext_keras.errors.RecipeError, match=message):
        Recipe("BNext").with_settings(settings)


@pytest.mark.exhaustive
def test_a_network_without_such_layers_is_refused():
    recipe = Recipe("BNext", model_options={"widths": (8, 16), "info_recoupling": False}, weight_bits="8/4/8")
    with pytest.raises(bnext_keras.errors.RunError, match="weight_bits=8/4/8: model 'bnext' has no squeeze-and-expand"):
        build_model(recipe.derive(data={"num_classes": 2, "image_size": 32}))
