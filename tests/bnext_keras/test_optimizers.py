"""Optimizers and learning rates, on numbers worked out by hand."""

import math
import re

from bnext_keras import models
from bnext_keras.layers import BinaryConv2D
from bnext_keras.training import AdamAndMomentum, RectifiedAdam, TwoGroupAdam, TwoGroupAdamW, WarmupCosine

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from alike import with_more
from earlier_versions import without_statements


def test_one_step_decays_kernels_and_vectors_by_their_own_rates():
    kernel = tf.Variable(tf.fill((1, 1, 1, 1), 2.0))
    vector = tf.Variable([2.0])
    optimizer = TwoGroupAdamW(0.1, weight_decay=0.5, kernel_weight_decay=0.25, epsilon=0.0)
    optimizer.apply_gradients([(tf.fill((1, 1, 1, 1), 3.0), kernel), (tf.constant([3.0]), vector)])
    # 2 - 0.1 * 0.25 * 2, then Adam's first step: the learning rate times the gradient's sign.
    np.testing.assert_allclose(kernel.numpy().ravel(), 2 - 0.05 - 0.1, rtol=1e-6)
    np.testing.assert_allclose(vector.numpy(), 2 - 0.1 - 0.1, rtol=1e-6)


def test_no_rate_is_no_decay():
    kernel, vector = tf.Variable(tf.fill((1, 1, 1, 1), 2.0)), tf.Variable([2.0])
    optimizer = TwoGroupAdamW(0.1, weight_decay=0.0, kernel_weight_decay=None)
    optimizer.apply_gradients([(tf.zeros((1, 1, 1, 1)), kernel), (tf.constant([0.0]), vector)])
    assert float(tf.squeeze(kernel)) == float(vector[0]) == 2.0


def test_two_steps_equal_pytorchs_adamw():
    """torch.optim.AdamW(lr=0.1, weight_decay=0.5): w -= 0.05 w, then w -= 0.1 m' / (sqrt(v') + 1e-8)."""
    vector = tf.Variable([2.0])
    optimizer = TwoGroupAdamW(0.1, weight_decay=0.5)
    for gradient in (1.0, 3.0):
        optimizer.apply_gradients([(tf.constant([gradient]), vector)])
    first = 2 * 0.95 - 0.1
    mean = (0.9 * 0.1 * 1 + 0.1 * 3) / (1 - 0.9**2)
    variance = (0.999 * 0.001 * 1 + 0.001 * 9) / (1 - 0.999**2)
    np.testing.assert_allclose(vector.numpy(), first * 0.95 - 0.1 * mean / math.sqrt(variance), rtol=1e-5)


def test_the_groups_are_those_of_the_released_code(small_bnext):
    optimizer = TwoGroupAdamW()
    kernels = {weight.name for weight in small_bnext.trainable_weights if optimizer.is_kernel(weight)}
    others = {weight.name for weight in small_bnext.trainable_weights} - kernels
    first = "block1_3x3"
    assert {f"{first}_conv/kernel:0", f"{first}_bias/bias:0", f"{first}_mix/scale:0"} <= kernels
    assert {f"{first}_se_squeeze/kernel:0", f"{first}_se_expand/kernel:0", "stem_conv/kernel:0"} <= kernels
    assert {f"{first}_bn1/gamma:0", f"{first}_prelu/alpha:0", "head/kernel:0", "head/bias:0"} <= others
    assert {f"{first}_se_squeeze/bias:0", f"{first}_se_expand/bias:0"} <= others


#: The names, of earlier versions, of what is a kernel in the released code though it has not four dimensions here.
LIKE_KERNELS = r"_bias/bias|_mix/scale|_se_(squeeze|expand)/kernel"


@pytest.mark.parametrize(
    "build",
    [
        lambda: models.BNext([8, 16, 16, 32], input_shape=(32, 32, 3)),
        lambda: models.BNext([8, 16, 16, 32], input_shape=(32, 32, 3), elm_attention=False, info_recoupling=False),
        lambda: models.BNext18(input_shape=(32, 32, 3), num_classes=10),
        lambda: models.MeliusNet([2, 1], [96], 4, input_shape=(96, 96, 3), num_classes=10),
    ],
)
def test_the_groups_are_those_of_earlier_versions(build):
    weights = build().trainable_weights
    expected = [weight.name for weight in weights if len(weight.shape) == 4 or re.search(LIKE_KERNELS, weight.name)]
    assert [weight.name for weight in weights if TwoGroupAdamW().is_kernel(weight)] == expected


