"""Models of several inputs and outputs: converted, verified output by output, named, quantized, profiled and run."""

import json

import bnext_keras
from bnext_keras.layers import BinaryConv2D

import numpy as np
import pytest
import tensorflow as tf
from html_page import Page
from rewrites import randomize

from android_demo.runner import Interpreter as Engine
from converter import ConversionError, VerificationError, convert
from converter.cli.convert import main
from converter.compiler import lce
from converter.compiler.emit import run
from converter.compiler.freeze import freeze
from converter.compiler.trace import trace
from converter.inspection.profile import profile
from converter.passes import simplify
from converter.report.html import render_html
from converter.report.rows import rows
from converter.source.interface import input_names, output_names
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter
from converter.tflite.metadata import read_metadata
from converter.verification.verify import verify

Layers = tf.keras.layers
RNG = np.random.default_rng(0)


def pyramid():
    """A map of every stage of a narrow BNext."""
    network = bnext_keras.models.BNext([32, 32, 64, 64], input_shape=(32, 32, 3), stem_stride=2, include_top=False)
    return randomize(bnext_keras.features(network, strides=(2, 4)))


def detector():
    """Scores of five classes and numbers of another size, from one map."""
    image = tf.keras.Input((8, 8, 3))
    x = BinaryConv2D(32, 3, name="conv")(Layers.Conv2D(32, 3, padding="same")(image))
    pooled = Layers.GlobalAveragePooling2D()(x)
    return tf.keras.Model(image, {"scores": Layers.Dense(5, name="head")(pooled), "boxes": 1e-3 * x}, name="detector")


def with_numbers():
    """An image and four numbers."""
    image, numbers = tf.keras.Input((8, 8, 3), name="photo"), tf.keras.Input((4,), name="numbers")
    x = Layers.GlobalAveragePooling2D()(BinaryConv2D(32, 3, name="conv")(Layers.Conv2D(32, 3)(image)))
    return tf.keras.Model([image, numbers], Layers.Dense(3)(Layers.Concatenate()([x, Layers.Dense(8)(numbers)])))


def samples(model, count=3):
    return [RNG.standard_normal((count, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]


def assert_runs(model, result):
    """Both engines give every output as Keras does, in its shape and order."""
    inputs = samples(model)
    expected = tf.nest.flatten(model(inputs if len(inputs) > 1 else inputs[0]))
    for interpreter in (Interpreter(result.content), Engine(result.content)):
        found = interpreter.run_each(inputs)
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.fixture(scope="module")
def converted():
    """A pyramid, and what became of it."""
    model = pyramid()
    return model, convert(model, engines={"the engine": Engine})


def test_a_pyramid_is_converted_and_its_names_are_in_the_file(converted):
    model, result = converted
    assert [output.name for output in result.verification.outputs] == ["P1", "P2"]
    assert [output.shape for output in result.verification.outputs] == [(1, 16, 16, 32), (1, 8, 8, 64)]
    flatbuffer = Flatbuffer(result.content)
    assert [flatbuffer.names[tensor] for tensor in flatbuffer.outputs] == ["P1", "P2"]
    assert read_metadata(result.content).outputs == ("P1", "P2")
    assert Engine(result.content).output_names == ["P1", "P2"]
    assert len(set(flatbuffer.names)) == len(flatbuffer.names)
    assert_runs(model, result)


def test_rewrites_of_a_pyramid_are_exact_at_every_output(converted):
    """Offsets are carried along the stream past a map that somebody wants as it is."""
    graph = trace(converted[0])
    images = RNG.standard_normal((2, 32, 32, 3))
    expected = run(graph, images)
    simplify(graph)
    for found, wanted in zip(run(graph, images), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max())


def test_each_output_is_judged_by_its_own_size_and_agreement_is_that_of_classes():
    model = detector()
    checked = convert(model).verification
    boxes, scores = checked.outputs
    assert (boxes.name, boxes.top1_agreement, boxes.largest_output < 1) == ("boxes", None, True)
    assert (scores.name, scores.top1_agreement) == ("scores", 1.0)
    assert checked.largest_output == max(boxes.largest_output, scores.largest_output)


def test_a_fault_in_a_small_output_is_not_hidden_by_a_large_one():
    """The large output's tolerance is a hundred times the small one's largest value."""
    image = tf.keras.Input((8, 8, 3))
    x = BinaryConv2D(32, 3, name="conv")(image)
    small = Layers.Rescaling(1e-6, name="small")(x)
    model = tf.keras.Model(image, {"large": 1e3 * x, "small": small})
    frozen = freeze(trace(model))
    flatbuffer, inputs = lce.to_flatbuffer(frozen), samples(model)
    assert verify(model, flatbuffer, frozen.conv_names, inputs).errors == []
    model.get_layer("small").scale = 1.01e-6
    (error,) = verify(model, flatbuffer, frozen.conv_names, inputs).errors
    assert error.startswith("with LCE's default kernels the output 'small' differs by ")


def test_an_image_and_numbers():
    model = with_numbers()
    inputs = samples(model)
    result = convert(model, verify_data={"numbers": inputs[1], "photo": inputs[0]}, engines={"the engine": Engine})
    assert result.inputs == {"photo": (1, 8, 8, 3), "numbers": (1, 4)}
    assert (result.users_inputs, result.verification.samples) == (3, 11)
    assert read_metadata(result.content).inputs == ("photo", "numbers")
    assert Engine(result.content).input_names == ["photo", "numbers"]
    assert convert(model, verify_data=inputs).content == result.content
    assert_runs(model, result)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([np.zeros((2, 8, 8, 3))], "must be one array for each of the inputs photo, numbers"),
        ({"photo": np.zeros((2, 8, 8, 3))}, "must be one array for each of the inputs photo, numbers"),
        ([np.zeros((2, 8, 8, 3)), np.zeros((2, 5))], r"of shape \(2, 5\) does not fit the input 'numbers' \(None, 4\)"),
        ([np.zeros((2, 8, 8, 3)), np.zeros((3, 4))], "as many samples for each input, not photo 2, numbers 3"),
    ],
)
def test_verification_data_that_do_not_fit_several_inputs_are_refused(data, message):
    with pytest.raises(ConversionError, match=message):
        convert(with_numbers(), verify_data=data)


