"""The profile's parts: operators cut out compute what they do in the network, and the sums are sums."""

from bnext_keras.layers import BinaryConv2D

import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine import convert_keras_model
from larq_compute_engine.tflite.python.interpreter import Interpreter

from converter.inspection.engine import profile_engine
from converter.inspection.profile import profile
from converter.inspection.times import LEAST_ROUNDS, processor_name
from converter.tflite.bits import unpack_signs
from converter.tflite.engine import EngineUnavailable
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import KERNELS


@pytest.fixture(scope="module")
def content():
    """A float convolution, four equal binary ones (their normalizations differ, which takes no time), and a dense."""
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((16, 16, 3))
    x = tf.keras.layers.Conv2D(32, 3, use_bias=False)(image)
    for _ in range(4):
        x = tf.keras.layers.BatchNormalization(beta_initializer="random_normal")(BinaryConv2D(32, 3)(x))
    x = tf.keras.layers.Dense(5)(tf.keras.layers.GlobalAveragePooling2D()(x))
    return convert_keras_model(tf.keras.Model(image, x))


@pytest.mark.parametrize("copies", [1, 3])
def test_an_operator_cut_out_computes_what_it_did(content, conv_model, copies):
    model = conv_model((8, 8, 40), filters=32, kernel_size=3, padding="same")
    whole = convert_keras_model(model)
    flatbuffer = Flatbuffer(whole)
    quantize, conv = (flatbuffer.cut_out(operation, copies) for operation in flatbuffer.operations)
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 40)).astype(np.float32)
    signs = Interpreter(quantize).predict(image)
    np.testing.assert_array_equal(unpack_signs(signs, 40), np.where(image < 0, -1, 1))
    np.testing.assert_array_equal(Interpreter(conv).predict(signs), Interpreter(whole).predict(image))


def test_every_operator_gets_the_time_of_its_like(content):
    steps = []
    profiled = profile(content, budget=0, progress=steps.append)
    flatbuffer = Flatbuffer(content)
    operators = flatbuffer.operations
    names = [Interpreter(flatbuffer.cut_out(operator, 1)).output_shapes for operator in operators]
    assert len(profiled.milliseconds) == len(operators) == len(names)
    assert None not in profiled.milliseconds
    # CONV_2D, LceQuantize, LceBconv2d, MEAN, FULLY_CONNECTED: what differs in constants alone is measured once.
    assert (len(operators), profiled.distinct) == (11, 5)
    convs = [time for time, shape in zip(profiled.milliseconds, names, strict=True) if shape == [(1, 14, 14, 32)]]
    assert len(convs) == 5
    assert len(set(convs[1:])) == 1
    assert convs[0] != convs[1]
    assert profiled.rounds == LEAST_ROUNDS
    assert len(steps) == 1 + LEAST_ROUNDS


def test_the_rest_is_the_network_less_the_sum(content):
    profiled = profile(content, budget=0)
    assert profiled.network.keys() == KERNELS.keys()
    assert profiled.total == profiled.network[profiled.kernels] >= profiled.fastest > 0
    assert profiled.explained == pytest.approx(sum(profiled.milliseconds))
    assert profiled.explained + profiled.unexplained == pytest.approx(profiled.total)
    assert all(time >= 0 for time in profiled.milliseconds)
    assert profiled.to_dict()["unexplained"] == profiled.unexplained
    assert profiled.to_dict()["processor"] == processor_name() != ""


def test_an_operator_that_does_not_run_alone_has_no_time():
    """LCE's Python interpreter takes no inputs of booleans."""
    image = tf.keras.Input((8, 8, 32))
    content = convert_keras_model(tf.keras.Model(image, tf.where(image > 0, image, 0.5 * image)))
    profiled = profile(content, budget=0)
    greater, product, selection = profiled.milliseconds
    assert selection is None
    assert profiled.explained == pytest.approx(greater + product)
    assert profiled.engine.network is None
    assert profiled.engine.note.startswith("not in the engine: GREATER ")


def test_the_engine_is_timed_beside_lce_unless_it_is_left_out(content):
    engine = profile(content, budget=0).engine
    assert engine.note == ""
    assert engine.kernels
    assert engine.network > 0
    assert {"binary convolution", "float convolution", "dense"} <= engine.kinds.keys()
    assert list(engine.kinds.values()) == sorted(engine.kinds.values(), reverse=True)
    assert profile(content, budget=0, engine=False).engine is None


def test_the_engines_steps_are_times_of_the_operators_whose_results_they_write(content):
    steps = []
    profiled = profile_engine(content, budget=0, progress=steps.append)
    types = [operation.type for operation in Flatbuffer(content).operations]
    # CONV_2D, then LceQuantize and LceBconv2d four times, MEAN, FULLY_CONNECTED.
    timed = [type for type, time in zip(types, profiled.milliseconds, strict=True) if time is not None]
    assert timed.count("LceBconv2d") == 4
    assert {"CONV_2D", "FULLY_CONNECTED"} <= {*timed}
    assert len(timed) == profiled.distinct < len(types)
    assert profiled.explained == pytest.approx(sum(profiled.engine.kinds.values()))
    assert profiled.total == profiled.network[profiled.kernels] == profiled.engine.network >= profiled.fastest > 0
    assert {"binary convolution", "float convolution", "dense"} <= profiled.engine.kinds.keys()
    assert profiled.rounds == len(steps) == LEAST_ROUNDS
    assert (profiled.runtime, profiled.to_dict()["runtime"]) == ("the engine", "the engine")


def test_a_file_that_the_engine_does_not_run_has_no_profile_of_it():
    image = tf.keras.Input((8, 8, 32))
    with pytest.raises(EngineUnavailable, match=r"^not in the engine: GREATER "):
        profile_engine(convert_keras_model(tf.keras.Model(image, tf.where(image > 0, image, 0.5 * image))))
