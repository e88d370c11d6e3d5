"""Files for runtimes that lack LCE's operators: verified in them, and what they cost."""

import json
import math
import sys
from dataclasses import replace

import bnext_keras
from bnext_keras.errors import ConversionError, VerificationError
from bnext_keras.extras import MissingPackage

import numpy as np
import pytest
import tensorflow as tf

from converter import convert
from converter.cli._arguments import TARGETS, suffix
from converter.cli.convert import main
from converter.inspection.profile import profile
from converter.report.html import render_html
from converter.report.rows import rows
from converter.runtimes import RUNTIMES, Rewritten
from converter.runtimes.litert import LiteRTInterpreter
from converter.runtimes.onnx import OnnxInterpreter
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter


@pytest.fixture(scope="module")
def model():
    return bnext_keras.models.BNext([8, 16], input_shape=(16, 16, 3), num_classes=5)


@pytest.fixture(scope="module")
def converted(model):
    return convert(model, target="tflite")


def test_a_file_without_custom_operators_is_verified_in_litert(converted, model):
    assert converted.verification.passed
    assert converted.verification.signs > 0
    assert sorted(converted.verification.binary_convs) == ["block1_1x1a_conv", "block1_1x1b_conv", "block1_3x3_conv"]
    assert not [name for name in converted.operators if name.startswith("Lce")]
    images = np.random.default_rng(0).normal(size=(3, 16, 16, 3)).astype(np.float32)
    answers = LiteRTInterpreter(converted.content).run_each(images)[0]
    np.testing.assert_allclose(answers, model(images), rtol=1e-4, atol=1e-4)


def test_the_report_says_what_it_costs(converted):
    # Eight channels would waste words of LCE's.
    assert converted.advice == []
    assert converted.cost.lce_bytes < converted.size
    assert converted.cost.milliseconds > 0
    assert converted.to_dict()["target"] == "tflite"
    found = dict(rows(converted))
    assert found["binary convolutions"] == "3 of 3 became CONV_2D of signs, exact, a byte for each weight"
    assert "times the bytes of LCE's file" in found["without LCE"]


def test_8_bit_weights_go_with_it(model):
    result = convert(model, target="tflite", weights="int8")
    assert result.quantization.errors == []
    answers = LiteRTInterpreter(result.content).run([np.ones((1, 16, 16, 3), np.float32)])[0]
    assert np.isfinite(answers).all()


def test_quantized_files_are_compared_where_they_will_run(model, monkeypatch):
    class Careless(LiteRTInterpreter):
        """Computes with weights of 8 bits otherwise than with the floats that they stand for."""

        def __init__(self, content):
            super().__init__(content)
            kernels_of_signs = 3
            self.factor = 2 if Flatbuffer(content).operators["DEQUANTIZE"] > kernels_of_signs else 1

        def run(self, inputs):
            answers, *signs = super().run(inputs)
            return [self.factor * answers, *signs]

    interpreters = {"a careless one": lambda content: Rewritten(content, Careless)}
    monkeypatch.setitem(RUNTIMES, "tflite", replace(RUNTIMES["tflite"], interpreters=interpreters))
    with pytest.raises(VerificationError, match="with quantized weights the answers differ by"):
        convert(model, target="tflite", weights="int8")


def test_signatures_name_input_and_output(converted):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=converted.content)
    assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["image"], "outputs": ["logits"]}}
    image = np.ones((1, 16, 16, 3), np.float32)
    answers = interpreter.get_signature_runner()(image=image)["logits"]
    np.testing.assert_array_equal(answers, LiteRTInterpreter(converted.content).run([image])[0])


def test_a_runtime_that_is_wrong_keeps_the_file_from_being_written(model, tmp_path, monkeypatch):
    class Wrong(LiteRTInterpreter):
        def run(self, inputs):
            answers, *signs = super().run(inputs)
            return [answers, *(-values for values in signs)]

    interpreters = {"a wrong one": lambda content: Rewritten(content, Wrong)}
    monkeypatch.setitem(RUNTIMES, "tflite", replace(RUNTIMES["tflite"], interpreters=interpreters))
    with pytest.raises(VerificationError, match=r"with a wrong one .* signs of its input differ beyond rounding"):
        convert(model, tmp_path / "out.tflite", target="tflite")
    assert not list(tmp_path.iterdir())


def test_a_runtime_whose_signs_are_none_is_told(model):
    class Blurred(LiteRTInterpreter):
        def run(self, inputs):
            return [0.5 * values for values in super().run(inputs)]

    file = Flatbuffer(convert(model).content)
    probed = file.pack(more_outputs=[conv.input_tensor for conv in file.binary_convs])
    with pytest.raises(ConversionError, match="neither -1 nor"):
        Rewritten(probed, Blurred).run([np.ones((1, 16, 16, 3), np.float32)])


