"""Gates and residual streams, and what all passes together make of whole networks."""

import bnext_keras
from bnext_keras.layers import BinaryConv2D, LearnableBias, LearnableMix

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from rewrites import assert_exact, randomize

from converter import convert
from converter.compiler.trace import trace
from converter.passes import PASSES, operators, simplify
from converter.passes.carry_offsets import carry_offsets
from converter.passes.distribute_means import distribute_means
from converter.passes.expand_batch_norm import expand_batch_norm
from converter.passes.fold_constants import fold_constants
from converter.passes.gather_gates import gather_gates
from converter.passes.merge_affine import merge_affine
from converter.passes.recognize_prelu import recognize_prelu

Layers = tf.keras.layers
CANONICAL = (fold_constants, expand_batch_norm, recognize_prelu, merge_affine)


def pooled(x):
    return Layers.GlobalAveragePooling2D(keepdims=True)(x)


def gated(x, y):
    """y times one factor for each channel, from the mean of a mix."""
    return Layers.Dense(x.shape[-1], activation="sigmoid")(pooled(LearnableMix()([x, y]))) * y


def images(channels=8, side=6):
    return tf.keras.Input((side, side, channels))


def maps(graph):
    return operators(graph, maps_only=True)


def test_a_batch_normalization_moves_into_the_gate():
    image = images()
    model = randomize(tf.keras.Model(image, Layers.BatchNormalization()(gated(image, image))), gammas=(-1, 1))
    before = maps(assert_exact(model, CANONICAL))
    after = maps(assert_exact(model, (*CANONICAL, gather_gates)))
    assert (before["Mul"], after["Mul"]) == (4, 3)


def test_a_product_of_maps_and_a_gate_is_scaled_once():
    image = images()
    attended = gated(image, image) * Layers.PReLU(shared_axes=[1, 2])(image)
    model = randomize(tf.keras.Model(image, Layers.BatchNormalization()(attended)), gammas=(-1, 1))
    assert maps(assert_exact(model, CANONICAL))["Mul"] == 5
    assert maps(assert_exact(model, (*CANONICAL, gather_gates)))["Mul"] == 4


def test_the_mean_of_a_mix_needs_no_mix():
    image = images()
    y = Layers.PReLU(shared_axes=[1, 2])(image)
    model = randomize(tf.keras.Model(image, gated(image, y)))
    assert maps(assert_exact(model, CANONICAL)) == {"PRelu": 1, "Mul": 3, "AddV2": 1}
    graph = assert_exact(model, (*CANONICAL, distribute_means))
    assert maps(graph) == {"PRelu": 1, "Mul": 1}
    assert operators(graph)["Mean"] == 2


def test_a_mean_that_is_known_is_not_taken_again():
    """out = g y + x: its mean follows from those of x and y, which its own gate has needed."""
    x = image = images()
    for _ in range(3):
        y = Layers.PReLU(shared_axes=[1, 2])(x)
        x = Layers.BatchNormalization()(gated(x, y)) + x
    model = randomize(tf.keras.Model(image, x), gammas=(-1, 1))
    assert operators(assert_exact(model, (*CANONICAL, gather_gates)))["Mean"] == 3
    assert (
        operators(assert_exact(model, (*CANONICAL, gather_gates, distribute_means)))["Mean"] == 4
    )  # of the input and of each y


@pytest.mark.parametrize(
    ("side", "padding", "expected"), [(6, "valid", 0), (6, "same", 0), (5, "valid", 1), (5, "same", 1)]
)
def test_the_mean_of_an_average_pool_is_the_mean_just_on_even_maps(side, padding, expected):
    image = images(side=side)
    model = tf.keras.Model(image, pooled(Layers.AveragePooling2D(2, padding=padding)(image)))
    assert operators(assert_exact(model, (*CANONICAL, distribute_means)))["AvgPool"] == expected


def test_the_mean_of_a_concatenation_is_the_concatenation_of_means():
    image = images()
    parts = [LearnableBias()(image), Layers.PReLU(shared_axes=[1, 2])(image)]
    x = Layers.Concatenate()(parts)
    model = randomize(tf.keras.Model(image, pooled(x)))
    assert maps(assert_exact(model, (*CANONICAL, distribute_means))) == {"PRelu": 1}


