"""8-bit weights of float layers: what they change, what they must not change, and when they are refused."""

import re

import bnext_keras
from bnext_keras.layers import BinaryConv2D

import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter
from strangers import stranger

from converter import ConversionError, VerificationError, convert
from converter.cli.convert import main
from converter.compiler.freeze import freeze
from converter.compiler.lce import to_flatbuffer
from converter.compiler.trace import trace
from converter.passes import simplify
from converter.quantization.precision import check_weights, parse_weights
from converter.quantization.roles import find_roles
from converter.tflite.flatbuffer import Flatbuffer

IMAGES = np.random.default_rng(3).normal(size=(8, 32, 32, 3)).astype(np.float32)
Layers = tf.keras.layers


@pytest.fixture(scope="module")
def quantized(imported_bnext):
    return convert(imported_bnext, weights="int8", verify_data=IMAGES)


@pytest.fixture(scope="module")
def float_file(imported_bnext):
    """The same file before its weights are quantized; on its way to `quantized` it has been verified."""
    graph = trace(imported_bnext)
    simplify(graph)
    return bytes(to_flatbuffer(freeze(graph)).pack())


@pytest.mark.exhaustive
def test_the_weights_take_a_quarter(quantized, float_file):
    result = quantized.quantization
    assert result.layers == {"stem": 1, "se": 62, "head": 1, "other": 0}
    # 3x3x3 to 32 channels; the squeezes and expands of 31 gates; 1024 features to 10 classes.
    assert result.bytes_before == {"stem": 4 * 864, "se": 4 * 1_482_496, "head": 4 * 10_240, "other": 0}
    assert result.bytes_after == {"stem": 864, "se": 1_482_496, "head": 10_240, "other": 0}
    saved = 3 * (864 + 1_482_496 + 10_240)
    assert len(float_file) - saved < quantized.size < len(float_file) - 0.95 * saved


@pytest.mark.exhaustive
def test_answers_drift_a_little(quantized, float_file):
    result = quantized.quantization
    assert result.samples == 8
    assert 0.001 < result.drift < 0.05
    expected = Interpreter(float_file).predict(IMAGES)
    answers = Interpreter(quantized.content).predict(IMAGES)
    assert np.abs(answers - expected).max() == pytest.approx(result.max_difference, rel=1e-3)
    assert np.mean(answers.argmax(-1) == expected.argmax(-1)) == result.top1_agreement
    assert quantized.to_dict()["quantization"]["drift"] == result.drift
    assert quantized.verification.max_difference_same_signs < 1e-4


@pytest.mark.exhaustive
def test_binary_layers_stay_exact_and_activations_float(quantized, float_file):
    before, after = Flatbuffer(float_file), Flatbuffer(quantized.content)
    kernels = {conv.name: conv.kernel for conv in before.binary_convs}
    assert len(kernels) == 31
    for conv in after.binary_convs:
        np.testing.assert_array_equal(conv.kernel, kernels[conv.name])
    types = {operation.type: after.type(operation.outputs[0]) for operation in after.operations}
    assert types.pop("LceQuantize") == "INT32"
    assert set(types.values()) == {"FLOAT32"}


@pytest.mark.exhaustive
def test_a_role_at_a_time(imported_bnext):
    result = convert(imported_bnext, weights={"head": "int8"})
    assert result.quantization.weights == {"stem": "float32", "se": "float32", "head": "int8", "other": "float32"}
    assert result.quantization.bytes_after["se"] == result.quantization.bytes_before["se"]
    assert result.quantization.bytes_after["head"] == 10_240
    assert result.operators["DEQUANTIZE"] == 1


def test_without_quantization_nothing_is_said(conv_model):
    result = convert(conv_model((4, 4, 32), filters=4, kernel_size=1))
    assert result.quantization is None
    assert result.to_dict()["quantization"] is None


def roles(model):
    flatbuffer = Flatbuffer(convert(model).content)
    names = flatbuffer.names
    found = find_roles(flatbuffer).items()
    return {role: [names[operation.outputs[0]] for operation in operations] for role, operations in found}


def test_roles_of_a_network_without_names_to_go_by():
    found = roles(stranger())
    assert [len(found[role]) for role in ("stem", "se", "head", "other")] == [2, 2, 1, 2]
    assert [name.split("/")[1] for role in ("stem", "se", "head", "other") for name in found[role]] == list("abdeifh")


