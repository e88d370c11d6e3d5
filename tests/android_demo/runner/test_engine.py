"""The engine against LCE's interpreter, for every kernel that this CPU has."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import bnext_keras
from bnext_keras.errors import PredictionError
from bnext_keras.layers import BinaryConv2D

import numpy as np
import pytest
import tensorflow as tf
from engines import KERNELS, emulated_amx, engine_or_skip
from larq_compute_engine import convert_keras_model
from rewrites import randomize

from android_demo.runner import EngineError, Interpreter, UnsupportedOperator, compile_plan
from android_demo.runner.compiler.network import Network, Node, Value, vector
from android_demo.runner.compiler.rewrites import fuse_means, rewrite
from android_demo.runner.compiler.source import read
from android_demo.runner.plan import Type
from converter import convert
from converter.tflite.interpreter import Interpreter as LceInterpreter


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("network", ["bnext", "melius", "mixed"])
def test_answers_are_those_of_lce(request, network, kernels):
    sample = request.getfixturevalue(network)
    engine = engine_or_skip(sample.content, kernels=kernels)
    assert engine.kernels == kernels
    largest = np.abs(sample.expected).max()
    np.testing.assert_allclose(engine.run([sample.image])[0], sample.expected, atol=1e-4 * largest)


@pytest.mark.parametrize("network", ["bnext", "mixed"])
def test_answers_are_the_same_bits_for_any_number_of_threads(request, network):
    sample = request.getfixturevalue(network)
    alone = Interpreter(sample.content).run([sample.image])[0]
    for threads in (2, 3):
        engine = Interpreter(sample.content, num_threads=threads)
        for _ in range(3):
            np.testing.assert_array_equal(engine.run([sample.image])[0], alone)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kernels", KERNELS)
def test_denormal_numbers_are_zeros_as_they_are_in_lce(kernels, threads):
    image = tf.keras.Input((64, 64, 16))
    content = convert_keras_model(tf.keras.Model(image, image * image * 1e20))
    small = np.full((1, 64, 64, 16), 1e-20, np.float32)
    assert not LceInterpreter(content).run([small])[0].any()
    engine = engine_or_skip(content, kernels=kernels, num_threads=threads)
    assert not any(engine.run([small])[0].any() for _ in range(200))  # The second thread takes part in some.
    assert (small * small).all()  # In this thread they are what they were.


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((7, 7, 32), {"kernel_size": 3}),
        ((8, 5, 64), {"kernel_size": 3, "strides": 2}),
        ((6, 6, 96), {"kernel_size": 1}),
        ((31, 31, 40), {"kernel_size": 1}),
        ((5, 5, 32), {"kernel_size": 1, "strides": 2}),
        ((9, 9, 32), {"kernel_size": 3, "dilation_rate": 2}),
        ((9, 4, 40), {"kernel_size": 5, "pad_values": 1.0}),
        ((8, 8, 32), {"kernel_size": 3, "pad_values": 1.0, "strides": 2}),
        ((6, 7, 32), {"kernel_size": (3, 2), "padding": "valid"}),
        ((3, 3, 512), {"kernel_size": 3}),
        ((52, 52, 8), {"kernel_size": 50, "padding": "valid"}),
        ((1, 1, 64), {"kernel_size": 3}),
        ((7, 3, 33), {"kernel_size": 3}),
        ((5, 4, 1), {"kernel_size": (1, 2), "pad_values": 1.0}),
        ((5, 4, 480), {"kernel_size": 1}),
        ((3, 3, 2080), {"kernel_size": 1}),
    ],
)
def test_binary_convolutions_are_exact(shape, options, kernels):
    model = tf.keras.Sequential([tf.keras.Input(shape), BinaryConv2D(37, **options)])
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    engine = engine_or_skip(convert(model).content, kernels=kernels)
    np.testing.assert_allclose(engine.run([image])[0].reshape(-1), np.ravel(model(image)), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((13, 70, 32), {"kernel_size": 3}),
        ((19, 18, 64), {"kernel_size": 3, "strides": 2}),
        ((6, 7, 40), {"kernel_size": 3, "pad_values": 1.0}),
        ((9, 5, 64), {"kernel_size": 3, "strides": (2, 1), "pad_values": 1.0}),
        ((9, 9, 64), {"kernel_size": 3, "dilation_rate": 2}),
        ((1, 2, 64), {"kernel_size": 3, "dilation_rate": 3}),
        ((6, 7, 33), {"kernel_size": (3, 1), "padding": "valid"}),
        ((5, 6, 96), {"kernel_size": 2}),
        ((31, 17, 200), {"kernel_size": 1}),
        ((6, 6, 256), {"kernel_size": 1, "strides": 2}),
        ((3, 3, 576), {"kernel_size": 1}),
    ],
)
def test_binary_convolutions_of_few_channels_are_exact(shape, options, kernels):
    """Those that AVX-512 has a way of its own for, with a mean, in parts and with borders."""
    content, image, expected = with_a_mean(shape, tuple(options.items()))
    for threads in (1, 3):
        answers = engine_or_skip(content, kernels=kernels, num_threads=threads).run([image])
        for answer, one in zip(answers, expected, strict=True):
            np.testing.assert_allclose(answer.reshape(-1), one, rtol=1e-5, atol=1e-4)


@cache
def with_a_mean(shape, options):
    """A file, an image, and the model's own answers: the map and its mean."""
    inputs = tf.keras.Input(shape)
    x = BinaryConv2D(64, **dict(options))(inputs)
    x = tf.keras.layers.BatchNormalization()(x)
    x = tf.keras.layers.PReLU(shared_axes=(1, 2))(x)
    model = tf.keras.Model(inputs, [x, tf.keras.layers.GlobalAveragePooling2D()(x)])
    randomize(model)
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    return convert(model).content, image, [np.ravel(answer) for answer in model(image)]


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((7, 7, 128), {"kernel_size": 3}),
        ((14, 13, 256), {"kernel_size": 3, "strides": 2}),
        ((14, 15, 128), {"kernel_size": 3, "pad_values": 1.0}),
        ((31, 17, 128), {"kernel_size": 5, "strides": (2, 3), "pad_values": 1.0}),
        ((11, 6, 128), {"kernel_size": (3, 2), "padding": "valid"}),
        ((9, 9, 192), {"kernel_size": 3, "dilation_rate": 2}),
        ((9, 40, 512), {"kernel_size": 1}),
        ((2, 1, 1024), {"kernel_size": 3}),
        ((5, 14, 128), {"kernel_size": 3}),
        ((6, 33, 128), {"kernel_size": 3, "strides": 2, "pad_values": 1.0}),
    ],
)
def test_binary_convolutions_of_many_channels_are_exact(shape, options, kernels):
    """Those that AMX takes, for any number of threads, with weights of more than one part of filters."""
    model = tf.keras.Sequential([tf.keras.Input(shape), BinaryConv2D(160, **options)])
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    content = convert(model).content
    for threads in (1, 3):
        engine = engine_or_skip(content, kernels=kernels, num_threads=threads)
        np.testing.assert_allclose(engine.run([image])[0].reshape(-1), np.ravel(model(image)), rtol=1e-6, atol=1e-4)


