"""Training in 16 bits: what stays in 32, and that the rest agrees with float32."""

from bnext_keras import callbacks, layers, quantizers
from bnext_keras.precision import POLICIES as POLICIES_OF_FLOAT32
from bnext_keras.precision import global_policy, in_precision
from bnext_keras.recipes._sections import PRECISIONS
from bnext_keras.teachers import Teacher

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
import tiny_students as tiny
from alike import with_more

POLICIES = ("mixed_float16", "mixed_bfloat16")
#: The distance of a number to the next one, by its size.
SPACING = {"mixed_float16": 2**-10, "mixed_bfloat16": 2**-7}


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("layer", "kernel_quantizer"),
    [
        (lq.layers.QuantConv2D, "ste_sign"),
        (lq.layers.QuantConv2D, lq.quantizers.MagnitudeAwareSign()),
        (layers.BinaryConv2D, quantizers.AnnealedSign()),
        (layers.BinaryConv2D, "ste_sign"),
    ],
)
def test_latent_weights_are_quantized_in_float32(layer, kernel_quantizer, mixed_float16):
    options = {"kernel_constraint": "weight_clip", "input_quantizer": None, "use_bias": False}
    conv = layer(1, 1, kernel_quantizer=kernel_quantizer, **options)
    conv.build((None, 1, 1, 2))
    conv.kernel.assign(np.reshape([-1e-8, 1.0], (1, 1, 2, 1)))
    products = conv(tf.eye(2)[:, None, None]).numpy().ravel()
    assert products.dtype == np.float16
    np.testing.assert_array_equal(np.sign(products), [-1, 1])
    assert conv.kernel.dtype == tf.float32
    assert lq.optimizers.Bop.is_binary_variable(conv.kernel) == (conv.kernel_quantizer.precision == 1)


def test_the_last_temperatures_are_told_apart(mixed_float16):
    conv = layers.BinaryConv2D(1, 1, input_quantizer=None)
    conv.build((None, 1, 1, 1))
    conv.kernel.assign(np.full((1, 1, 1, 1), 0.5e-7))
    answers = []
    for temperature in (2e-7, 1.1e-7, 0.9e-7):
        conv.kernel_quantizer.temperature.assign(temperature)
        model = tf.keras.Sequential([tf.keras.Input((1, 1, 1)), conv])
        answers.append(float(model(tf.ones((1, 1, 1, 1)), training=True)))
    assert answers == [0.25, float(np.float16(0.5 / 1.1)), 1.0]


def test_bases_of_one_kernel_are_found_in_float32(mixed_float16):
    conv = layers.MultiBaseConv2D(4, 3, weight_bases=3, activation_bases=2)
    x = images(1, 8, 8, 16)
    half = conv(x)
    with global_policy("float32"):
        same = layers.MultiBaseConv2D.from_config({**conv.get_config(), "dtype": "float32"})
        same.build(x.shape)
        same.set_weights(conv.get_weights())
    np.testing.assert_allclose(half, same(x), rtol=0.01, atol=0.01)


@pytest.mark.parametrize("policy", POLICIES)
def test_few_bits_are_rounded_in_16(policy):
    conv = layers.LowBitConv2D(4, 3, bits=4)
    x = images(1, 8, 8, 4)
    conv(x)
    conv.bounds.assign(np.full(4, 2.0))
    half = layers.LowBitConv2D(4, 3, bits=4, dtype=policy)
    half(x)
    half.set_weights(conv.get_weights())
    # Beyond its rounding a value may fall on the other side of one of the 15 levels.
    np.testing.assert_allclose(tf.cast(half(x), tf.float32), conv(x), atol=0.5)
    assert np.median(np.abs(tf.cast(half(x), tf.float32) - conv(x))) < 20 * SPACING[policy]


def test_recipes_know_the_policies():
    assert PRECISIONS == POLICIES_OF_FLOAT32


@pytest.mark.parametrize("policy", POLICIES)
def test_sums_of_signs_are_those_of_float32(policy):
    """144 terms, which even bfloat16 holds."""
    x = images(2, 6, 6, 16)
    x += np.sign(x) * 0.1
    outputs = []
    for each in ("float32", policy):
        conv = layers.BinaryConv2D(8, 3, dtype=each)
        conv.build(x.shape)
        conv.kernel.assign(images(3, 3, 16, 8, seed=1) * 1e-3)
        outputs.append(conv(x))
    assert outputs[1].dtype != tf.float32
    np.testing.assert_array_equal(tf.cast(outputs[1], tf.float32), outputs[0])