def test_a_sum_of_maps_that_are_needed_anyway_is_averaged_itself():
    image = images()
    x = tf.nn.relu(image) + tf.nn.softsign(image)
    model = tf.keras.Model(image, pooled(x) * x)
    assert operators(assert_exact(model, (*CANONICAL, distribute_means)))["Mean"] == 1


def stream(biases, *, read=None):
    """Residual blocks whose batch normalizations and biases leave a constant in the stream."""
    x = image = images()
    for bias in biases:
        y = Layers.PReLU(shared_axes=[1, 2])(BinaryConv2D(8, 3)(LearnableBias()(x) if bias else x))
        x = LearnableBias()(y) + x
    x = Layers.PReLU(shared_axes=[1, 2])(x) if read else x
    return randomize(tf.keras.Model(image, x))


def test_constants_of_a_stream_vanish_in_the_biases_of_its_signs():
    """One addition of a constant for each sign and one for the PReLU at the end, beside the stream's own three."""
    model = stream([True] * 3, read=True)
    assert maps(assert_exact(model, CANONICAL))["AddV2"] == 9
    assert maps(assert_exact(model, (*CANONICAL, carry_offsets)))["AddV2"] == 7


def test_signs_without_a_bias_gain_none():
    model = stream([False] * 3)
    assert maps(assert_exact(model, CANONICAL))["AddV2"] == 6
    assert maps(assert_exact(model, (*CANONICAL, carry_offsets)))["AddV2"] == 6


def test_what_would_have_to_be_added_in_two_places_stays_in_one():
    image = images()
    x = LearnableBias()(image)
    branches = [Layers.ReLU()(x + Layers.Activation(name)(image)) for name in ("softsign", "sigmoid", "tanh")]
    model = randomize(tf.keras.Model(image, Layers.Concatenate()(branches)))
    assert maps(assert_exact(model, (*CANONICAL, carry_offsets)))["AddV2"] == 4


@pytest.mark.parametrize(
    "layers",
    [
        [Layers.Conv2D(4, 1)],
        [Layers.Conv2D(4, 3, padding="valid", strides=2)],
        [Layers.DepthwiseConv2D(3, depth_multiplier=2)],
        [Layers.MaxPooling2D(2, padding="same"), Layers.Conv2D(4, 2)],
        [Layers.AveragePooling2D(2), Layers.Conv2D(4, 1)],
        [Layers.GlobalAveragePooling2D(), Layers.Dense(4)],
        [bnext_keras.layers.ShuffleChannels(4), Layers.Conv2D(4, 1)],
    ],
    ids=["pointwise", "valid", "depthwise", "max", "average", "mean", "shuffle"],
)
def test_a_constant_ends_in_the_bias_of_the_next_layer(layers):
    x = image = images(side=5)
    for layer in [LearnableBias(), *(type(layer).from_config(layer.get_config()) for layer in layers)]:
        x = layer(x)
    model = randomize(tf.keras.Model(image, x))
    assert "AddV2" not in maps(assert_exact(model, (*CANONICAL, carry_offsets)))


def test_a_padded_convolution_reads_the_true_value():
    image = images()
    x = Layers.Conv2D(4, 3, padding="same")(LearnableBias()(image))
    model = randomize(tf.keras.Model(image, x))
    assert maps(assert_exact(model, (*CANONICAL, carry_offsets)))["AddV2"] == 1


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**16),
    widths=st.lists(st.booleans(), min_size=1, max_size=3),
    side=st.sampled_from([8, 16]),
    elm=st.booleans(),
    recoupling=st.booleans(),
    gammas=st.sampled_from([(0.3, 1.5), (-1.0, 1.0), (0.0, 0.0)]),
)
def test_every_pass_is_exact_on_any_bnext(seed, widths, side, elm, recoupling, gammas):
    channels = [8]
    for doubles in widths:
        channels.append(channels[-1] * (2 if doubles else 1))
    options = {"elm_attention": elm, "info_recoupling": recoupling, "stem_stride": 1}
    model = bnext_keras.models.BNext(channels, input_shape=(side, side, 3), num_classes=3, **options)
    assert_exact(randomize(model, seed=seed, gammas=gammas), PASSES, samples=1)


def test_simplifying_twice_changes_nothing(small_bnext):
    graph = trace(randomize(small_bnext))
    simplify(graph)
    assert not any(report.removed or report.removed_maps for report in simplify(graph))