@pytest.mark.skipif("amx-only" not in KERNELS, reason="there is no AMX on this system")
def test_with_amx_answers_are_the_same_bits_while_avx512_is_tried(wide):
    """Sums of means, too, whose parts are others for each."""
    engine_or_skip(wide.content, kernels="amx-only")
    expected = Interpreter(wide.content, kernels="avx512").run([wide.image])[0]
    with emulated_amx():
        engine = Interpreter(wide.content)
    assert engine.kernels == "amx"
    for _ in range(6):  # Two with AMX, two with AVX-512, and what is faster.
        np.testing.assert_array_equal(engine.run([wide.image])[0], expected)


def test_minus_zero_counts_as_plus_one():
    model = tf.keras.Sequential([tf.keras.Input((4, 4, 32)), BinaryConv2D(32, 3)])
    zeros = np.zeros((1, 4, 4, 32), np.float32)
    engine = Interpreter(convert(model).content)
    np.testing.assert_array_equal(engine.run([-zeros])[0], engine.run([zeros])[0])


@pytest.mark.parametrize("signs", [-1, 1])
def test_sums_of_the_largest_counts_do_not_overflow(signs):
    """All signs differ, or none: where narrow counters would run over."""
    model = tf.keras.Sequential([tf.keras.Input((2, 2, 1024)), BinaryConv2D(32, 3)])
    model.layers[0].kernel.assign(tf.ones_like(model.layers[0].kernel))
    image = np.full((1, 2, 2, 1024), signs, np.float32)
    answer = Interpreter(convert(model).content).run([image])[0]
    np.testing.assert_array_equal(answer, np.full((1, 2, 2, 32), signs * 4096.0))


