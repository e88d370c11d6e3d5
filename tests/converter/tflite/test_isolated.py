"""LCE's interpreter in a process of its own: the same answers, and no file that takes its caller along."""

import os
import signal

from bnext_keras.errors import PredictionError

import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.mlir.python.converter import convert_keras_model

from converter.predict.classifier import from_tflite
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter
from converter.tflite.isolated import InterpreterError, IsolatedInterpreter

IMAGES = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def content():
    image = tf.keras.Input((8, 8, 3))
    x = tf.keras.layers.Conv2D(4, 3)(image)
    return convert_keras_model(tf.keras.Model(image, tf.keras.layers.GlobalAveragePooling2D()(x)))


@pytest.fixture
def crashing(content):
    """A file whose operators write to a tensor that is not there."""
    flatbuffer = Flatbuffer(content)
    for operator in flatbuffer.model.subgraphs[0].operators:
        operator.outputs = [2**31 - 1]
    return flatbuffer.pack()


@pytest.fixture
def isolated(content):
    interpreter = IsolatedInterpreter(content, kernels="indirect")
    yield interpreter
    interpreter.close()


def test_it_answers_as_the_interpreter_here(content, isolated):
    here = Interpreter(content, kernels="indirect")
    for name in ("input_shapes", "input_types", "output_shapes", "output_types"):
        assert getattr(isolated, name) == getattr(here, name)
    np.testing.assert_array_equal(isolated.run_each(IMAGES)[0], here.run_each(IMAGES)[0])
    np.testing.assert_array_equal(isolated.run([IMAGES[1:]])[0], here.run([IMAGES[1:]])[0])


def test_a_file_that_crashes_it_is_an_error(crashing):
    with pytest.raises(InterpreterError, match=r"LCE's interpreter (ended with SIG[A-Z]+ on this file|cannot load it)"):
        IsolatedInterpreter(crashing)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT"])
def test_so_is_a_crash_later_on(isolated, name):
    os.kill(isolated._process.pid, getattr(signal, name))
    with pytest.raises(InterpreterError, match=f"LCE's interpreter ended with {name} on this file"):
        isolated.run([IMAGES[:1]])


def test_what_it_refuses_to_run_is_an_error_and_the_next_is_answered(isolated):
    with pytest.raises(InterpreterError, match=r"LCE's interpreter cannot run it \(\w+Error: "):
        isolated.run([IMAGES[:1], IMAGES[:1]])
    assert isolated.run([IMAGES[:1]])[0].shape == (1, 4)


def test_its_process_ends_with_it(content):
    interpreter = IsolatedInterpreter(content)
    process = interpreter._process
    assert process.poll() is None
    del interpreter
    assert process.poll() == -signal.SIGKILL


def test_a_classifier_tells_it_in_one_line(content, isolated, monkeypatch):
    monkeypatch.setattr("converter.predict.classifier.IsolatedInterpreter", lambda *arguments, **options: isolated)
    classifier = from_tflite(content, runner="lce")
    assert classifier.probabilities(IMAGES[0]).shape == (4,)
    os.kill(isolated._process.pid, signal.SIGSEGV)
    with pytest.raises(PredictionError, match=r"^LCE's interpreter ended with SIGSEGV on this file$"):
        classifier.probabilities(IMAGES[0])


@pytest.mark.parametrize("shape", [(0, 4), (1, 3), (4,)])
def test_answers_against_the_files_own_declaration_are_refused(content, isolated, monkeypatch, shape):
    monkeypatch.setattr("converter.predict.classifier.IsolatedInterpreter", lambda *arguments, **options: isolated)
    monkeypatch.setattr(isolated, "run", lambda inputs: [np.zeros(shape, np.float32)])
    with pytest.raises(PredictionError, match=r"^gives float32 of shape \(.*\), against its own declaration$"):
        from_tflite(content, runner="lce").probabilities(IMAGES[0])
