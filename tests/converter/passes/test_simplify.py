"""All passes together: exact on any network, they come to an end, and what they make of whole networks."""

import bnext_keras
from bnext_keras.layers import BinaryConv2D, LearnableBias

import numpy as np
import pytest
import tensorflow as tf
from alike import with_more
from hypothesis import given, settings
from hypothesis import strategies as st
from rewrites import GAMMAS, assert_exact, conv, maps, randomize, sequential

from converter import convert
from converter.compiler.emit import run
from converter.compiler.trace import trace
from converter.passes import CANONICAL, PASSES, count_operators, simplify

Layers = tf.keras.layers


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**16),
    side=st.integers(3, 7),
    channels=st.integers(1, 5),
    size=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.sampled_from(["same", "valid"]),
    gammas=st.sampled_from([(0.1, 2), (-2, 2), (-2, -0.1), (0, 0)]),
)
def test_every_pass_is_exact_around_pooling_and_convolutions(seed, side, channels, size, stride, padding, gammas):
    options = {"strides": stride, "padding": padding}
    model = sequential(
        (side, side, channels),
        Layers.BatchNormalization(),
        Layers.MaxPooling2D(size, **options),
        Layers.BatchNormalization(),
        Layers.AveragePooling2D(2, padding="same"),
        LearnableBias(),
        Layers.PReLU(shared_axes=[1, 2]),
        Layers.BatchNormalization(),
        Layers.Conv2D(3, 1, **options),
        Layers.BatchNormalization(),
        BinaryConv2D(4, 1),
        Layers.BatchNormalization(),
    )
    assert_exact(randomize(model, seed=seed, gammas=gammas), PASSES, samples=1)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**16),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    channels=st.integers(1, 5),
    kernel_size=st.integers(1, 3),
    strides=st.integers(1, 2),
    pad_value=st.sampled_from([0.0, 1.0, -1.0]),
    gammas=st.sampled_from([*GAMMAS.values()]),
)
def test_any_shape_stride_padding_and_gamma(seed, height, width, channels, kernel_size, strides, pad_value, gammas):
    options = {"strides": strides, "pad_values": pad_value}
    model = sequential(
        (height, width, channels),
        Layers.BatchNormalization(),
        LearnableBias(),
        conv(4, kernel_size, name="first", **options),
        Layers.ReLU(),
        Layers.BatchNormalization(),
        conv(4, kernel_size, name="second", **options),
    )
    randomize(model, seed=seed, gammas=gammas)
    images = np.random.default_rng(seed).normal(size=(1, height, width, channels))
    expected, graph = run(trace(model), images), trace(model)
    for rewrite in PASSES:
        rewrite(graph)
        np.testing.assert_allclose(run(graph, images), expected, rtol=0, atol=1e-9)


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
    before = count_operators(graph)
    reports = simplify(graph)
    for report in reports:
        before.subtract(report.removed)
    assert +before == count_operators(graph)
    assert [report.name for report in reports[: len(PASSES)]] == [rewrite.__name__ for rewrite in PASSES]


def test_passes_that_do_not_come_to_an_end_are_named(small_bnext):
    def one_more(graph):
        graph.replace(graph.output, graph.add(graph.output, graph.constant(np.ones(10))))

    def idle(graph):
        pass

    with pytest.raises(RuntimeError, match="after 10 rounds one_more still change the graph"):
        simplify(trace(small_bnext), (idle, one_more))


ELEMENTWISE = ("Mul", "AddV2", "Sub", "PRelu", "AvgPool")


def elementwise(model):
    """Full-resolution operators of the original and of the simplified model."""
    graph = trace(model)
    simplify(graph, CANONICAL)
    before = maps(graph)
    simplify(graph)
    return tuple(sum(counts[op] for op in ELEMENTWISE) for counts in (before, maps(graph)))


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


@pytest.mark.parametrize("pad_value", with_more([-1], [0]))
def test_meliusnet22_at_224_is_smaller_and_has_fewer_operators(pad_value):
    result = convert(randomize(bnext_keras.models.MeliusNet22(pad_value=pad_value)))
    counts = result.passes[-1].maps_after
    # 34 comparisons, 17 sums of improvement blocks, and an offset for each of 3 transitions and the head.
    assert counts["AddV2"] + counts["Sub"] == 55
    assert counts["Mul"] == 0
    assert result.operators.total() == 183
    assert result.operators["MUL"] == 0
    assert result.size < 4_100_000


def test_bnext_tiny_at_224():
    """124 additions, 130 multiplications, 38 PReLUs and 8 poolings; less than half remain.

    What is counted of the graph is what the file holds; the rest of its ADD and MUL is arithmetic of gates.
    """
    model = randomize(bnext_keras.models.BNextTiny())
    assert elementwise(model) == (300, 148)
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