@pytest.mark.parametrize("policy", POLICIES)
def test_a_threshold_leaves_a_sum_its_sign(policy):
    x, bias = images(64, 1, 1, 1), images(256, seed=1)
    threshold = layers.LearnableBias(dtype=policy)
    threshold.build((None, 1, 1, 256))
    kind = threshold.compute_dtype
    threshold.bias.assign(tf.cast(tf.cast(bias, kind), tf.float32))
    rounded = tf.cast(x, kind)
    signs = np.sign(tf.cast(threshold(tf.broadcast_to(rounded, (64, 1, 1, 256))), tf.float32))
    exact = np.sign(np.float64(tf.cast(rounded, tf.float32)) + np.float64(threshold.bias))
    np.testing.assert_array_equal(signs, exact)


@pytest.mark.parametrize("synchronized", [False, True])
@pytest.mark.parametrize("policy", POLICIES)
def test_statistics_are_those_of_float32(policy, synchronized):
    """Values whose squares float16 does not hold, and whose sum has more digits than either type."""
    x = (300 * images(64, 8, 8, 2) + 100).astype(np.float16).astype(np.float32)
    norm = tf.keras.layers.BatchNormalization(momentum=0.0, synchronized=synchronized, dtype=policy)
    kind = tf.as_dtype(norm.compute_dtype)
    norm(tf.cast(x, kind), training=True)
    seen = np.float64(tf.cast(tf.cast(x, kind), tf.float32))
    assert norm.moving_variance.dtype == tf.float32
    np.testing.assert_allclose(norm.moving_mean, seen.mean((0, 1, 2)), rtol=1e-3)
    np.testing.assert_allclose(norm.moving_variance, seen.var((0, 1, 2)), rtol=1e-3)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_gradient_of_a_sign_is_one_operation_in_16_bits(policy):
    kind = tf.keras.mixed_precision.Policy(policy).compute_dtype

    @tf.function
    def step(values, upstream):
        with tf.GradientTape() as tape:
            tape.watch(values)
            signs = quantizers.FusedSteSign(clip_value=1.5, dtype=kind)(values)
        before = len(tf.compat.v1.get_default_graph().get_operations())
        gradient = tape.gradient(signs, values, upstream)
        kinds.extend(op.type for op in tf.compat.v1.get_default_graph().get_operations()[before:])
        return gradient

    kinds = []
    values = tf.cast([-1.6, -1.5, 0.0, 1.5, 1.6], kind)
    gradient = step(values, tf.cast([1, 2, 3, 4, 5], kind))
    np.testing.assert_array_equal(tf.cast(gradient, tf.float32), [0, 2, 3, 4, 0])
    assert [kind for kind in kinds if kind not in ("Const", "Identity", "NoOp")] == ["ReluGrad"]


@pytest.mark.parametrize("policy", POLICIES)
def test_logits_are_those_of_float32_up_to_rounding(policy):
    """Of a network whose signs see nothing near their thresholds, in training; so no sign is another one."""
    outputs = []
    x, kernels = images(8, 16, 16, 8), [images(3, 3, 8, 8, seed=seed) for seed in (1, 2)]
    x += np.sign(x) * 0.5
    for each in ("float32", policy):
        with global_policy(each):
            image = y = tf.keras.Input((16, 16, 8))
            convs = [layers.BinaryConv2D(8, 3, name=f"conv{i}") for i in range(2)]
            y = tf.keras.layers.BatchNormalization()(convs[0](y))
            y = layers.LearnableMix()([image, tf.keras.layers.PReLU(shared_axes=(1, 2))(y)])
            # A sign far from its threshold: sums of 8 signs, plus one half.
            y = y + tf.keras.layers.BatchNormalization()(convs[1](image))
            y = tf.keras.layers.GlobalAveragePooling2D()(y)
            model = tf.keras.Model(image, layers.Dense(5, role="head", dtype="float32", name="head")(y))
        for conv, kernel in zip(convs, kernels, strict=True):
            conv.kernel.assign(kernel)
        head = model.get_layer("head")
        head.kernel.assign(images(8, 5, seed=3))
        outputs.append(model(x, training=True).numpy())
    assert outputs[1].dtype == np.float32
    error = np.abs(outputs[1] - outputs[0]).max() / np.abs(outputs[0]).max()
    assert 0 < error < 8 * SPACING[policy]