def test_a_sigmoid_at_the_end_makes_no_gate():
    image = tf.keras.Input((8, 8, 32))
    x = Layers.GlobalAveragePooling2D()(BinaryConv2D(32, 3, name="conv")(image))
    x = Layers.Dense(8, activation="relu")(x)
    found = roles(tf.keras.Model(image, Layers.Dense(4, activation="sigmoid")(x)))
    assert {role: len(names) for role, names in found.items()} == {"stem": 0, "se": 0, "head": 1, "other": 1}


def test_what_a_last_binary_convolution_reads_is_no_head():
    image = x = tf.keras.Input((8, 8, 3))
    x = BinaryConv2D(32, 3, name="b")(Layers.Conv2D(32, 3, padding="same", name="a")(x))
    found = roles(tf.keras.Model(image, Layers.GlobalAveragePooling2D()(x)))
    assert {role: len(names) for role, names in found.items()} == {"stem": 1, "se": 0, "head": 0, "other": 0}


def test_a_file_that_is_of_no_use_is_not_written(tmp_path):
    """All but one of a filter's weights lie below half a step of 8 bits, and are all that tells the classes apart."""
    image = tf.keras.Input((8, 8, 32))
    x = Layers.GlobalAveragePooling2D()(BinaryConv2D(32, 3, name="conv")(image))
    x = Layers.Concatenate()([x, 0.0 * x[:, :1]])
    model = tf.keras.Model(image, Layers.Dense(10, name="head")(x))
    kernel, bias = model.get_layer("head").get_weights()
    kernel[-1] = 1e6
    model.get_layer("head").set_weights([kernel, bias])
    with pytest.raises(VerificationError, match=r"differ by \d+% of their standard deviation") as caught:
        convert(model, tmp_path / "model.tflite", weights="int8")
    assert caught.value.result.verification.passed
    assert caught.value.result.quantization.drift > 0.5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("paper", "no type 'paper'; there are float32, int8, int4, or bits as 8/4/8"),
        ("8/6/8", "--weights 8/6/8: files have weights of 32, 8, 4 bits"),
        ("8/4", "--weights 8/4: must be bits of stem, squeeze-and-expand and head"),
        ("neck=int8", "no role 'neck'; there are stem, se, head, other"),
        ("se=int8,se=float32", "names a role twice"),
        ("se=int8,squeeze-and-expand=float32", "names a role twice"),
        ("se=", "no type ''"),
        ({"se": "int2"}, "no type 'int2'"),
    ],
)
def test_weights_that_there_are_none_of(weights, message):
    with pytest.raises(ConversionError, match=message):
        parse_weights(weights)


@pytest.mark.parametrize("target", ["lce", "tflite", "onnx"])
@pytest.mark.parametrize("weights", ["int4", "8/4/8", {"se": "int4"}])
def test_4_bits_are_refused_where_lce_would_have_to_read_them(weights, target):
    message = "4 bits are for this project's engine alone; .* does not know INT4.; add --target engine"
    with pytest.raises(ConversionError, match=message):
        check_weights(parse_weights(weights), target)
    check_weights(parse_weights(weights), "engine")
    check_weights(parse_weights("int8"), target)


def test_bits_are_written_as_in_training():
    assert parse_weights("8/4/32") == {"stem": "int8", "se": "int4", "head": "float32", "other": "float32"}


def test_roles_may_be_spelled_out():
    expected = {"stem": "float32", "se": "int8", "head": "float32", "other": "float32"}
    assert parse_weights("squeeze-and-expand=int8") == parse_weights({"se": "int8"}) == expected


def test_weights_of_four_bits_are_refused_because_lce_does_not_load_them():
    """If this fails, a newer interpreter does, and 4 bits need not be for the engine alone."""
    from ai_edge_quantizer import qtyping, quantizer

    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
    flatbuffer = Flatbuffer(convert(model).content)
    rules = quantizer.Quantizer(flatbuffer.pack())
    for operation in find_roles(flatbuffer)["se"]:
        pattern = f"^{re.escape(flatbuffer.names[operation.outputs[0]])};$"
        rules.add_weight_only_config(pattern, qtyping.TFLOperationName(operation.type), num_bits=4)
    with pytest.raises(RuntimeError, match="AllocateTensors"):
        Interpreter(bytes(rules.quantize().quantized_model))


def test_on_the_command_line(refused_by, tmp_path, capsys):
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
    model.save(tmp_path / "model.h5")
    assert "no role 'neck'" in refused_by(main)(tmp_path / "model.h5", "--weights", "neck=int8")
    assert "add --target engine" in refused_by(main)(tmp_path / "model.h5", "--weights", "8/4/8")
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]
    assert main([str(tmp_path / "model.h5"), "--weights", "head=int8"]) == 0
    assert Flatbuffer((tmp_path / "model.tflite").read_bytes()).operators["DEQUANTIZE"] == 1