def test_a_batch_is_predicted_image_by_image(mixed):
    engine = Interpreter(mixed.content)
    assert (engine.input_shapes, engine.output_shapes) == ([(1, 17, 15, 3)], [(1, 7)])
    answers = engine.predict(np.concatenate([mixed.image, -mixed.image]))
    assert answers.shape == (2, 7)
    np.testing.assert_array_equal(answers[:1], engine.run([mixed.image])[0])


def test_a_profile_names_every_step(bnext):
    steps = Interpreter(bnext.content).profile([bnext.image], runs=1)
    assert {step.kind for step in steps} == {"BinaryConv", "Map", "Conv", "Dense"}
    assert sum(step.kind == "BinaryConv" for step in steps) == sum(
        node.op == "BinaryConv" for node in read(bnext.content).nodes
    )


def test_maps_of_bnext_stay_whole(bnext):
    """Behind a concatenation of two maps, nothing is split into slices of channels."""
    network = read(bnext.content)
    rewrite(network)
    assert [node.op for node in network.nodes if node.op == "View" and node.output.pixels > 1] == []


def test_means_are_sums_of_whole_numbers(bnext):
    network = read(bnext.content)
    rewrite(network)
    means = [node for node in network.nodes if node.op == "Mean"]
    assert len(means) == sum(node.op == "BinaryConv" for node in network.nodes)
    assert {node.inputs[1].type for node in means} == {Type.INT16}


def test_a_mean_of_sums_is_that_of_the_function():
    """Slopes on either side, a scale of 0, points between, at and beyond the dot products."""
    x = Value(3, 5, 7, Type.INT16)
    conv = Node("BinaryConv", [Value(3, 5, 4, Type.SIGNS)], x, {"window": (1, 1, 1, 1, 1, 1, 0, 0)})
    scale = np.array([1.5, -1.5, 0.0, 0.0, 0.1, -0.1, 1.0])
    shift = np.array([0.7, 1.3, 2.0, -2.0, 9.0, 9.0, 2.0])
    slope = np.array([0.25, 1.75, 0.5, 0.5, 0.25, 0.25, -0.5])
    normalized, mean = Value(3, 5, 7), Value(1, 1, 7)
    nodes = [
        conv,
        Node("AffinePrelu", [x, vector(scale), vector(shift), vector(slope)], normalized),
        Node("Sum", [normalized, vector(np.full(7, 1 / 15))], mean),
    ]
    network = Network(nodes, conv.inputs, [mean])
    fuse_means(network)
    (fused,) = [node for node in network.nodes if node.op == "Mean"]
    corners, factors = (value.data.reshape(-1, 7) for value in fused.inputs[1:])
    values = np.random.default_rng(0).choice([-4, -2, 0, 2, 4], (15, 7))
    sums = [np.ones(7), values.sum(0), np.maximum(values, corners).sum(0), np.maximum(values, corners + 2).sum(0)]
    result = scale * values + shift
    expected = np.where(result < 0, slope * result, result).mean(0)
    np.testing.assert_allclose(sum(np.multiply(factors, sums)), expected, rtol=1e-5, atol=1e-6)


def test_slopes_above_one_are_slopes():
    """The larger one of x and slope x is PReLU for slopes up to 1 alone."""
    model = randomize(bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10), seed=3)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.PReLU):
            layer.set_weights([np.full_like(weight, 1.5) for weight in layer.get_weights()])
    content = convert(model).content
    image = np.random.default_rng(2).normal(size=(1, 32, 32, 3)).astype(np.float32)
    expected = LceInterpreter(content).run([image])[0]
    np.testing.assert_allclose(Interpreter(content).run([image])[0], expected, atol=1e-4 * np.abs(expected).max())


def test_concatenations_of_meliusnet_cost_nothing(melius):
    kinds = {step.kind for step in Interpreter(melius.content).profile([melius.image], runs=1)}
    assert "Copy" not in kinds


def test_an_operator_that_the_engine_lacks_is_named():
    image = tf.keras.Input((8, 8, 32))
    x = tf.keras.layers.Lambda(lambda value: tf.cumsum(value, axis=1))(BinaryConv2D(32, 3)(image))
    content = convert(tf.keras.Model(image, x)).content
    with pytest.raises(UnsupportedOperator, match=r"CUMSUM .*: the engine has no such operator; run the file with LCE"):
        compile_plan(content)


def test_an_image_of_another_shape_is_refused(mixed):
    with pytest.raises(EngineError, match=r"input 0 is of shape \(1, 2\), not \(1, 17, 15, 3\)"):
        Interpreter(mixed.content).run([np.zeros((1, 2), np.float32)])