def kernels(model, optimizer=None):
    return [(optimizer or TwoGroupAdamW()).is_kernel(weight) for weight in model.trainable_weights]


@pytest.mark.parametrize("file", with_more(["model.h5", "model.keras"], ["saved_model"]))
def test_the_groups_survive_a_file(tmp_path, file):
    """From a .keras file variables come back as kernel:0 and bias:0, so that no name tells them apart."""
    model = models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
    model.save(tmp_path / file)
    # The stem, and of each of three processors its kernel, threshold, mix and the two kernels of its gate.
    assert sum(kernels(model)) == 1 + 3 * 5
    assert kernels(tf.keras.models.load_model(tmp_path / file)) == kernels(model)


def test_the_groups_are_the_same_on_several_devices_and_in_half_precision():
    expected = kernels(models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2))
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        assert kernels(models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)) == expected
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    assert kernels(models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)) == expected


def test_an_optimizer_that_an_earlier_version_saved_keeps_its_groups():
    """Its network's squeeze-and-expand does not state how it decays."""
    model = without_statements(models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2))
    optimizer = TwoGroupAdamW.from_config({**TwoGroupAdamW().get_config(), "like_kernels": LIKE_KERNELS})
    assert sum(kernels(model, optimizer)) == 1 + 3 * 5
    assert sum(kernels(model)) == 1 + 3 * 3


@pytest.mark.parametrize("optimizer", [TwoGroupAdamW(0.5, kernel_weight_decay=0.25), RectifiedAdam(0.5)])
def test_a_saved_model_brings_its_optimizer_along(tmp_path, optimizer):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(3,))])
    model.compile(optimizer, "mse")
    model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
    model.save(tmp_path / "model.h5")
    copy = tf.keras.models.load_model(tmp_path / "model.h5")
    assert copy.optimizer.get_config() == optimizer.get_config()
    for model_ in (model, copy):
        model_.fit(np.ones((4, 3)), np.ones(4), verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], copy.get_weights()[0])


def test_rectified_adam_is_momentum_for_five_steps_and_then_rectified():
    weight = tf.Variable([0.0])
    optimizer = RectifiedAdam(1.0, epsilon=0.0)
    positions = [0.0]
    for _ in range(6):
        optimizer.apply_gradients([(tf.constant([2.0]), weight)])
        positions.append(float(weight[0]))
    # With a constant gradient of 2 the unbiased mean is 2 and the unbiased deviation 2.
    np.testing.assert_allclose(positions[:6], [0, -2, -4, -6, -8, -10], rtol=1e-6)
    rho_max = 1999
    rho = rho_max - 2 * 6 * 0.999**6 / (1 - 0.999**6)
    rectified = math.sqrt((rho - 4) * (rho - 2) * rho_max / ((rho_max - 4) * (rho_max - 2) * rho))
    np.testing.assert_allclose(positions[5] - positions[6], rectified, rtol=1e-4)
    assert rectified == pytest.approx(0.025821, abs=1e-6)


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, 1e-5),
        (4, 8.02e-4),  # 1e-5 + 4/5 * 9.9e-4
        (5, 1e-3),
        (256, 5.153859e-4),  # 1e-7 + 9.999e-4 * (1 + cos(251 pi / 512)) / 2
        (511, 4.387738e-7),  # 1e-7 + 9.999e-4 * (1 + cos(506 pi / 512)) / 2
    ],
)
def test_the_learning_rate_of_the_published_run(epoch, expected):
    assert WarmupCosine(512).learning_rate(epoch) == pytest.approx(expected, rel=1e-6)