def test_the_command_reads_arrays_by_name_and_tells_of_every_output(tmp_path, capsys):
    image, numbers = tf.keras.Input((8, 8, 3), name="photo"), tf.keras.Input((4,), name="numbers")
    x = Layers.GlobalAveragePooling2D()(BinaryConv2D(32, 3, name="conv")(image))
    model = tf.keras.Model(
        [image, numbers], [Layers.Dense(3, name="first")(x), Layers.Dense(2, name="second")(numbers)]
    )
    model.save(tmp_path / "model.h5")
    np.savez(tmp_path / "data.npz", photo=np.zeros((2, 8, 8, 3), np.float32), numbers=np.ones((2, 4), np.float32))
    command = [str(tmp_path / "model.h5"), "--verify-data", str(tmp_path / "data.npz")]
    assert main([*command, "--json", str(tmp_path / "report.json")]) == 0
    printed = capsys.readouterr().out
    assert "output second" in printed
    assert "1 x 8 x 8 x 3, 1 x 4" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["inputs"] == [{"name": "photo", "shape": [1, 8, 8, 3]}, {"name": "numbers", "shape": [1, 4]}]
    assert [output["name"] for output in report["verification"]["outputs"]] == ["first", "second"]
    np.save(tmp_path / "data.npy", np.zeros((2, 4)))
    assert main([*command[:2], str(tmp_path / "data.npy")]) == 2
    assert "the model has the inputs photo, numbers, for which it takes an .npz file" in capsys.readouterr().err
    np.savez(tmp_path / "data.npz", photo=np.zeros((2, 8, 8, 3)))
    assert main(command) == 2
    assert "data.npz: has no array 'numbers" in capsys.readouterr().err


def test_an_output_twice_an_input_as_an_output_and_one_that_a_binary_convolution_writes():
    image = tf.keras.Input((8, 8, 32))
    conv = BinaryConv2D(32, 3, name="conv")(image)
    deeper = BinaryConv2D(32, 3, name="deeper")(conv)
    model = tf.keras.Model(image, {"a": conv, "b": image, "c": deeper, "d": conv})
    result = convert(model, engines={"the engine": Engine})
    assert sorted(result.binary_convs) == ["conv", "deeper"]
    assert result.operators["LceBconv2d"] == 2
    assert [output.name for output in result.verification.outputs] == ["a", "b", "c", "d"]
    assert {operator.layer for operator in result.inspection.operators if operator.type == "LceBconv2d"} == {
        "conv",
        "deeper",
    }
    assert_runs(model, result)


