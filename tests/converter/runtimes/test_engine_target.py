"""Files for this project's engine alone, with weights of 4 bits."""

import json

import bnext_keras
from bnext_keras.errors import ConversionError, PredictionError, VerificationError
from bnext_keras.layers import BinaryConv2D, Conv2D, Dense

import numpy as np
import pytest
import tensorflow as tf
from rewrites import randomize

from android_demo.runner import Interpreter
from converter import convert
from converter.cli.convert import main
from converter.predict.classifier import from_tflite
from converter.report.html import render_html
from converter.report.rows import rows
from converter.tflite.engine import EngineUnavailable
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.metadata import BUFFER, read_metadata

IMAGES = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
Layers = tf.keras.layers


def network(bits=None):
    """A stem, a binary convolution, a gate of squeeze-and-expand, a head."""
    image = tf.keras.Input((8, 8, 3))
    x = BinaryConv2D(8, 3)(Conv2D(8, 3, padding="same", role="stem")(image))
    mean = Layers.GlobalAveragePooling2D()(x)
    gate = Dense(4, activation="relu", role="squeeze-and-expand")(mean)
    gate = Dense(8, activation="sigmoid", role="squeeze-and-expand")(gate)
    x = Layers.GlobalAveragePooling2D()(Layers.Multiply()([x, Layers.Reshape((1, 1, 8))(gate)]))
    model = randomize(tf.keras.Model(image, Dense(5, role="head")(x)))
    if bits:
        bnext_keras.quantize_weights(model, bits)
    return model


def constants(content):
    """Bytes of all constants of a file by their types, metadata left out."""
    file, sizes = Flatbuffer(content), dict[str, int]()
    for tensor in range(len(file.names)):
        sizes[file.type(tensor)] = sizes.get(file.type(tensor), 0) + file.nbytes(tensor)
    return sizes


@pytest.fixture(scope="module")
def floats():
    """A network of float weights, and its file."""
    model = network()
    return model, convert(model)


@pytest.fixture(scope="module")
def trained():
    """A network of 8/4/8 bits as files for LCE and for the engine."""
    model = network("8/4/8")
    return convert(model), convert(model, target="engine", labels=list("abcde"))


def test_what_was_trained_in_4_bits_takes_4(trained):
    for_lce, for_engine = trained
    # 3x3x3 to 8 and a head of 8 to 5 of 8 bits; a gate of 8 channels, with 4 between.
    eight, four = 27 * 8 + 8 * 5, 8 * 4 + 4 * 8
    assert constants(for_lce.content)["INT8"] == eight + four
    assert constants(for_engine.content) == {
        **constants(for_lce.content),
        "INT8": eight,
        "INT4": four // 2,
    }
    assert for_engine.trained_weights.bytes_after == eight + four // 2
    assert (for_engine.has_int4, for_lce.has_int4) == (True, False)


def test_answers_are_those_of_int8_to_the_bit(trained):
    answers, expected = (Interpreter(result.content).predict(IMAGES) for result in trained[::-1])
    assert np.ptp(answers) > 1
    np.testing.assert_array_equal(answers, expected)


def test_it_is_verified_in_the_engine_signs_included(trained):
    checked = trained[1].verification
    assert checked.passed
    assert checked.signs == 8 * 8 * 8 * checked.samples
    assert checked.max_difference_same_signs <= 1e-5 * checked.largest_output


def test_an_engine_that_is_wrong_keeps_the_file_from_being_written(tmp_path, monkeypatch):
    def wrong(file, tensor):
        return np.ones(file.shape(tensor), np.int8)

    monkeypatch.setattr("converter.tflite.int4.read", wrong)
    with pytest.raises(VerificationError, match="with the engine"):
        convert(network("8/4/8"), tmp_path / "out.tflite", target="engine")
    assert list(tmp_path.iterdir()) == []


def test_report_and_metadata_say_who_reads_it(trained):
    for_lce, for_engine = trained
    found = dict(rows(for_engine))
    assert found["runs in"] == "this project's engine alone: LCE does not read its weights of 4 bits"
    assert found["beside LCE"].startswith(f"{for_engine.size / for_engine.cost.lce_bytes:.2f} times the bytes of LCE's")
    assert found["trained weights"].startswith("2 layers of 4 bits in int4, 2 layers of 8 bits in int8, exactly")
    assert "runs in" not in dict(rows(for_lce))
    assert "The engine ran the file" in render_html(for_engine)
    report = for_engine.to_dict()
    assert (report["target"], report["has_int4"]) == ("engine", True)
    description = Flatbuffer(for_engine.content).metadata(BUFFER)
    assert b"alone: it has weights of 4 bits, which LCE does not read" in description
    assert read_metadata(for_engine.content).labels == list("abcde")