def test_int8_weights_stay_int8():
    pytest.importorskip("ai_edge_quantizer")
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
    content = convert(model, weights="int8").content
    image = np.random.default_rng(2).normal(size=(1, 32, 32, 3)).astype(np.float32)
    expected = LceInterpreter(content).run([image])[0]
    np.testing.assert_allclose(Interpreter(content).run([image])[0], expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("shape", [(1, 3, 48, 48), (1, 48 * 48 * 3), (48, 48, 3), (1, 48, 24, 6)])
def test_inputs_of_another_shape_are_refused_though_they_have_as_many_bytes(bnext, shape):
    with pytest.raises(EngineError, match=r"input 0 is of shape \(.*\), not \(1, 48, 48, 3\)"):
        Interpreter(bnext.content).run([np.zeros(shape, np.float32)])


@pytest.mark.parametrize(
    "run", [lambda content: Interpreter(content).predict, lambda content: LceInterpreter(content).run_each]
)
def test_what_is_no_batch_is_refused_in_words(bnext, run):
    image, predict = np.zeros((48, 48, 3), np.float32), run(bnext.content)
    for given, message in (
        (image, r"takes a batch \(samples, 48, 48, 3\), not an array of shape \(48, 48, 3\); give one .*newaxis\]"),
        (np.zeros((1, 3, 48, 48)), r"takes a batch \(samples, 48, 48, 3\), not an array of shape \(1, 3, 48, 48\)$"),
        ({"image": image[np.newaxis]}, "takes a batch of images, not a dict"),
        ([[[1.0], [2.0, 3.0]]], r"takes an array \(samples, 48, 48, 3\), not lists of several lengths"),
        ("photo.jpg", r"takes numbers \(samples, 48, 48, 3\), not <U9"),
        ([image[np.newaxis], image[np.newaxis]], r"not an array of shape \(2, 1, 48, 48, 3\)"),
    ):
        with pytest.raises(PredictionError, match=message):
            predict(given)


@pytest.mark.parametrize(
    "run", [lambda content: Interpreter(content).predict, lambda content: LceInterpreter(content).run_each]
)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_in_float32_are_refused(bnext, run, value):
    images = np.zeros((3, 48, 48, 3))
    images[1, 2, 3, 0] = value
    with pytest.raises(PredictionError, match=r"takes finite numbers \(samples, 48, 48, 3\); sample 1 has others"):
        run(bnext.content)(images)


def test_lists_are_batches_as_they_are_to_numpy(bnext):
    images = np.random.default_rng(0).normal(size=(2, 48, 48, 3))
    engine, lce = Interpreter(bnext.content), LceInterpreter(bnext.content)
    expected = engine.predict(images.astype(np.float32))
    for given in (images, list(images), images.tolist(), [images], tf.constant(images)):
        np.testing.assert_array_equal(engine.predict(given), expected)
        np.testing.assert_allclose(lce.run_each(given)[0], expected, atol=1e-4 * np.abs(expected).max())


def test_a_file_of_pixels_takes_pixels():
    image = tf.keras.Input((2, 2, 3), dtype="uint8")
    content = convert_keras_model(tf.keras.Model(image, tf.cast(image, tf.float32) + 1))
    engine = Interpreter(content)
    for pixels in (np.full((1, 2, 2, 3), 256), np.full((1, 2, 2, 3), -1.0), np.full((1, 2, 2, 3), np.nan)):
        with pytest.raises(PredictionError, match="takes pixels from 0 to 255, not numbers from"):
            engine.predict(pixels)
    assert np.unique(engine.predict(np.full((1, 2, 2, 3), 254.7))) == [256.0]


def test_no_samples_are_no_answers(bnext):
    assert Interpreter(bnext.content).predict(np.zeros((0, 48, 48, 3), np.float32)).shape == (0, 10)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_python_share_an_interpreter(bnext, threads):
    engine = Interpreter(bnext.content, num_threads=threads)
    images = [bnext.image, -bnext.image, 2 * bnext.image]
    expected = [engine.predict(image) for image in images]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(engine.predict, images * 50))
    for number, answer in enumerate(found):
        np.testing.assert_array_equal(answer, expected[number % 3])


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_interpreter_is_not_copied(bnext, make):
    with pytest.raises(TypeError, match="can be neither copied nor pickled"):
        make(Interpreter(bnext.content))


@pytest.mark.parametrize("threads", [0, -1, 1024, 2.0, "2", None, True])
def test_a_number_of_threads_that_makes_no_sense_is_refused(bnext, threads):
    with pytest.raises(ValueError, match=r"num_threads must be a whole number from 1 to 1023, got"):
        Interpreter(bnext.content, num_threads=threads)
