"""Scaled signs of kernels, and their gradients against the papers' formulas."""

from bnext_keras import quantizers
from bnext_keras.quantizers import AnnealedMeanSign, KernelBase, KernelMeanSign, PokeKernelSign, PokeSign, XnorSign

import larq as lq
import numpy as np
import pytest
import tensorflow as tf


def values_and_gradients(quantizer, values, upstream, **options):
    values = tf.constant(values, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = quantizer(values, **options)
    return result.numpy(), tape.gradient(result, values, tf.constant(upstream, tf.float32)).numpy()


#: Two output channels of three weights.
KERNEL = np.array([[0.5, -2.0], [-0.1, 0.2], [0.3, 0.8]])
UPSTREAM = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]])


def test_xnor_nets_mean_has_a_gradient_too():
    result, gradient = values_and_gradients(XnorSign(), KERNEL, UPSTREAM)
    # The means of 0.5, 0.1, 0.3 and of 1 (2, clipped), 0.2, 0.8.
    np.testing.assert_allclose(result, [[0.3, -2 / 3], [-0.3, 2 / 3], [0.3, 2 / 3]], rtol=1e-6)
    # Means of g sign(W): (1 - 3 + 0.5) / 3 and (-2 - 1 + 4) / 3; nothing at |W| > 1.
    first, second = -0.5, 1 / 3
    expected = [
        [0.3 * 1 + first, 0],
        [0.3 * 3 - first, 2 / 3 * -1 + second],
        [0.3 * 0.5 + first, 2 / 3 * 4 + second],
    ]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)


def test_one_mean_of_the_whole_kernel_passes_gradients_as_they_are():
    result, gradient = values_and_gradients(KernelMeanSign(), KERNEL, UPSTREAM)
    np.testing.assert_allclose(result, np.sign(KERNEL) * 0.65, rtol=1e-6)
    np.testing.assert_array_equal(gradient, UPSTREAM)


def test_pokebnns_signs():
    limit = 3 * (1 - 2**-7)
    inputs = [-3.0, -limit, -2.0, 0.0, 2.9, limit, 3.0]
    result, gradient = values_and_gradients(PokeSign(), inputs, [3.0] * 7)
    np.testing.assert_array_equal(result, [-1, -1, -1, 1, 1, 1, 1])
    np.testing.assert_allclose(gradient, [0, 0, 2, 2, 2, 0, 0], rtol=1e-6)


def test_pokebnns_kernels():
    result, gradient = values_and_gradients(PokeKernelSign(), KERNEL, UPSTREAM)
    np.testing.assert_allclose(result, [[0.375, -1.5], [-0.375, 1.5], [0.375, 1.5]], rtol=1e-6)
    np.testing.assert_array_equal(gradient, [[0, 0], [4.5, -1.5], [0.75, 6.0]])