def test_weights_that_were_not_trained_so_are_quantized(floats):
    model, float_result = floats
    result = convert(model, target="engine", weights={"se": "int4"}, verify_data=IMAGES)
    found = result.quantization
    assert (found.bytes_before["se"], found.bytes_after["se"], found.bytes_after["head"]) == (256, 32, 160)
    assert constants(result.content)["INT4"] == 32
    assert 0 < found.drift < 0.2
    assert found.samples == 4
    expected = Interpreter(float_result.content).predict(IMAGES)
    answers = Interpreter(result.content).predict(IMAGES)
    assert np.abs(answers - expected).max() == pytest.approx(found.max_difference, rel=1e-3)
    assert dict(rows(result))["quantization"].startswith("se in int4: 32 B instead of 256 B; on 4 inputs")
    assert "4 for those in int4, 32 for others" in dict(rows(result))["size"]


def test_without_weights_of_4_bits_lce_reads_it_too(floats):
    model, float_result = floats
    result = convert(model, target="engine")
    assert dict(rows(result))["runs in"] == "this project's engine, and in LCE: it has no weights of 4 bits"
    assert result.content == float_result.content


def test_predictions_run_in_the_engine_or_not_at_all(trained, monkeypatch):
    content = trained[1].content
    assert from_tflite(content).note == ""
    with pytest.raises(PredictionError, match=r"LCE cannot read its weights of 4 bits, .*; leave out --runner lce"):
        from_tflite(content, runner="lce")

    def unavailable(content, threads):
        raise EngineUnavailable("not in the engine: no compiler")

    monkeypatch.setattr("converter.predict.classifier.open_engine", unavailable)
    with pytest.raises(PredictionError, match=r"^not in the engine: no compiler$"):
        from_tflite(content)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 2}, "--target engine: the engine takes one image at a time; leave out --batch"),
        ({"engines": {"the engine": Interpreter}}, "the file is verified in the engine alone"),
        ({"activations": "int8", "calibration_data": IMAGES}, "is for LCE's files, not for --target engine"),
    ],
)
def test_what_does_not_go_with_it(options, message):
    with pytest.raises(ConversionError, match=message):
        convert("no such file", target="engine", **options)


def test_an_engine_that_cannot_run_it_is_told(floats, monkeypatch):
    def unavailable(content, threads):
        raise EngineUnavailable("not in the engine: no compiler")

    monkeypatch.setattr("converter.runtimes.open_engine", unavailable)
    with pytest.raises(ConversionError, match=r"^--target engine: not in the engine: no compiler$"):
        convert(floats[0], target="engine")


def test_a_model_that_the_engine_lacks_an_operator_for_is_for_another_target():
    image = tf.keras.Input((8, 8, 32))
    model = tf.keras.Model(image, Layers.Lambda(lambda x: tf.cumsum(x, axis=1))(BinaryConv2D(8, 3)(image)))
    told = r"^--target engine: not in the engine: CUMSUM .*: the engine has no such operator; leave this option out$"
    with pytest.raises(ConversionError, match=told):
        convert(model, target="engine")


def test_the_command_writes_it(floats, tmp_path, capsys, refused_by):
    model, file = tmp_path / "model.h5", tmp_path / "out.tflite"
    floats[0].save(model)
    refused = refused_by(main)(model, "--target", "engine", "--profile", "--no-engine")
    assert "--no-engine: files of --target engine are timed in the engine alone; leave it out" in refused
    options = ["--target", "engine", "--weights", "32/4/32", "--json", str(tmp_path / "report.json")]
    assert main([str(model), "-o", str(file), "--report", str(tmp_path / "report.html"), *options]) == 0
    shown = capsys.readouterr().out
    assert "this project's engine alone" in shown
    assert "an image in the engine, 1 thread" in " ".join(shown.replace("│", " ").split())
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["quantization"]["weights"]["se"] == "int4"
    assert found["profile"]["runtime"] == "the engine"
    page = (tmp_path / "report.html").read_text()
    assert "Time along the network" in page
    assert "Timed in this project&rsquo;s engine, for which the file is" in page
    assert Flatbuffer(file.read_bytes()).has_int4