def network(policy):
    """Of each kind of layer that BNext has but its gate, one."""
    with global_policy(policy):
        image = tf.keras.Input((8, 8, 8))
        x = layers.BinaryConv2D(8, 3, name="conv")(layers.LearnableBias()(image))
        x = tf.keras.layers.PReLU(shared_axes=(1, 2))(tf.keras.layers.BatchNormalization()(x))
        x = tf.keras.layers.GlobalAveragePooling2D()(layers.LearnableMix()([image, x]))
        return tf.keras.Model(image, layers.Dense(4, role="head", dtype="float32")(x))


@pytest.mark.parametrize(
    ("policy", "jit_compile"),
    with_more([("mixed_float16", False)], [("mixed_bfloat16", True)]),
)
def test_all_callbacks_work_in_half_precision_and_under_xla(policy, jit_compile, tmp_path):
    student = network(policy)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    student.compile(tf.keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"], jit_compile=jit_compile)
    assert isinstance(student.optimizer, tf.keras.mixed_precision.LossScaleOptimizer) == (policy == "mixed_float16")
    image = tf.keras.Input((8, 8, 8))
    x = tf.keras.layers.Conv2D(5, 3, padding="same", name="map")(image)
    x = tf.keras.layers.GlobalAveragePooling2D()(x)
    weak, strong = (tf.keras.Model(image, tf.keras.layers.Dense(4)(x), name=name) for name in ("weak", "strong"))
    weak, strong = (Teacher(each, precision=policy) for each in (weak, strong))
    history = student.fit(
        images(8, 8, 8, 8),
        np.arange(8) % 4,
        epochs=2,
        batch_size=4,
        verbose=0,
        callbacks=[
            callbacks.DiversifiedConsecutiveDistillation([weak], strong, label_weight=1.0),
            callbacks.AttentionMatching(strong, {"conv": "map"}),
            callbacks.WeightTemperature(1.0, 1e-8),
            callbacks.LatentWeightClipping(1.5),
            callbacks.ScaleClipping(),
            callbacks.RaiseOnNaN(),
        ],
    ).history
    assert history["weight_temperature"] == [1.0, 0.0]
    assert all(np.isfinite(values).all() for values in history.values())
    assert {weight.dtype for weight in student.weights} == {tf.float32}
    student.save(tmp_path / "model.h5")
    copy = tf.keras.models.load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(copy(images(2, 8, 8, 8)), student(images(2, 8, 8, 8)))
    assert type(copy.optimizer) is type(student.optimizer)


def test_a_copy_in_another_precision_has_the_weights_and_float32_logits():
    image = tf.keras.Input((8, 8, 3))
    inner = tf.keras.Sequential([tf.keras.layers.Conv2D(4, 3, activation="relu"), tf.keras.layers.BatchNormalization()])
    x = tf.keras.layers.GlobalAveragePooling2D()(inner(image))
    model = tf.keras.Model(image, tf.keras.layers.Dense(3, activation="softmax", name="head")(x))
    copy = in_precision(model, "mixed_float16")
    for weight, expected in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert copy.layers[1].layers[0].compute_dtype == "float16"
    assert copy.layers[-1].compute_dtype == "float32"
    x = images(2, 8, 8, 3)
    np.testing.assert_allclose(copy(x), model(x), atol=2e-3)
    assert np.abs(copy(x) - model(x)).max() > 0
    back = in_precision(copy, "float32")
    np.testing.assert_array_equal(back(x), model(x))


class Unconfigured(tf.keras.Model):
    """A teacher that is code."""

    def call(self, images):
        return images


def test_a_teacher_in_another_precision_says_the_same_up_to_rounding():
    model = tiny.linear("teacher")
    x = images(2, *tiny.SHAPE)
    expected = Teacher(model).soft_labels(x)
    for options in ({"precision": "mixed_bfloat16"}, {"jit_compile": True}, {"precision": "float32"}):
        soft_labels = Teacher(model, **options).soft_labels(x)
        assert soft_labels.dtype == tf.float32
        np.testing.assert_allclose(soft_labels, expected, atol=2e-2 if "16" in str(options) else 1e-6)
    with pytest.raises(ValueError, match="teacher 'code' cannot compute in mixed_float16: "):
        Teacher(Unconfigured(name="code"), precision="mixed_float16")