def test_the_learning_rate_depends_on_the_epoch_alone():
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(3,))])
    model.compile(TwoGroupAdamW(), "mse")
    options = {"epochs": 6, "verbose": 0, "callbacks": [WarmupCosine(6, warmup_epochs=2)]}
    rates = model.fit(np.ones((4, 3)), np.ones(4), **options).history["learning_rate"]
    resumed = model.fit(np.ones((4, 3)), np.ones(4), initial_epoch=4, **options).history["learning_rate"]
    assert resumed == rates[4:]
    assert float(model.optimizer.learning_rate) == pytest.approx(rates[-1])


def test_a_warm_up_must_fit_into_the_run():
    with pytest.raises(ValueError, match="a run of 5 epochs cannot have 5 warm-up epochs"):
        WarmupCosine(5)


def test_gradients_are_clipped_all_together():
    optimizer = TwoGroupAdamW(global_clipnorm=5.0)
    clipped = optimizer._clip_gradients([tf.constant([6.0]), tf.constant([8.0])])
    np.testing.assert_allclose([float(gradient[0]) for gradient in clipped], [3.0, 4.0], rtol=1e-6)


def test_larqs_bop_trains_the_kernels_as_the_guide_shows():
    """It makes signs of them and flips these; everything else is for the optimizer beside it."""
    image = tf.keras.Input((4, 4, 8))
    x = tf.keras.layers.GlobalAveragePooling2D()(BinaryConv2D(8, 3, name="conv")(image))
    model = tf.keras.Model(image, tf.keras.layers.Dense(2, name="head")(x))
    head = model.get_layer("head").get_weights()[0]
    optimizer = lq.optimizers.CaseOptimizer(
        (lq.optimizers.Bop.is_binary_variable, lq.optimizers.Bop(threshold=1e-8, gamma=1e-2)),
        default_optimizer=tf.keras.optimizers.legacy.Adam(1e-3),
    )
    model.compile(optimizer, tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(16, 4, 4, 8)).astype(np.float32), random.integers(2, size=16)
    model.fit(images, labels, verbose=0)
    first = model.get_layer("conv").get_weights()[0]
    model.fit(images, labels, verbose=0, epochs=3)
    second = model.get_layer("conv").get_weights()[0]
    assert set(first.ravel()) == set(second.ravel()) == {-1.0, 1.0}
    assert 0 < (first != second).mean() < 1
    assert np.abs(model.get_layer("head").get_weights()[0] - head).max() < 0.1


@pytest.mark.parametrize("file", ["model.h5", "model.keras"])
@pytest.mark.parametrize("optimizer", [TwoGroupAdamW, RectifiedAdam])
def test_a_model_of_float16_brings_its_optimizer_along(tmp_path, file, optimizer):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(3,))])
    model.compile(tf.keras.mixed_precision.LossScaleOptimizer(optimizer(0.5)), "mse")
    model.train_on_batch(np.ones((4, 3)), np.ones(4))
    model.save(tmp_path / file)
    copy = tf.keras.models.load_model(tmp_path / file)
    assert type(copy.optimizer.inner_optimizer) is optimizer