def test_pokebnns_pair_is_the_papers_product():
    """1.5 sign(x) times sign(w) max|w| / 2, of which each factor passes the other one's value."""
    x, kernel = tf.constant([[0.4, -2.0]]), tf.constant([[0.1, 0.2], [-0.8, 0.3]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, kernel])
        y = tf.matmul(PokeSign()(x), PokeKernelSign()(kernel))
    halves = np.array([0.4, 0.15])  # max |w| / 2
    signs = np.array([[1, 1], [-1, 1]])
    np.testing.assert_allclose(y, 1.5 * np.array([[1, -1]]) @ (signs * halves), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, x)[0], (signs * halves).sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, kernel), [[1.5, 1.5], [0, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("temperature", "signs", "slopes"),
    [
        (0.0, [1, -1, 1], [1, 1, 1]),
        # However soft: in the released code the quotient itself has no gradient, a clip to [-1, 1] has.
        (0.4, [1, -0.25, 0.75], [1, 1, 1]),
    ],
)
def test_boolnets_kernels_in_training(temperature, signs, slopes):
    """A product of a mean and a hardening sign, by the product rule."""
    quantizer = AnnealedMeanSign()
    kernel = np.array([[0.5], [-0.1], [0.3]])
    quantizer(tf.constant(kernel, tf.float32))
    quantizer.temperature.assign(temperature)
    upstream = np.array([[1.0], [3.0], [0.5]])
    result, gradient = values_and_gradients(quantizer, kernel, upstream, training=True)
    np.testing.assert_allclose(result[:, 0], 0.3 * np.array(signs), rtol=1e-6)
    mean = (upstream[:, 0] * signs).sum() / 3 * np.sign(kernel[:, 0])
    np.testing.assert_allclose(gradient[:, 0], 0.3 * np.array(slopes) * upstream[:, 0] + mean, rtol=1e-5)
    evaluated, _ = values_and_gradients(quantizer, kernel, upstream, training=False)
    np.testing.assert_allclose(evaluated[:, 0], [0.3, -0.3, 0.3], rtol=1e-6)


def test_boolnets_kernels_pass_nothing_above_1():
    quantizer = AnnealedMeanSign()
    kernel = np.array([[1.5], [1.0], [-0.5]])
    quantizer(tf.constant(kernel, tf.float32))
    quantizer.temperature.assign(1e-6)
    _, gradient = values_and_gradients(quantizer, kernel, [[1.0], [0.0], [0.0]], training=True)
    # A third of the first sign's gradient comes through the mean, and that is all.
    np.testing.assert_allclose(gradient[:, 0], [1 / 3, 1 / 3, -1 / 3], rtol=1e-6)
    _, gradient = values_and_gradients(quantizer, kernel, [[0.0], [1.0], [0.0]], training=True)
    np.testing.assert_allclose(gradient[:, 0], [1 / 3, 1 + 1 / 3, -1 / 3], rtol=1e-6)


def test_abc_nets_bases_come_near_the_kernel():
    kernel = np.random.default_rng(0).standard_normal((3, 3, 4, 8))
    errors = []
    for number in (1, 2, 3, 5):
        parts = [values_and_gradients(KernelBase(i, number), kernel, kernel)[0] for i in range(number)]
        columns = np.stack([np.sign(part).ravel() for part in parts], axis=1)
        shifts = np.linspace(-1, 1, number) if number > 1 else [0]
        for column, shift in zip(columns.T, shifts, strict=True):
            expected = np.sign(kernel - kernel.mean() + shift * kernel.std()).ravel()
            # A negative coefficient turns all signs of its base.
            assert abs((column * expected).mean()) == 1
        _, residual, *_ = np.linalg.lstsq(columns, kernel.ravel(), rcond=None)
        np.testing.assert_allclose(np.square(kernel - sum(parts)).sum(), residual, rtol=1e-4)
        errors.append(residual.item())
    assert errors == sorted(errors, reverse=True)


def test_the_gradient_of_a_base_is_its_coefficient():
    result, gradient = values_and_gradients(KernelBase(1, 3), KERNEL, UPSTREAM)
    coefficient = result[0, 0]
    np.testing.assert_array_equal(np.abs(result), np.full((3, 2), abs(coefficient)))
    np.testing.assert_allclose(gradient, coefficient * UPSTREAM, rtol=1e-6)


def test_two_equal_bases_share_a_coefficient():
    """Of a kernel of two values, the outer bases are the same: the normal equations alone have no solution."""
    kernel = [[1.0], [-1.0]]
    parts = [values_and_gradients(KernelBase(i, 2), kernel, kernel)[0] for i in range(2)]
    assert np.isfinite(parts).all()


@pytest.mark.parametrize("index", [-1, 2])
def test_a_base_that_there_is_not(index):
    with pytest.raises(ValueError, match="index must be from 0 to 1"):
        KernelBase(index, 2)


@pytest.mark.parametrize(
    "quantizer", [XnorSign(), KernelMeanSign(), PokeSign(), PokeKernelSign(), AnnealedMeanSign(), KernelBase(1, 3)]
)
def test_quantizers_are_found_by_name_and_state_one_bit(quantizer):
    copy = lq.quantizers.get(lq.quantizers.serialize(quantizer))
    assert type(copy) is type(quantizer)
    assert copy.precision == 1
    kernel = tf.constant(KERNEL, tf.float32)
    np.testing.assert_array_equal(copy(kernel), quantizer(kernel))


def test_temperatures_of_scaled_kernels_are_found():
    from bnext_keras import layers

    image = tf.keras.Input((4, 4, 2))
    conv = layers.BinaryConv2D(2, 3, kernel_quantizer=AnnealedMeanSign(), name="conv")
    model = tf.keras.Model(image, conv(image))
    assert list(quantizers.temperatures(model)) == ["conv"]