def test_reports_add_up(small_bnext):
    graph = trace(randomize(small_bnext))
    before = operators(graph)
    reports = simplify(graph)
    for report in reports:
        before.subtract(report.removed)
    assert +before == operators(graph)
    assert [report.name for report in reports[: len(PASSES)]] == [rewrite.__name__ for rewrite in PASSES]


ELEMENTWISE = ("Mul", "AddV2", "Sub", "PRelu", "AvgPool")


def elementwise(model):
    """Full-resolution operators of the original and of the simplified model."""
    graph = trace(model)
    simplify(graph, CANONICAL)
    before = maps(graph)
    simplify(graph)
    return tuple(sum(counts[op] for op in ELEMENTWISE) for counts in (before, maps(graph)))


def test_bnext_tiny_at_full_resolution():
    """124 additions, 130 multiplications, 38 PReLUs and 8 poolings; less than half remain."""
    assert elementwise(randomize(bnext_keras.models.BNextTiny())) == (300, 148)


def test_meliusnet22_in_both_dialects():
    for pad_value in (0, -1):
        model = randomize(bnext_keras.models.MeliusNet22(pad_value=pad_value))
        graph = trace(model)
        simplify(graph)
        counts = maps(graph)
        # 34 comparisons, 17 sums of improvement blocks, and an offset for each of 3 transitions and the head.
        assert counts["AddV2"] + counts["Sub"] == 55
        assert counts["Mul"] == 0


def test_a_narrow_bnext_with_and_without(small_bnext):
    model = randomize(small_bnext)
    plain, simple = convert(model, simplify=False), convert(model)
    assert (plain.passes, len(simple.passes) >= len(PASSES)) == ([], True)
    # Four of each for each of six processors, and one multiplication more for the ELM-attention.
    assert (plain.operators["MUL"], plain.operators["ADD"]) == (25, 24)
    assert simple.operators["LceBconv2d"] == plain.operators["LceBconv2d"] == 6
    assert simple.size < plain.size
    assert simple.verification.passed


@pytest.mark.parametrize("pad_value", [0, -1])
@pytest.mark.parametrize("gammas", [(0.3, 1.5), (-1.0, 1.0)])
def test_a_narrow_meliusnet_with_and_without(pad_value, gammas):
    options = {"input_shape": (32, 32, 3), "num_classes": 10, "pad_value": pad_value}
    model = randomize(bnext_keras.models.MeliusNet([1, 1], [64], **options), gammas=gammas)
    plain, simple = convert(model, simplify=False), convert(model)
    assert (plain.operators["MUL"], plain.operators["ADD"]) == (6, 8)
    # Padding with -1 and gammas of both signs leave four multiplications before signs; those of the transition and
    # the head stay wherever a gamma is negative.
    expected = {(0, 0.3): 0, (-1, 0.3): 0, (0, -1.0): 2, (-1, -1.0): 6}
    assert simple.operators["MUL"] == expected[pad_value, gammas[0]]
    assert simple.operators["ADD"] + simple.operators["SUB"] == 8
    assert simple.size <= plain.size
    assert simple.verification.errors == []


def test_meliusnet22_at_224_is_smaller_and_has_fewer_operators():
    results = {}
    for pad_value in (0, -1):
        model = randomize(bnext_keras.models.MeliusNet22(pad_value=pad_value))
        results[pad_value] = convert(model)
    for result in results.values():
        assert result.operators.total() == 183
        assert result.operators["MUL"] == 0
        assert result.size < 4_100_000


def test_bnext_tiny_at_224():
    """What is counted of the graph is what the file holds; the rest of its ADD and MUL is arithmetic of gates."""
    model = randomize(bnext_keras.models.BNextTiny())
    # Statistics that are not those of any values make them explode.
    model(np.random.default_rng(0).standard_normal((2, 224, 224, 3), np.float32), training=True)
    result = convert(model)
    assert result.operators["PRELU"] == 38
    assert result.operators["AVERAGE_POOL_2D"] == 4
    assert result.operators["LceBconv2d"] == 31
    assert maps_of(result) == 148


def maps_of(result):
    """The elementwise operators on maps that the last pass has left."""
    return sum(result.passes[-1].maps_after[op] for op in ELEMENTWISE)
