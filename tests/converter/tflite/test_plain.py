"""LCE's operators in TensorFlow Lite's own: the same numbers in LiteRT, signs to the last bit."""

from itertools import product

from bnext_keras.errors import ConversionError

import numpy as np
import pytest
from tflite_graphs import SAME, VALID, Graph, random_words, windows, words

from converter.runtimes.litert import KERNELS, LiteRTInterpreter
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter
from converter.tflite.plain import to_plain

RELU = 1


def same_answers(graph, *outputs, image=None):
    """What LCE and LiteRT make of an image, which must be the same; and the plain file."""
    file = Flatbuffer(graph.content(*outputs))
    plain = to_plain(file)
    assert not [name for name in plain.operators if name.startswith("Lce")]
    if image is None:
        image = np.random.default_rng(3).normal(size=file.shape(file.inputs[0])).astype(np.float32)
    (expected,) = Interpreter(file.pack()).run([image])
    for kernels in KERNELS:
        (answers,) = LiteRTInterpreter(plain.pack(), kernels=kernels).run([image])
        # LCE adds the number of signs, some hundreds, times the factor to the offset, which rounds more.
        np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=5e-4, err_msg=kernels)
    return answers, plain


def convolution(graph, signs, shape, filters, *, taps=3, stride=1, dilation=1, padding=SAME, ones=0, **more):
    """An ``LceBconv2d`` of random signs, factors and offsets."""
    random = np.random.default_rng(5)
    _, height, width, channels = shape
    kernel = graph.constant(random_words(random, (filters, taps, taps), channels))
    factor, offset = (graph.constant(random.normal(size=filters).astype(np.float32)) for _ in range(2))
    size = [windows(side, taps, stride, dilation, padding) for side in (height, width)]
    thresholds = more.pop("thresholds", None)
    inputs = [
        signs,
        kernel,
        *((-1, -1, graph.constant(thresholds)) if thresholds is not None else (factor, offset, -1)),
    ]
    result = (1, *size, filters if thresholds is None else words(filters))
    options = {
        "channels_in": channels,
        "dilation_height_factor": dilation,
        "dilation_width_factor": dilation,
        "fused_activation_function": 0,
        "pad_values": ones,
        "padding": padding,
        "stride_height": stride,
        "stride_width": stride,
        **more,
    }
    return graph.add("LceBconv2d", inputs, result, dtype="FLOAT32" if thresholds is None else "INT32", **options)


def signs_of(graph, shape):
    return graph.add("LceQuantize", [graph.input(shape)], (*shape[:3], words(shape[3])), dtype="INT32")


@pytest.mark.parametrize(("padding", "ones"), [(SAME, 0), (SAME, 1), (VALID, 0)])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_convolutions(padding, ones, stride, dilation):
    graph, shape = Graph(), (1, 7, 6, 40)
    signs = signs_of(graph, shape)
    same_answers(
        graph, convolution(graph, signs, shape, 8, stride=stride, dilation=dilation, padding=padding, ones=ones)
    )


def test_an_activation_bounds_the_sums_before_factor_and_offset():
    graph, shape = Graph(), (1, 5, 5, 33)
    result = convolution(graph, signs_of(graph, shape), shape, 4, ones=1, fused_activation_function=RELU)
    _, plain = same_answers(graph, result)
    assert plain.operators == {
        "RELU_N1_TO_1": 1,
        "FLOOR": 1,
        "MUL": 2,
        "ADD": 2,
        "PADV2": 1,
        "DEQUANTIZE": 1,
        "CONV_2D": 1,
    }


def test_signs_of_sums_and_pooled_signs_are_read_by_the_next_convolution():
    graph, shape = Graph(), (1, 6, 6, 32)
    thresholds = np.array([144, 140, 150, -(2**31), 2**31 - 1, 144, 143, 145], np.int32)
    signs = convolution(graph, signs_of(graph, shape), shape, 8, ones=1, thresholds=thresholds)
    pooled = graph.add(
        "LceBMaxPool2d",
        [signs],
        (1, 3, 3, 1),
        dtype="INT32",
        padding=SAME,
        stride_height=2,
        stride_width=2,
        filter_height=2,
        filter_width=2,
    )
    same_answers(graph, convolution(graph, pooled, (1, 3, 3, 8), 4))


def test_the_sign_of_every_kind_of_number_is_keras_own():
    tiny = np.finfo(np.float32).tiny
    values = np.array([0.0, -0.0, tiny, -tiny, 1, -1, 0.5, -0.5, 1e38, -1e38, np.inf, -np.inf], np.float32)
    graph = Graph()
    x = graph.input((1, 1, 1, 12))
    signs = graph.add("LceQuantize", [x], (1, 1, 1, 1), dtype="INT32")
    floats = graph.add("LceDequantize", [signs], (1, 1, 1, 12))
    answers, _ = same_answers(graph, graph.add("ABS", [floats], (1, 1, 1, 12)), image=values.reshape(1, 1, 1, 12))
    assert (answers == 1).all()
    for kernels in KERNELS:
        plain = to_plain(Flatbuffer(graph.content(signs)))
        (answers,) = LiteRTInterpreter(plain.pack(), kernels=kernels).run([values.reshape(1, 1, 1, 12)])
        assert answers.ravel().tolist() == [1, 1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1]


def test_an_addition_before_a_sign_bounds_it_for_nothing_unless_others_read_it():
    counts = []
    for others in (False, True):
        graph = Graph()
        x = graph.add("ADD", [graph.input((1, 2, 2, 32)), graph.constant(np.ones(32, np.float32))], (1, 2, 2, 32))
        signs = graph.add("LceQuantize", [x], (1, 2, 2, 1), dtype="INT32")
        result = convolution(graph, signs, (1, 2, 2, 32), 32, taps=1)
        if others:
            result = graph.add("MUL", [x, result], (1, 2, 2, 32))
        _, plain = same_answers(graph, result)
        counts.append(plain.operators["RELU_N1_TO_1"])
    assert counts == [0, 1]


def test_kernels_take_a_byte_for_each_weight_and_shared_ones_are_stored_once():
    graph, shape = Graph(), (1, 4, 4, 64)
    signs = signs_of(graph, shape)
    both = [convolution(graph, signs, shape, 64) for _ in range(2)]
    _, plain = same_answers(graph, graph.add("ADD", both, (1, 4, 4, 64)))
    stored = [plain.buffer(each.inputs[0]) for each in plain.operations if each.type == "DEQUANTIZE"]
    assert len(stored) == 2
    assert len(set(stored)) == 1
    assert 9 * 64 * 64 < len(plain.pack()) < 9 * 64 * 64 + 8000


def test_custom_operators_of_others_are_refused():
    graph = Graph()
    other = graph.add("LceOther", [graph.input((1, 2, 2, 3))], (1, 2, 2, 3))
    with pytest.raises(
        ConversionError, match=r"the file has an operator LceOther .*, which is none of TensorFlow Lite's"
    ):
        to_plain(Flatbuffer(graph.content(other)))


def test_all_forms_together():
    for taps, padding in product((1, 3), (SAME, VALID)):
        graph, shape = Graph(), (1, 3, 4, 5)
        same_answers(graph, convolution(graph, signs_of(graph, shape), shape, 3, taps=taps, padding=padding))
