"""The layers of the comparison networks: values, and gradients against their formulas."""

from bnext_keras import layers
from bnext_keras.summary import count_layer

import numpy as np
import pytest
import tensorflow as tf


def gradients(layer, inputs, upstream):
    """The gradient for the input, and for each of the layer's weights by name."""
    inputs = tf.constant(inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        result = layer(inputs)
    found = tape.gradient(result, [inputs, *layer.trainable_weights], tf.constant(upstream, tf.float32))
    return found[0].numpy(), {
        weight.name.partition(":")[0].rpartition("/")[2]: np.asarray(value)
        for weight, value in zip(layer.trainable_weights, found[1:], strict=True)
    }


def test_dprelu_and_its_gradients():
    layer = layers.DPReLU()
    layer.build((None, 1))
    for weight, value in zip(layer.weights, (0.5, 0.25, -2.0, 3.0), strict=True):
        weight.assign([value])
    assert [weight.name.partition(":")[0] for weight in layer.weights] == ["bias_x", "bias_y", "neg_slope", "pos_slope"]
    inputs = [[-1.0], [0.5], [2.0]]
    np.testing.assert_allclose(layer(tf.constant(inputs)), [[2.75], [-0.25], [4.25]])
    inner, weights = gradients(layer, inputs, [[1.0], [10.0], [100.0]])
    np.testing.assert_allclose(inner, [[-2], [30], [300]])
    assert {name: value.item() for name, value in weights.items()} == {
        "bias_x": 2 - 30 - 300,
        "bias_y": -111,
        "neg_slope": -1.5,
        "pos_slope": 150,
    }


def test_ghost_sign_and_its_gradient():
    layer = layers.GhostSign(4)
    np.testing.assert_allclose(layer.thresholds, [-2 / 3, -1 / 3, 1 / 3, 2 / 3])
    np.testing.assert_array_equal(layer(tf.constant([[0.5, -0.4]]))[0], [-1, -1, 1, -1, 1, -1, 1, 1])
    # Each slice passes where |x + t| <= 1: at 0.5 all four (1.17 does not), at -0.4 all but the first (-1.07).
    inner, _ = gradients(layer, [[0.5, -0.4]], [[1.0, 10.0] * 4])
    np.testing.assert_array_equal(inner, [[3, 30]])


def test_one_slice_is_the_sign():
    np.testing.assert_array_equal(layers.GhostSign(1)(tf.constant([[0.0, -0.1]])), [[1, -1]])


@pytest.mark.parametrize("slices", [0, 3, -2])
def test_an_odd_number_of_slices_is_refused(slices):
    with pytest.raises(ValueError, match="slices must be 1 or even"):
        layers.GhostSign(slices)


def test_edges_are_repeated():
    x = tf.reshape(tf.range(4.0), (1, 2, 2, 1))
    padded = layers.RepeatEdges(((2, 0), (0, 1)))(x)
    np.testing.assert_array_equal(padded[0, :, :, 0], np.pad([[0, 1], [2, 3]], ((2, 0), (0, 1)), mode="edge"))


def test_a_mix_by_one_number_and_its_gradients():
    layer = layers.SoftGate()
    pair = [tf.constant([[2.0]]), tf.constant([[6.0]])]
    layer(pair)
    layer.theta.assign(np.log(3.0))
    with tf.GradientTape() as tape:
        tape.watch(pair)
        mixed = layer(pair)
    np.testing.assert_allclose(mixed, [[3.0]], rtol=1e-6)
    first, second, theta = tape.gradient(mixed, [*pair, layer.theta])
    np.testing.assert_allclose([first.numpy().item(), second.numpy().item()], [0.75, 0.25], rtol=1e-6)
    np.testing.assert_allclose(theta, 0.75 * 0.25 * (2 - 6), rtol=1e-5)


def test_a_sum_starts_as_a_mean():
    maps = [tf.constant([[1.0]]), tf.constant([[2.0]]), tf.constant([[6.0]])]
    layer = layers.ScaledSum()
    np.testing.assert_allclose(layer(maps), [[3.0]], rtol=1e-6)
    layer.scales.assign([1.0, 0.0, -1.0])
    np.testing.assert_allclose(layer(maps), [[-5.0]])


def test_blur_is_frozen_and_a_weight():
    layer = layers.BlurPool2D(strides=1)
    layer(tf.keras.Input((4, 4, 2)))
    assert (len(layer.weights), len(layer.trainable_weights)) == (1, 0)
    np.testing.assert_allclose(layer.depthwise_kernel[:, :, 1, 0], np.outer([1, 2, 1], [1, 2, 1]) / 16)
    assert count_layer(layer).parameters == 18


@pytest.mark.parametrize(
    ("filters", "repeat", "expected"),
    [
        (2, False, [1.5, 3.5]),
        (4, True, [1, 2, 3, 4]),
        (3, True, [1, 2, 3]),
        (6, False, [1, 2, 3, 4, 0, 0]),
        (6, True, [1, 2, 3, 4, 1, 2]),
        (8, True, [1, 2, 3, 4, 1, 2, 3, 4]),
    ],
)
def test_channels_are_fitted(filters, repeat, expected):
    layer = layers.FitChannels(filters, repeat=repeat)
    np.testing.assert_array_equal(layer(tf.constant([[[[1.0, 2.0, 3.0, 4.0]]]])).numpy().ravel(), expected)


def low_bit(bits, bound, *, unsigned=False):
    layer = layers.LowBitConv2D(1, 1, bits=bits, unsigned=unsigned, use_bias=False, kernel_initializer="ones")
    layer.build((None, 1, None, 1))
    layer.bounds.assign([bound])
    return layer


def test_four_bits_and_their_gradient():
    layer = low_bit(4, 7.0)
    inputs = np.array([-9.0, -7.4, -2.6, -0.4, 0.6, 6.9, 8.0]).reshape(1, 1, -1, 1)
    np.testing.assert_allclose(layer(tf.constant(inputs, tf.float32)).numpy().ravel(), [-7, -7, -3, 0, 1, 7, 7], 1e-5)
    inner, _ = gradients(layer, inputs, np.ones_like(inputs))
    np.testing.assert_allclose(inner.ravel(), [0, 0, 1, 1, 1, 1, 0], rtol=1e-5)


def test_four_bits_without_negative_values():
    layer = low_bit(4, 16.0, unsigned=True)
    inputs = tf.reshape(tf.constant([-1.0, 0.9, 1.1, 14.9, 20.0]), (1, 1, -1, 1))
    np.testing.assert_allclose(layer(inputs).numpy().ravel(), [0, 0, 1, 14, 15], rtol=1e-5)


def test_without_a_bound_the_input_stays_as_it_is():
    inputs = tf.reshape(tf.constant([0.123, -45.6]), (1, 1, -1, 1))
    np.testing.assert_allclose(low_bit(8, -1.0)(inputs).numpy().ravel(), [0.123, -45.6], rtol=1e-6)


def test_kernels_are_rounded_by_the_largest_weight_of_their_channel():
    layer = layers.LowBitDense(2, bits=4, use_bias=False)
    layer.build((None, 3))
    layer.kernel.assign([[0.7, 7.0], [0.26, 2.6], [-0.04, -0.4]])
    np.testing.assert_allclose(layer(tf.eye(3)), [[0.7, 7], [0.3, 3], [0, 0]], rtol=1e-5, atol=1e-6)


def test_bounds_are_not_parameters():
    layer = low_bit(8, 1.0)
    layer(tf.keras.Input((1, 4, 1)))
    assert len(layer.weights) == 2
    assert count_layer(layer).parameters == 1


@pytest.mark.parametrize("layer", [layers.LowBitConv2D, layers.LowBitDense, layers.LowBitDepthwiseConv2D])
def test_other_numbers_of_bits_are_refused(layer):
    with pytest.raises(ValueError, match="bits must be 4 or 8, got 2"):
        layer(1, bits=2)


def test_a_multi_base_convolution_is_the_sum_of_its_binary_ones():
    rng = np.random.default_rng(0)
    layer = layers.MultiBaseConv2D(4, 3, weight_bases=3, activation_bases=2)
    x = tf.constant(rng.uniform(-1, 2, (1, 5, 5, 6)), tf.float32)
    layer(x)
    assert [weight.name.partition(":")[0].rpartition("/")[2] for weight in layer.weights] == [
        "kernel",
        "thresholds",
        "scales",
    ]
    kernel = layer.kernel.numpy().astype(np.float64)
    columns = np.stack([np.sign(kernel - kernel.mean() + shift * kernel.std()).ravel() for shift in (-1, 0, 1)], axis=1)
    alpha = np.linalg.lstsq(columns, kernel.ravel(), rcond=None)[0]
    total = 0
    for threshold, scale in zip(layer.thresholds.numpy(), layer.scales.numpy(), strict=True):
        signs = tf.where(tf.clip_by_value(x + threshold, 0, 1) >= 0.5, 1.0, -1.0)
        for column, coefficient in zip(columns.T, alpha, strict=True):
            base = tf.constant(column.reshape(kernel.shape), tf.float32)
            total = total + scale * coefficient * tf.nn.conv2d(signs, base, 1, "SAME")
    np.testing.assert_allclose(layer(x), total, rtol=0, atol=1e-4)


def test_gradients_of_a_multi_base_convolution():
    """One pixel, one channel: sums of signs times coefficients, each sign passing within half of its threshold."""
    layer = layers.MultiBaseConv2D(1, 1, weight_bases=1, activation_bases=2)
    layer.build((None, 1, 1, 1))
    layer.kernel.assign([[[[0.5]]]])
    layer.thresholds.assign([0.25, -3.0])
    layer.scales.assign([2.0, 10.0])
    inner, weights = gradients(layer, [[[[0.5]]]], [[[[1.0]]]])
    # alpha = 0.5 (W' = 0, whose sign is 1); only the first sign's input is within [0, 1].
    assert inner.item() == 2 * 0.5
    assert weights["thresholds"].tolist() == [1.0, 0.0]
    assert weights["scales"].tolist() == [0.5, -0.5]
    # sum over i of alpha_i dL/dB_i, and dL/dB = (2 - 10): once alpha, not twice.
    assert weights["kernel"].item() == 0.5 * (2 - 10)


def test_a_multi_base_convolution_counts_every_base():
    image = tf.keras.Input((4, 4, 2))
    layer = layers.MultiBaseConv2D(8, 3, weight_bases=3, activation_bases=2, strides=2)
    tf.keras.Model(image, layer(image))
    costs = count_layer(layer)
    assert (costs.binary_parameters, costs.parameters) == (3 * 144, 3 * 144 + 4)
    assert (costs.binary_macs, costs.macs) == (6 * 144 * 4, 6 * 144 * 4)


def test_an_embedding_bag_of_signs_and_its_gradient():
    layer = layers.BinaryEmbedding(4, 3)
    layer.build((None, 2))
    layer.table.assign([[0.5, -0.5, 0.1], [0.5, 0.5, -0.1], [2.0, 0.0, 0.0], [-1.0, -1.0, -1.0]])
    indices = tf.constant([[0, 1], [2, 3]])
    with tf.GradientTape() as tape:
        result = layer(indices)
    # Of a mean of zero the sign is +1.
    np.testing.assert_array_equal(result, [[1, 1, 1], [1, 1, 1]])
    gradient = tf.convert_to_tensor(tape.gradient(result, layer.table))
    # Half to each row of the bag; nothing beyond 1.
    np.testing.assert_array_equal(gradient, [[0.5] * 3, [0.5] * 3, [0, 0.5, 0.5], [0.5] * 3])
    assert count_layer(layer).binary_parameters == 12


def test_a_table_in_bits_is_a_32nd_and_answers_alike():
    layer = layers.BinaryEmbedding(1000, 16)
    indices = tf.random.uniform((50, 3), 0, 1000, tf.int32)
    expected = layer(indices)
    packed = layers.PackedEmbedding.of(layer)
    assert packed.table.dtype == tf.uint8
    assert 32 * packed.table.numpy().nbytes == layer.table.numpy().nbytes
    np.testing.assert_array_equal(packed(indices), expected)


@pytest.mark.parametrize(
    "layer",
    [
        layers.DPReLU(),
        layers.GhostSign(2),
        layers.RepeatEdges(((1, 2), (0, 1))),
        layers.TakeChannels([1, 0]),
        layers.BlurPool2D(),
        layers.FitChannels(4),
        layers.LowBitConv2D(2, 3, bits=4, unsigned=True),
        layers.LowBitDepthwiseConv2D(3, depth_multiplier=2),
        layers.MultiBaseConv2D(2, 1, weight_bases=2),
        layers.DepthwiseConv2D(3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_survive_a_file(layer, tmp_path):
    image = tf.keras.Input((6, 6, 2))
    model = tf.keras.Model(image, layer(image))
    x = np.random.default_rng(0).standard_normal((1, 6, 6, 2)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    for name in ("model.h5", "model.keras"):
        model.save(tmp_path / name)
        copy = tf.keras.models.load_model(tmp_path / name)
        assert len(copy.weights) == len(model.weights)
        np.testing.assert_allclose(copy.predict(x, verbose=0), expected, rtol=1e-6)
