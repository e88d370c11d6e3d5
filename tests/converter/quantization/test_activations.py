"""Int8 activations: what runs in 8 bits, what a sign is taken of, and what it costs."""

import bnext_keras
from bnext_keras.layers import BinaryConv2D

import numpy as np
import pytest
import tensorflow as tf
from rewrites import randomize
from tflite_graphs import SAME, VALID, Graph, random_words, words

from android_demo.runner import UnsupportedOperator, compile_plan
from converter import ConversionError, convert
from converter.cli.convert import main
from converter.quantization.activations import quantize_activations
from converter.quantization.quantize import compare
from converter.quantization.steps import Steps, measure_ranges
from converter.report.html import render_html
from converter.report.rows import rows
from converter.tflite.bits import unpack_signs
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter
from converter.tflite.schema import TensorType
from converter.verification.samples import users_inputs

RANDOM = np.random.default_rng(5)
MAP = (1, 4, 4, 8)
INPUTS = RANDOM.normal(size=(16, 4, 4, 8)).astype(np.float32)
Layers = tf.keras.layers


def floats(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def quantized(graph, *outputs, inputs=INPUTS):
    """The float file, the quantized one, and what became of it."""
    before = Flatbuffer(graph.content(*outputs))
    after, result = quantize_activations(before, inputs)
    return before, after, result


def types(file, type):
    """Types of what the only operator of a type reads and writes."""
    (operation,) = (operation for operation in file.operations if operation.type == type)
    return [file.type(tensor) for tensor in operation.inputs], [file.type(tensor) for tensor in operation.outputs]


def test_zero_is_stored_exactly_and_signs_are_those_of_what_is_stored():
    for low, high in ((-1.0, 3.0), (0.5, 2.0), (-7.0, -3.0), (-1e-3, 900.0), (0.0, 0.0)):
        steps = Steps.spanning(low, high)
        values = np.linspace(low, high, 1000)
        stored = steps.store(values)
        assert steps.store(np.zeros(1))[0] == steps.zero
        meant = steps.scale * (stored.astype(np.float64) - steps.zero)
        np.testing.assert_array_equal(stored < steps.zero, meant < 0)
        assert np.abs(meant - values).max() <= steps.scale * 0.5001 + (steps.scale if steps.zero in (-128, 127) else 0)


def test_steps_around_zero_reach_as_far_on_either_side():
    assert Steps.around_zero(12.7).zero == 0
    assert Steps.around_zero(12.7).span == pytest.approx((-12.8, 12.7))


# A function of the graph and its input for each operator that has an int8 form.
OPERATORS = {
    "ADD": lambda g, x: g.add("ADD", [x, g.constant(floats(8))], MAP),
    "AVERAGE_POOL_2D": lambda g, x: g.add(
        "AVERAGE_POOL_2D", [x], (1, 2, 2, 8), padding=SAME, strideH=2, strideW=2, filterHeight=2, filterWidth=2
    ),
    "CONCATENATION": lambda g, x: g.add("CONCATENATION", [x, g.add("MUL", [x, x], MAP)], (1, 4, 4, 16), axis=3),
    "CONV_2D": lambda g, x: g.add(
        "CONV_2D",
        [x, g.constant(floats(6, 3, 3, 8)), g.constant(floats(6))],
        (1, 4, 4, 6),
        padding=SAME,
        strideH=1,
        strideW=1,
    ),
    "DEPTHWISE_CONV_2D": lambda g, x: g.add(
        "DEPTHWISE_CONV_2D",
        [x, g.constant(floats(1, 3, 3, 8)), g.constant(floats(8))],
        MAP,
        padding=SAME,
        strideH=1,
        strideW=1,
        depthMultiplier=1,
    ),
    "DEPTH_TO_SPACE": lambda g, x: g.add("DEPTH_TO_SPACE", [x], (1, 8, 8, 2), blockSize=2),
    "FULLY_CONNECTED": lambda g, x: g.add(
        "FULLY_CONNECTED", [x, g.constant(floats(6, 128)), g.constant(floats(6))], (1, 6)
    ),
    "GATHER": lambda g, x: g.add("GATHER", [x, g.constant(np.int32([3, 1]))], (1, 4, 4, 2), axis=3),
    "HARD_SWISH": lambda g, x: g.add("HARD_SWISH", [x], MAP),
    "LEAKY_RELU": lambda g, x: g.add("LEAKY_RELU", [x], MAP, alpha=0.25),
    "LOGISTIC": lambda g, x: g.add("LOGISTIC", [x], MAP),
    "MAX_POOL_2D": lambda g, x: g.add(
        "MAX_POOL_2D", [x], (1, 2, 2, 8), padding=SAME, strideH=2, strideW=2, filterHeight=2, filterWidth=2
    ),
    "MEAN": lambda g, x: g.add("MEAN", [x, g.constant(np.int32([1, 2]))], (1, 1, 1, 8), keepDims=True),
    "MUL": lambda g, x: g.add("MUL", [x, g.constant(floats(8))], MAP),
    "PAD": lambda g, x: g.add("PAD", [x, g.constant(np.int32([[0, 0], [1, 0], [0, 1], [0, 0]]))], (1, 5, 5, 8)),
    "PRELU": lambda g, x: g.add("PRELU", [x, g.constant(floats(1, 1, 8))], MAP),
    "RELU": lambda g, x: g.add("RELU", [x], MAP),
    "RELU6": lambda g, x: g.add("RELU6", [x], MAP),
    "RESHAPE": lambda g, x: g.add("RESHAPE", [x, g.constant(np.int32([1, 128]))], (1, 128)),
    "RESIZE_NEAREST_NEIGHBOR": lambda g, x: g.add(
        "RESIZE_NEAREST_NEIGHBOR", [x, g.constant(np.int32([8, 8]))], (1, 8, 8, 8)
    ),
    "SLICE": lambda g, x: g.add(
        "SLICE", [x, g.constant(np.int32([0, 1, 0, 2])), g.constant(np.int32([1, 2, 4, 4]))], (1, 2, 4, 4)
    ),
    "SPACE_TO_DEPTH": lambda g, x: g.add("SPACE_TO_DEPTH", [x], (1, 2, 2, 32), blockSize=2),
    "SPLIT": lambda g, x: g.add("SPLIT", [g.constant(np.int32(3)), x], (1, 4, 4, 4), (1, 4, 4, 4), numSplits=2)[1],
    "STRIDED_SLICE": lambda g, x: g.add(
        "STRIDED_SLICE", [x, *(g.constant(np.int32(at)) for at in ([0] * 4, [1, 4, 4, 8], [1, 2, 2, 1]))], (1, 2, 2, 8)
    ),
    "SUB": lambda g, x: g.add("SUB", [x, g.constant(floats(8))], MAP),
    "TANH": lambda g, x: g.add("TANH", [x], MAP),
    "TRANSPOSE": lambda g, x: g.add("TRANSPOSE", [x, g.constant(np.int32([0, 2, 1, 3]))], MAP),
}


@pytest.mark.parametrize("type", OPERATORS)
def test_an_operator_runs_in_int8(type):
    graph = Graph()
    before, after, result = quantized(graph, OPERATORS[type](graph, graph.input(MAP)))
    taken, given = types(after, type)
    assert ("INT8" in taken, given[0]) == (True, "INT8")
    assert result.left_float == {}
    assert [after.type(tensor) for tensor in (*after.inputs, *after.outputs)] == ["FLOAT32"] * 2
    assert [after.names[tensor] for tensor in after.outputs] == [before.names[tensor] for tensor in before.outputs]
    compare(result, before, after, INPUTS)
    assert result.errors == []
    assert 0 < result.drift < 0.03


def test_every_operator_with_an_int8_form_is_tried_here():
    from converter.quantization import activations

    assert {*OPERATORS} == {*activations._VERSIONS}


def test_what_has_no_int8_form_reads_floats_and_is_told():
    graph = Graph()
    x = graph.add("RELU", [graph.input(MAP)], MAP)
    y = graph.add("RELU", [graph.add("EXP", [x], MAP)], MAP)
    _, after, result = quantized(graph, graph.add("SOFTMAX", [y], MAP, beta=1.0))
    assert types(after, "EXP") == types(after, "SOFTMAX") == (["FLOAT32"], ["FLOAT32"])
    assert result.left_float == {"EXP": 1, "SOFTMAX": 1}
    assert after.operators == {"QUANTIZE": 2, "RELU": 2, "DEQUANTIZE": 2, "EXP": 1, "SOFTMAX": 1}


def test_filters_of_zeros_give_their_bias():
    graph = Graph()
    kernel, bias = floats(4, 1, 1, 8), np.float32([3, -0.01, 0, 2])
    kernel[:3] = 0
    x = graph.input(MAP)
    inputs = [x, graph.constant(kernel), graph.constant(bias)]
    y = graph.add("CONV_2D", inputs, (1, 4, 4, 4), padding=VALID, strideH=1, strideW=1)
    before, after, _ = quantized(graph, y)
    expected, answers = (Interpreter(file.pack()).run([INPUTS[:1]])[0] for file in (before, after))
    np.testing.assert_allclose(answers[..., :3], expected[..., :3], atol=0.05)


def test_weights_that_were_trained_in_few_bits_stay_what_they_were():
    graph = Graph()
    levels, scales = RANDOM.integers(-7, 8, (6, 128)).astype(np.int8), np.abs(floats(6)) + 0.1
    weights = graph.add("DEQUANTIZE", [graph.constant(levels, scale=scales)], (6, 128))
    y = graph.add("FULLY_CONNECTED", [graph.input(MAP), weights, graph.constant(floats(6))], (1, 6))
    before, after, result = quantized(graph, y)
    (operation,) = (operation for operation in after.operations if operation.type == "FULLY_CONNECTED")
    tensor = after.model.subgraphs[0].tensors[operation.inputs[1]]
    stored = np.asarray(after.model.buffers[tensor.buffer].data, np.uint8).view(np.int8)
    np.testing.assert_array_equal(stored.reshape(6, 128), levels)
    np.testing.assert_array_equal(tensor.quantization.scale, scales)
    compare(result, before, after, INPUTS)
    assert result.drift < 0.03


def binary_conv(graph, signs, shape, padding, pad_values):
    """3x3, 8 signs to 32 channels, multiplied and shifted."""
    kernel = graph.constant(random_words(RANDOM, (32, 3, 3), 8))
    options = {f"{name}_{side}": 1 for name in ("stride",) for side in ("height", "width")}
    options |= {"dilation_height_factor": 1, "dilation_width_factor": 1, "fused_activation_function": 0}
    inputs = [signs, kernel, graph.constant(floats(32)), graph.constant(floats(32)), -1]
    return graph.add("LceBconv2d", inputs, shape, channels_in=8, padding=padding, pad_values=pad_values, **options)


@pytest.mark.parametrize(
    ("padding", "pad_values", "expected"), [(VALID, 0, "INT8"), (SAME, 1, "INT8"), (SAME, 0, "FLOAT32")]
)
def test_binary_convolutions_take_signs_of_int8_and_write_int8_where_lce_can(padding, pad_values, expected):
    graph, size = Graph(), (1, 4, 4) if padding == SAME else (1, 2, 2)
    x = graph.add("ADD", [graph.input(MAP), graph.constant(floats(8))], MAP)
    signs = graph.add("LceQuantize", [x], (1, 4, 4, words(8)), dtype="INT32")
    y = binary_conv(graph, signs, (*size, 32), padding, pad_values)
    z = graph.add("ADD", [y, graph.constant(floats(32))], (*size, 32))
    before, after, result = quantized(graph, z)
    assert types(after, "LceQuantize") == (["INT8"], ["INT32"])
    assert types(after, "LceBconv2d")[1] == [expected]
    np.testing.assert_array_equal(after.binary_convs[0].kernel, before.binary_convs[0].kernel)
    compare(result, before, after, INPUTS)
    assert result.errors == []
    assert result.signs == 16 * 16 * 8
    assert result.turned_signs < 0.02 * result.signs
    assert result.drift < 0.2


def test_signs_are_those_of_the_numbers_that_int8_stands_for():
    graph = Graph()
    x = graph.add("MUL", [graph.input(MAP), graph.constant(floats(8) + 2)], MAP)
    signs = graph.add("LceQuantize", [x], (1, 4, 4, words(8)), dtype="INT32")
    before = Flatbuffer(graph.content(x, signs))
    after, _ = quantize_activations(before, INPUTS)
    values, packed = Interpreter(after.pack()).run_each(INPUTS)
    np.testing.assert_array_equal(unpack_signs(packed, 8), np.where(values < 0, -1, 1))
    assert types(after, "LceQuantize")[0] == ["INT8"]


def test_what_only_signs_are_taken_of_gets_finer_steps():
    graph = Graph()
    x = graph.add("ADD", [graph.input(MAP), graph.constant(floats(8))], MAP)
    y = graph.add("LceQuantize", [x], (1, 4, 4, words(8)), dtype="INT32")
    before, after, _ = quantized(graph, y)
    (operation,) = (operation for operation in after.operations if operation.type == "ADD")
    quantization = after.model.subgraphs[0].tensors[operation.outputs[0]].quantization
    largest = max(map(abs, measure_ranges(before, INPUTS)[x]))
    assert quantization.zeroPoint.tolist() == [0]
    assert quantization.scale[0] == pytest.approx(largest / 127 / 16, rel=1e-5)


def test_sums_that_are_much_smaller_than_what_is_added_do_not_end_the_process():
    graph = Graph()
    x = graph.input(MAP)
    y = graph.add("SUB", [graph.add("MUL", [x, graph.constant(np.float32([1e6]))], MAP)] * 2, MAP)
    _, after, _ = quantized(graph, graph.add("RELU", [y], MAP))
    assert np.isfinite(Interpreter(after.pack()).run_each(INPUTS)[0]).all()


def test_numbers_that_are_not_finite_are_refused():
    graph = Graph()
    y = graph.add("SQRT", [graph.input(MAP)], MAP)
    with pytest.raises(ConversionError, match=rf"calibration data: of input 0 't{y}' is not finite"):
        quantize_activations(Flatbuffer(graph.content(y)), INPUTS)


def small(classes=10):
    """A residual network of one binary convolution; its images say by their mean colours what they are."""
    image = tf.keras.Input((8, 8, 3))
    x = Layers.BatchNormalization()(Layers.Conv2D(16, 3, padding="same", use_bias=False)(image))
    x = Layers.Add()([x, Layers.BatchNormalization()(BinaryConv2D(16, 3, name="conv")(x))])
    x = Layers.GlobalAveragePooling2D()(Layers.PReLU(shared_axes=[1, 2])(x))
    return randomize(tf.keras.Model(image, Layers.Dense(classes, name="head")(x)))


IMAGES = RANDOM.normal(size=(24, 8, 8, 3)).astype(np.float32) + 3 * RANDOM.normal(size=(24, 1, 1, 3)).astype(np.float32)


def test_a_whole_network(tmp_path):
    model = small()
    path = tmp_path / "model.tflite"
    result = convert(model, path, activations="int8", calibration_data=IMAGES[:16], verify_data=IMAGES[16:])
    found, file = result.quantization, Flatbuffer(path.read_bytes())
    assert (found.activations, found.calibrated_on, found.samples) == ("int8", 16, 8)
    assert found.layers == {"stem": 1, "se": 0, "head": 1, "other": 0}
    assert found.bytes_after == {"stem": 16 * 27, "se": 0, "head": 160, "other": 0}
    assert result.verification.passed
    assert 0 < found.drift < 0.3
    assert found.signs == 8 * 64 * 16
    assert 0 < found.turned_signs < 0.05 * found.signs
    assert [file.names[tensor] for tensor in (*file.inputs, *file.outputs)] == ["image", "Identity"]
    assert result.to_dict()["quantization"]["turned_signs"] == found.turned_signs
    row = dict(rows(result))["quantization"]
    assert row.startswith("weights and activations in int8, an approximation: ")
    assert f"{found.turned_signs} of 8,192 signs turned over" in row
    assert "Activations are int8, too, with ranges of 16 inputs: an approximation." in render_html(result)
    with pytest.raises(UnsupportedOperator, match="QUANTIZE image/int8: the engine has no such operator"):
        compile_plan(path.read_bytes())


def test_the_engine_refuses_int8_whatever_the_file_begins_with():
    """Where signs are the first thing taken, only results tell of int8."""
    graph = Graph()
    signs = graph.add("LceQuantize", [graph.input(MAP)], (1, 4, 4, words(8)), dtype="INT32")
    x = binary_conv(graph, signs, (1, 2, 2, 32), VALID, 0)
    _, after, _ = quantized(graph, graph.add("ADD", [x, graph.constant(floats(32))], (1, 2, 2, 32)))
    assert types(after, "LceBconv2d")[1] == ["INT8"]
    with pytest.raises(UnsupportedOperator, match=r"LceBconv2d .* its result is INT8, not float"):
        compile_plan(after.pack())


def int8_weights(content):
    """Whole numbers and scales of the constants of several scales, as bytes."""
    file = Flatbuffer(content)
    tensors = [tensor for tensor in file.model.subgraphs[0].tensors if tensor.type == TensorType.INT8 and tensor.buffer]
    return {
        (bytes(file.model.buffers[tensor.buffer].data), np.asarray(tensor.quantization.scale).tobytes())
        for tensor in tensors
        if len(tensor.quantization.scale) > 1
    }


@pytest.mark.exhaustive
def test_a_network_of_8_4_8_bits_keeps_its_weights():
    model = randomize(bnext_keras.models.BNext([16, 32], input_shape=(16, 16, 3), num_classes=10))
    bnext_keras.quantize_weights(model, "8/4/8")
    content = convert(model).content
    trained = int8_weights(content)
    assert len(trained) == 8
    images = RANDOM.normal(size=(32, 16, 16, 3)).astype(np.float32)
    after, result = quantize_activations(Flatbuffer(content), images)
    assert trained <= int8_weights(after.pack())
    assert {*result.left_float} <= {"LceBconv2d"}
    assert np.isfinite(Interpreter(after.pack()).run_each(images)[0]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--activations", "int8"], "give --calibration-data: a folder of some hundred images"),
        (["--calibration-data", "x"], "add --activations int8, or leave it out"),
        (["--activations", "int8", "--calibration-data", "x", "--target", "tflite"], "not for --target tflite"),
        (["--activations", "int8", "--calibration-data", "x", "--verify-engine"], "leave out --verify-engine"),
        (["--activations", "int8", "--calibration-data", "x", "--weights", "se=int8"], "leave out --weights"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(refused_by, tmp_path, options, message):
    assert message in refused_by(main)(tmp_path / "model.h5", *options)


def test_what_does_not_go_together_is_refused_in_python():
    with pytest.raises(ConversionError, match="--calibration-data"):
        convert("model.h5", activations="int8")
    with pytest.raises(ConversionError, match="no type 'int4'"):
        convert("model.h5", activations="int4", calibration_data=IMAGES)
    with pytest.raises(ConversionError, match=r"calibration data of shape \(24, 8, 8, 3\) does not fit"):
        users_inputs({"image": ((8, 4, 3), "float32")}, IMAGES, purpose="calibration")


def test_a_file_whose_answers_have_nothing_to_do_with_the_float_files_is_of_no_use():
    """Calibrated on inputs a thousand times too small, whose ranges all others leave."""
    graph = Graph()
    x = graph.add("MUL", [graph.input(MAP), graph.constant(floats(8))], MAP)
    before, after, result = quantized(graph, x, inputs=INPUTS * 1e-3)
    compare(result, before, after, INPUTS)
    (error,) = result.errors
    assert error.startswith("with int8 activations the answers differ by 100% of their standard deviation (at most 50%")
    assert "calibrate on more inputs" in error