def test_an_onnx_file_is_verified_in_onnx_runtime(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    stated = bnext_keras.classes.annotate(model, class_names=list("abcde"), mean=0.5, std=0.25)
    result = convert(stated, tmp_path / "out.onnx", target="onnx", softmax=True)
    assert result.verification.passed
    assert result.verification.signs > 0
    images = np.random.default_rng(0).normal(size=(3, 16, 16, 3)).astype(np.float32)
    answers = OnnxInterpreter((tmp_path / "out.onnx").read_bytes()).run_each(images)[0]
    np.testing.assert_allclose(answers, tf.nn.softmax(model(images)), atol=1e-4)
    written = onnx.load(tmp_path / "out.onnx")
    assert [value.name for value in (*written.graph.input, *written.graph.output)] == ["image", "probabilities"]
    properties = {entry.key: entry.value for entry in written.metadata_props}
    assert properties["labels"] == "a\nb\nc\nd\ne"
    assert properties["mean"] == "0.5,0.5,0.5"
    assert result.operators == {
        node.op_type: sum(other.op_type == node.op_type for other in written.graph.node) for node in written.graph.node
    }
    assert {"Conv", "Mul", "Softmax"} < result.operators.keys()
    found = dict(rows(result))
    assert "Conv " in found["operators"]
    assert "CONV_2D" not in found["operators"]
    assert f"tf2onnx made the {len(written.graph.node)} above" in found["simplification"]
    assert "those of the TensorFlow Lite file that tf2onnx made the ONNX file from" in render_html(result)


def stored_types(content):
    """How many numbers an ONNX file has of each type, weights of several dimensions alone."""
    import onnx

    counts: dict[str, int] = {}
    for constant in onnx.load_from_string(content).graph.initializer:
        if len(constant.dims) > 1:
            kind = onnx.TensorProto.DataType.Name(constant.data_type)
            counts[kind] = counts.get(kind, 0) + math.prod(constant.dims)
    return counts


def test_8_bit_weights_in_onnx_are_those_of_lce(model):
    pytest.importorskip("onnxruntime")
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype(np.float32)
    floats, result = (convert(model, target="onnx", weights=weights) for weights in ("float32", "int8"))
    of_lce = convert(model, weights="int8")
    answers = OnnxInterpreter(result.content).run_each(images)[0]
    np.testing.assert_allclose(answers, Interpreter(of_lce.content).run_each(images)[0], atol=1e-4)
    assert result.quantization.drift == pytest.approx(of_lce.quantization.drift, rel=1e-3)
    kept, weights = stored_types(floats.content), 864 // 4 + 192 // 4 + 320 // 4
    assert stored_types(result.content)["INT8"] == kept["INT8"] + weights


def test_weights_that_were_trained_in_few_bits_are_bytes_in_onnx():
    pytest.importorskip("onnxruntime")
    model = bnext_keras.models.BNext([8, 16], input_shape=(16, 16, 3), num_classes=5)
    of_floats = stored_types(convert(model, target="onnx").content)
    bnext_keras.quantize_weights(model, "8/4/8")
    result = convert(model, target="onnx")
    assert result.verification.passed
    assert stored_types(result.content)["INT8"] == of_floats["INT8"] + result.trained_weights.bytes_after
    assert len(result.trained_weights.layers) == 8


def test_what_is_not_installed_is_told_before_any_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(MissingPackage, match=r"tf2onnx is not installed: pip install '.\[onnx\]'"):
        convert("no such file", target="onnx")


def test_no_other_engine_is_verified(model):
    message = "--target tflite: the file is verified in LiteRT alone; leave out --verify-engine"
    with pytest.raises(ConversionError, match=message):
        convert(model, target="tflite", engines={"the engine": LiteRTInterpreter})


def test_the_command_knows_all_targets_and_how_their_files_end():
    assert {name: suffix(name) for name in TARGETS} == {runtime.name: runtime.suffix for runtime in RUNTIMES.values()}


def test_unknown_targets_are_refused(model):
    with pytest.raises(ConversionError, match="--target coreml: not one of lce, engine, tflite, onnx"):
        convert(model, target="coreml")


def test_the_command_writes_it_and_its_profile(model, tmp_path, capsys):
    model.save(tmp_path / "model.h5")
    options = ["--target", "tflite", "-o", str(tmp_path / "out.tflite"), "--json", str(tmp_path / "report.json")]
    assert main([str(tmp_path / "model.h5"), *options]) == 0
    assert "without LCE" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["cost"]["lce_bytes"] < report["size"] == (tmp_path / "out.tflite").stat().st_size
    profiled = profile((tmp_path / "out.tflite").read_bytes(), budget=0.05, engine=False)
    assert len(profiled.milliseconds) == sum(report["operators"].values())