def test_equal_convolutions_that_write_outputs_stay_apart():
    """They differ in nothing but their kernels, and LCE names both results after the outputs."""
    image = tf.keras.Input((8, 8, 32))
    model = tf.keras.Model(image, [BinaryConv2D(32, 3, name=f"conv{i}")(image) for i in range(3)])
    result = convert(model)
    assert result.operators["LceBconv2d"] == 3
    assert_runs(model, result)


def test_names_are_keys_or_keras_own_and_differ():
    image = tf.keras.Input((4,), name="pixels")
    x, y = Layers.Dense(2, name="x")(image), Layers.Dense(2, name="y")(image)
    assert input_names(tf.keras.Model(image, x)) == ["image"]
    assert output_names(tf.keras.Model(image, [x])) == ["Identity"]
    assert output_names(tf.keras.Model(image, [x, y])) == ["x", "y"]
    assert output_names(tf.keras.Model(image, {"a/b": x, "a": {"b": y}})) == ["a/b", "a/b_2"]
    assert input_names(tf.keras.Model({"first": image}, x)) == ["first"]


def test_labels_are_those_of_the_output_that_has_so_many_classes():
    model, labels = detector(), list("abcde")
    assert read_metadata(convert(model, labels=labels).content).labels == labels
    with pytest.raises(
        ConversionError, match=r"2 labels, but model 'detector' has outputs of shape \(None, 8, 8, 32\)"
    ):
        convert(model, labels=["a", "b"])


def test_whole_numbers_are_rows_of_tables():
    rows_, image = tf.keras.Input((2,), dtype=tf.int32, name="rows"), tf.keras.Input((8, 8, 3), name="photo")
    x = Layers.GlobalAveragePooling2D()(BinaryConv2D(32, 3, name="conv")(image))
    vectors = Layers.Flatten()(Layers.Embedding(7, 4)(rows_))
    model = tf.keras.Model([image, rows_], Layers.Dense(2)(Layers.Concatenate()([x, vectors])))
    result = convert(model)
    assert result.verification.passed
    inputs = [np.zeros((1, 8, 8, 3), np.float32), np.int32([[6, 1]])]
    np.testing.assert_allclose(Interpreter(result.content).run(inputs)[0], model(inputs), atol=1e-5)
    assert len(profile(result.content, budget=0.05, engine=True).milliseconds) == result.operators.total()
    with pytest.raises(ConversionError, match="not for the engine: its input is INT32"):
        Engine(result.content)
    text = tf.keras.Input((2,), dtype=tf.bool)
    with pytest.raises(ConversionError, match="its input 'image' is bool; inputs must be float32 or int32 or int64"):
        convert(tf.keras.Model(text, tf.cast(text, tf.float32)))


@pytest.mark.exhaustive
def test_quantized_weights_are_judged_at_every_output():
    quantized = convert(detector(), weights="int8").quantization
    assert quantized.samples == 8
    assert 0 < quantized.drift < 0.5
    assert quantized.errors == []


def test_reports_tell_of_every_output_and_promise_no_agreement_where_there_are_no_classes(converted):
    _, result = converted
    told = dict(rows(result))
    assert told["top-1 agreement"] == "no output is of classes"
    assert told["output P2"].startswith("1 x 8 x 8 x 64: within ")
    page = Page(render_html(result)).text
    assert "no output is of classes" in page
    assert "Output 'P1', 1 x 16 x 16 x 32: within" in page
    assert len(profile(result.content, budget=0.05).milliseconds) == len(result.inspection.operators)


def test_a_wrong_output_is_refused_by_name():
    class Drifting(Engine):
        def run(self, inputs):
            boxes, scores, *signs = super().run(inputs)
            return [boxes, scores + 0.1 * np.abs(scores).max(), *signs]

    with pytest.raises(VerificationError, match="with drifting the output 'scores' differs by"):
        convert(detector(), engines={"drifting": Drifting})
