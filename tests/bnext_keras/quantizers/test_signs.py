"""Quantizers, their gradients and the temperature."""

import logging

import bnext_keras
from bnext_keras import callbacks, constraints, layers, quantizers

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from converter import convert

KERNEL = [-1.5, -0.3, -0.0, 0.0, 0.1, 0.5]


def quantize(values, temperature, training):
    quantizer = quantizers.AnnealedSign()
    kernel = tf.constant(values)
    quantizer(kernel)
    quantizer.temperature.assign(temperature)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        result = quantizer(kernel, training=training)
        loss = tf.reduce_sum(result * tf.range(1.0, len(values) + 1))
    return result.numpy(), tape.gradient(loss, kernel)


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (1.0, [-1.0, -0.3, 0.0, 0.0, 0.1, 0.5]),
        (0.2, [-1.0, -1.0, 0.0, 0.0, 0.5, 1.0]),
        (1e-7, [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0]),
        (9e-8, [-1.0, -1.0, 1.0, 1.0, 1.0, 1.0]),
        (0.0, [-1.0, -1.0, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_annealed_sign_in_training(temperature, expected):
    result, gradient = quantize(KERNEL, temperature, training=True)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    np.testing.assert_array_equal(gradient, [1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize("training", [False, None])
def test_annealed_sign_is_the_sign_outside_training(training):
    result, _ = quantize(KERNEL, 0.5, training)
    np.testing.assert_array_equal(result, [-1, -1, 1, 1, 1, 1])


def test_the_layer_hands_training_down_to_its_kernel():
    layer = layers.BinaryConv2D(1, 1)
    pixel = tf.ones((1, 1, 1, 1))
    layer(pixel)
    layer.kernel.assign([[[[0.25]]]])
    layer.kernel_quantizer.temperature.assign(0.5)
    image = tf.keras.Input((1, 1, 1))
    model = tf.keras.Model(image, layer(image))
    assert model(pixel, training=True).numpy().item() == 0.5
    assert model(pixel, training=False).numpy().item() == 1.0
    assert model.predict(pixel, verbose=0).item() == 1.0


def test_the_activations_gradient_passes_up_to_one_and_a_half():
    layer = layers.BinaryConv2D(1, 1)
    values = tf.constant([-1.6, -1.5, -0.2, 0.0, 1.5, 1.6])
    with tf.GradientTape() as tape:
        tape.watch(values)
        signs = layer.input_quantizer(values)
    np.testing.assert_array_equal(signs, [-1, -1, -1, 1, 1, 1])
    np.testing.assert_array_equal(tape.gradient(signs, values), [0, 1, 1, 1, 1, 0])


def signs_and_gradients(quantizer, values, upstream):
    """Signs, their gradient, and the gradient of that by the upstream one: what a gradient penalty needs."""
    with tf.GradientTape() as outer:
        outer.watch(upstream)
        with tf.GradientTape() as tape:
            tape.watch(values)
            signs = quantizer(values)
        gradient = tape.gradient(signs, values, upstream)
    return signs, gradient, outer.gradient(gradient, upstream)


@pytest.mark.parametrize("mode", [lambda function: function, tf.function], ids=["eager", "graph"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("clip_value", [1.5, 1.0, 1 / 3, 0.007, 123.456, None])
def test_the_fused_sign_is_larqs(clip_value, dtype, mode):
    limit = dtype(clip_value or 1.0)
    limits = [limit, np.nextafter(limit, dtype(0)), np.nextafter(limit, dtype(np.inf))]
    edges = np.array([0.0, 1e-37, np.inf, *limits], dtype)
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(size=1000).astype(dtype) * limit, edges, -edges, [dtype(np.nan)]])
    upstream = random.normal(size=values.shape).astype(dtype)
    options = {"clip_value": clip_value, "dtype": np.dtype(dtype).name}
    fused, larqs = quantizers.FusedSteSign(**options), lq.quantizers.SteSign(**options)
    results, expectations = (
        mode(lambda x, dy, quantizer=quantizer: signs_and_gradients(quantizer, x, dy))(
            tf.constant(values), tf.constant(upstream)
        )
        for quantizer in (fused, larqs)
    )
    for result, expected in zip(results, expectations, strict=True):
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("clip_value", [0.0, -1.0, np.inf])
def test_a_threshold_that_lets_nothing_pass_is_refused(clip_value):
    with pytest.raises(ValueError, match="clip_value must be a positive number"):
        quantizers.FusedSteSign(clip_value=clip_value)


def test_models_saved_with_larqs_sign_keep_it(tmp_path):
    image = tf.keras.Input((8, 8, 4))
    larqs = lq.quantizers.SteSign(clip_value=1.5)
    for quantizer in (larqs, quantizers.FusedSteSign(clip_value=1.5)):
        model = tf.keras.Model(image, layers.BinaryConv2D(4, 3, input_quantizer=quantizer, name="conv")(image))
        for name in ("model.h5", "model.keras", "saved_model"):
            model.save(tmp_path / name)
            copy = tf.keras.models.load_model(tmp_path / name).get_layer("conv").input_quantizer
            assert type(copy) is type(quantizer)
            assert copy.clip_value == 1.5
            assert copy.precision == 1


@pytest.mark.parametrize("quantizer", [lq.quantizers.SteSign(1.5), quantizers.FusedSteSign(1.5)], ids=["larq", "fused"])
def test_larq_compute_engine_recognizes_the_sign(quantizer):
    model = tf.keras.Sequential([layers.BinaryConv2D(32, 3, input_quantizer=quantizer, input_shape=(8, 8, 32))])
    result = convert(model)
    assert result.operators["LceBconv2d"] == 1
    assert "CONV_2D" not in result.operators


def test_the_gradient_of_a_binary_conv_is_that_of_its_signs():
    """One pixel, two channels: y = sum_c sign(x_c) sign(w_c)."""
    layer = layers.BinaryConv2D(1, 1)
    pixel = tf.Variable(np.array([0.5, -2.0], np.float32).reshape(1, 1, 1, 2))
    layer(pixel)
    layer.kernel.assign(np.array([-0.3, 1.4], np.float32).reshape(1, 1, 2, 1))
    with tf.GradientTape() as tape:
        output = layer(pixel, training=True)
    by_pixel, by_kernel = tape.gradient(output, [pixel, layer.kernel.latent_variable])
    assert output.numpy().item() == -2.0
    np.testing.assert_array_equal(np.ravel(by_pixel), [-1, 0])
    np.testing.assert_array_equal(np.ravel(by_kernel), [1, -1])


def test_latent_weights_start_small_and_stay_within_one_and_a_half(small_bnext):
    kernel = small_bnext.get_layer("block2_3x3_conv").kernel
    assert np.std(kernel.latent_variable.numpy()) == pytest.approx(1e-3, rel=0.05)
    small_bnext.compile(tf.keras.optimizers.SGD(1e6), tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    small_bnext.fit(np.random.default_rng(0).normal(size=(8, 32, 32, 3)), np.arange(8), verbose=0)
    assert np.abs(kernel.latent_variable.numpy()).max() == 1.5
    scale = small_bnext.get_layer("block2_3x3_mix").scale.numpy()
    assert scale.min() >= 0
    assert scale.max() <= 1


def test_unit_interval():
    np.testing.assert_array_equal(constraints.UnitInterval()(tf.constant([-1.0, 0.5, 2.0])), [0, 0.5, 1])


def test_a_learnable_mix_mixes_by_channel():
    mix = layers.LearnableMix()
    before, after = tf.ones((1, 2, 2, 2)), tf.zeros((1, 2, 2, 2))
    mix([before, after])
    mix.scale.assign([0.25, 1.0])
    np.testing.assert_array_equal(mix([before, after])[0, 1, 1], [0.25, 1.0])


@pytest.fixture
def two_kernels():
    """A network of two binary convolutions that trains in a moment."""
    image = tf.keras.Input((32, 32, 3))
    x = layers.BinaryConv2D(8, 3, strides=4)(tf.keras.layers.Conv2D(8, 3, strides=4)(image))
    x = tf.keras.layers.GlobalAveragePooling2D()(layers.BinaryConv2D(8, 1)(x))
    return tf.keras.Model(image, tf.keras.layers.Dense(10)(x))


def fit(model, epochs, *extra, **options):
    images = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype(np.float32)
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model.fit(images, np.arange(8), epochs=epochs, verbose=0, callbacks=list(extra), **options)


def test_the_schedule_is_the_published_one():
    schedule = callbacks.WeightTemperature()
    assert schedule.temperature(0) == 1.0
    assert schedule.temperature(20) == pytest.approx(0.1216, rel=1e-3)
    assert schedule.temperature(128) == pytest.approx(1.39e-6, rel=1e-2)
    assert schedule.temperature(152) > 0
    assert schedule.temperature(153) == 0


def test_of_the_published_length_too():
    schedule, published = callbacks.WeightTemperature.for_epochs(512), callbacks.WeightTemperature()
    assert (schedule.initial, schedule.decay) == (published.initial, published.decay) == (1.0, 0.9)


@pytest.mark.parametrize("fraction", [0.3, 1.0])
@pytest.mark.parametrize("epochs", [1, 2, 3, 128, 600])
def test_whatever_its_length_a_run_ends_with_binary_kernels(epochs, fraction):
    assert callbacks.WeightTemperature.for_epochs(epochs, fraction).temperature(epochs - 1) == 0


@pytest.mark.parametrize("epochs", [0, -1])
def test_a_run_without_epochs_has_no_schedule(epochs):
    with pytest.raises(ValueError, match=f"epochs must be at least 1, the length of the whole run, got {epochs}"):
        callbacks.WeightTemperature.for_epochs(epochs)


@pytest.mark.parametrize(("epochs", "annealed"), [(512, 153), (20, 6), (2, 1)])
def test_a_shorter_run_is_annealed_after_the_same_share(epochs, annealed):
    schedule = callbacks.WeightTemperature.for_epochs(epochs)
    assert schedule.temperature(annealed - 1) > 0
    assert schedule.temperature(annealed) == 0


def test_the_callback_sets_the_temperature_of_every_kernel(two_kernels, caplog):
    history = fit(two_kernels, 3, callbacks.WeightTemperature(decay=0.5, may_end_soft=True))
    assert history.history["weight_temperature"] == [1.0, 0.5, 0.25]
    assert [float(value) for value in quantizers.temperatures(two_kernels).values()] == [0.25, 0.25]
    assert "still 0.25" in caplog.text


def test_the_callback_continues_where_a_run_stopped(two_kernels):
    history = fit(two_kernels, 5, callbacks.WeightTemperature(decay=0.5, may_end_soft=True), initial_epoch=3)
    assert history.history["weight_temperature"] == [0.125, 0.0625]


@pytest.mark.parametrize("initial_epoch", [0, 99])
def test_a_fit_that_would_end_with_soft_kernels_is_refused_before_its_first_step(two_kernels, initial_epoch):
    before = [weight.numpy() for weight in two_kernels.weights]
    with pytest.raises(bnext_keras.errors.RunError) as caught:
        fit(two_kernels, 100, callbacks.WeightTemperature(), initial_epoch=initial_epoch)
    assert str(caught.value) == (
        f"WeightTemperature of {two_kernels.name}: the weight temperature is still 3e-05 in the last of 100 epochs: "
        "kernels that are binary by then take a decay of 0.849 at most, or 154 epochs; "
        "use WeightTemperature.for_epochs(100); or, if this is not the end of the run, may_end_soft=True"
    )
    for weight, value in zip(two_kernels.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_what_a_refusal_recommends_would_do():
    assert callbacks.WeightTemperature(decay=0.849).temperature(99) == 0
    assert callbacks.WeightTemperature().temperature(153) == 0


def test_a_network_that_ended_soft_is_hardened(two_kernels):
    fit(two_kernels, 1, callbacks.WeightTemperature(decay=0.5, may_end_soft=True))
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    before = two_kernels.predict(images, verbose=0)
    soft = quantizers.harden(two_kernels)
    assert set(soft) == set(quantizers.temperatures(two_kernels))
    assert set(soft.values()) == {1.0}
    assert list(map(float, quantizers.temperatures(two_kernels).values())) == [0.0, 0.0]
    np.testing.assert_array_equal(two_kernels.predict(images, verbose=0), before)
    assert quantizers.harden(two_kernels) == {}


def test_an_annealed_run_does_not_warn(two_kernels, caplog):
    fit(two_kernels, 2, callbacks.WeightTemperature.for_epochs(2))
    assert list(map(float, quantizers.temperatures(two_kernels).values())) == [0.0, 0.0]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_model_without_temperatures_is_left_alone(caplog):
    image = tf.keras.Input((32, 32, 3))
    output = lq.layers.QuantDense(10)(tf.keras.layers.GlobalAveragePooling2D()(image))
    fit(tf.keras.Model(image, output), 1, callbacks.WeightTemperature())
    assert "does nothing" in caplog.text


@pytest.mark.parametrize("arguments", [{"decay": 1.0}, {"decay": 0}, {"initial": 0}])
def test_schedules_that_never_end_are_refused(arguments):
    with pytest.raises(ValueError, match="must be"):
        callbacks.WeightTemperature(**arguments)


def test_kernels_of_nested_models_are_annealed_too():
    image = tf.keras.Input((8, 8, 4))
    inner = tf.keras.Model(image, layers.BinaryConv2D(4, 3, name="conv")(image))
    outer_image = tf.keras.Input((8, 8, 4))
    outer = tf.keras.Model(outer_image, layers.BinaryConv2D(4, 3, name="conv")(inner(outer_image)))
    assert len(quantizers.temperatures(outer)) == 2