def test_two_steps_with_a_penalty_equal_pytorchs_adam():
    """torch.optim.Adam(lr=0.1, weight_decay=0.5): g += 0.5 w, and then Adam with 1e-8."""
    kernel, vector = tf.Variable(tf.fill((1, 1, 1, 1), 2.0)), tf.Variable([2.0])
    optimizer = TwoGroupAdam(0.1, kernel_penalty=0.5)
    for gradient in (1.0, 3.0):
        optimizer.apply_gradients([(tf.fill((1, 1, 1, 1), gradient), kernel), (tf.constant([gradient]), vector)])

    def adam(penalty):
        weight, mean, variance = 2.0, 0.0, 0.0
        for step, gradient in enumerate((1.0, 3.0), start=1):
            gradient += penalty * weight
            mean, variance = 0.9 * mean + 0.1 * gradient, 0.999 * variance + 0.001 * gradient**2
            weight -= 0.1 * mean / (1 - 0.9**step) / (math.sqrt(variance / (1 - 0.999**step)) + 1e-8)
        return weight

    np.testing.assert_allclose(kernel.numpy().item(), adam(0.5), rtol=1e-5)
    np.testing.assert_allclose(vector.numpy(), adam(0.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("own", "kerass"),
    [
        (
            lambda: TwoGroupAdamW(0.01, weight_decay=0.1, kernel_weight_decay=0.1, global_clipnorm=0.5),
            lambda: tf.keras.optimizers.AdamW(0.01, weight_decay=0.1, epsilon=1e-8, global_clipnorm=0.5),
        ),
        (lambda: TwoGroupAdam(0.01), lambda: tf.keras.optimizers.Adam(0.01, epsilon=1e-8)),
        (lambda: TwoGroupAdam(0.01, amsgrad=True), lambda: tf.keras.optimizers.Adam(0.01, epsilon=1e-8, amsgrad=True)),
    ],
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_steps_are_those_of_keras(own, kerass, jit_compile):
    ours, theirs = trained(own(), jit_compile=jit_compile), trained(kerass())
    for weight, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


def test_rows_of_an_embedding_are_updated():
    table = tf.Variable([[1.0], [2.0], [3.0]])
    RectifiedAdam(0.1).apply_gradients([(tf.IndexedSlices(tf.constant([[0.5]]), [1], (3, 1)), table)])
    np.testing.assert_allclose(table, [[1.0], [1.95], [3.0]], rtol=1e-6)


@pytest.mark.parametrize("optimizer", [TwoGroupAdamW, RectifiedAdam, TwoGroupAdam, AdamAndMomentum])
def test_an_update_is_one_operation_for_each_variable(optimizer, caplog):
    model = binary_model()
    model.compile(optimizer(0.1), "mse")
    step = tf.function(lambda: model.train_step((tf.ones((8, 4)), tf.ones((8, 2)))))
    kinds = [operation.type for operation in step.get_concrete_function().graph.get_operations()]
    assert sum(kind.startswith("ResourceApply") for kind in kinds) == len(model.trainable_variables) == 6
    # What depends on the number of the step alone is computed once.
    assert kinds.count("Sqrt") <= 2
    assert "AutoGraph" not in caplog.text


def binary_model():
    tf.keras.utils.set_random_seed(1)
    quantizers = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "input_quantizer": "ste_sign"}
    return tf.keras.Sequential(
        [tf.keras.layers.Dense(8, input_shape=(4,)), lq.layers.QuantDense(3, **quantizers), tf.keras.layers.Dense(2)]
    )


def trained(optimizer, steps=4, **options):
    model = binary_model()
    model.compile(optimizer, "mse", **options)
    data = np.random.default_rng(0)
    images, labels = data.normal(size=(8 * steps, 4)), data.normal(size=(8 * steps, 2))
    model.fit(images, labels, batch_size=8, shuffle=False, verbose=0)
    return model


def test_adam_for_kernels_and_momentum_for_the_rest_equal_larqs_two_optimizers():
    legacy = tf.keras.optimizers.legacy
    larqs = lq.optimizers.CaseOptimizer(
        (lq.optimizers.Bop.is_binary_variable, legacy.Adam(0.01)), default_optimizer=legacy.SGD(0.1, momentum=0.9)
    )
    own = trained(AdamAndMomentum(0.1, kernel_factor=0.1))
    for weight, expected in zip(own.get_weights(), trained(larqs).get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)
    assert len(own.optimizer._velocities) == 1


@pytest.mark.parametrize("build", [lambda: TwoGroupAdam(0.1, 0.5, 0.25), lambda: AdamAndMomentum(0.1, 0.2)])
@pytest.mark.parametrize("file", ["model.h5", "model.keras"])
def test_the_optimizers_of_two_kinds_survive_a_file(tmp_path, build, file):
    model = trained(build())
    model.save(tmp_path / file)
    loaded = tf.keras.models.load_model(tmp_path / file).optimizer
    assert {**loaded.get_config(), "name": ""} == {**model.optimizer.get_config(), "name": ""}
    assert type(loaded) is type(model.optimizer)
    saved = sorted(float(tf.reduce_sum(tf.cast(each, tf.float32))) for each in model.optimizer.variables)
    assert sorted(float(tf.reduce_sum(tf.cast(each, tf.float32))) for each in loaded.variables) == saved
