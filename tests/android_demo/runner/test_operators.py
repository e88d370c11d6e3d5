"""Operators as others write them: files of LCE's own converter, and what the engine refuses."""

from functools import partial

import bnext_keras
from bnext_keras.errors import VerificationError

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from engines import KERNELS, engine_or_skip, opened
from larq_compute_engine import convert_keras_model
from rewrites import randomize
from tflite_graphs import Graph

from android_demo.runner import Interpreter, UnsupportedOperator, compile_plan
from android_demo.runner.compiler import rewrites
from android_demo.runner.compiler.network import Network, Node, Value, vector
from android_demo.runner.compiler.schedule import schedule
from android_demo.runner.plan import Type
from converter import convert
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import lite_interpreter

Layers = tf.keras.layers
ENGINE = {"the engine": partial(Interpreter, num_threads=2)}


def binary(filters, kernel_size=3, **options):
    options = {"padding": "same", "pad_values": 1.0, "use_bias": False, **options}
    quantizers = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}
    return lq.layers.QuantConv2D(filters, kernel_size, **quantizers, **options)


def zoo_network():
    """What Larq Zoo's networks consist of, in one small one."""
    image = tf.keras.Input((24, 24, 3))
    x = Layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(image)
    x = Layers.DepthwiseConv2D(3, padding="same", use_bias=False)(Layers.ReLU()(Layers.BatchNormalization()(x)))
    for _ in range(2):  # QuickNet
        x = Layers.Add()([x, Layers.BatchNormalization()(binary(32, activation="relu")(x))])
    x = Layers.MaxPool2D(3, strides=1, padding="same")(x)
    x = Layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)  # its blur pool
    y = Layers.BatchNormalization()(binary(32, pad_values=0.0)(x))  # Bi-RealNet
    x = Layers.Concatenate()([x, Layers.PReLU(shared_axes=[1, 2])(y)])  # BinaryDenseNet
    gate = Layers.Dense(64, activation="sigmoid")(Layers.Dense(8, activation="relu")(Layers.GlobalAvgPool2D()(x)))
    x = binary(64, strides=2)(Layers.BatchNormalization()(x)) * Layers.Reshape((1, 1, 64))(gate)  # Real-to-Binary
    x = Layers.BatchNormalization()(binary(64, padding="valid")(x))  # BinaryAlexNet, signs from conv to conv
    x = Layers.BatchNormalization()(binary(64)(x))
    x = lq.layers.QuantDense(10, input_quantizer="ste_sign", kernel_quantizer="ste_sign")(Layers.Flatten()(x))
    return randomize(tf.keras.Model(image, Layers.Activation("softmax")(x)))


def blocks_of_the_zoo():
    """One block of each kind that maps compute without storing what is between, and one of each with pooling behind."""
    image = tf.keras.Input((32, 32, 3))
    x = Layers.Conv2D(64, 3, strides=2, padding="same", use_bias=False)(image)

    def normalized(x, **options):
        return Layers.BatchNormalization()(binary(64, pad_values=0.0, **options)(x))

    def smaller(x, y):  # The next block reads both the map and what is pooled of it.
        return Layers.Add()([Layers.AvgPool2D(2)(x), normalized(y, strides=2)])

    def react(x):
        return Layers.PReLU(shared_axes=[1, 2])(Layers.Add()([x, normalized(bnext_keras.layers.LearnableBias()(x))]))

    def real_to_binary(x):
        gate = Layers.Dense(64, activation="sigmoid")(Layers.GlobalAvgPool2D()(x))
        y = Layers.Multiply()([normalized(x), Layers.Reshape((1, 1, 64))(gate)])
        return Layers.Add()([x, Layers.PReLU(shared_axes=[1, 2])(y)])

    for _ in range(2):  # Bi-Real Net
        x = Layers.Add()([x, normalized(x)])
    x = smaller(x, x)
    x = react(react(x))
    x = smaller(x, bnext_keras.layers.LearnableBias()(x))
    x = real_to_binary(real_to_binary(x))
    for _ in range(2):  # QuickNet
        x = Layers.Add()([x, Layers.BatchNormalization()(binary(64, activation="relu")(x))])
    x = Layers.ReLU()(x)
    for _ in range(3):  # BinaryDenseNet
        x = Layers.Concatenate()([x, binary(64, pad_values=0.0)(Layers.BatchNormalization()(x))])
    x = Layers.MaxPool2D(2)(x)
    return randomize(tf.keras.Model(image, Layers.Dense(10)(Layers.GlobalAvgPool2D()(x))))


@pytest.mark.parametrize("kernels", KERNELS)
def test_blocks_of_the_zoo_have_lces_signs_and_answers(kernels):
    model = blocks_of_the_zoo()
    engine_or_skip(convert(model).content, kernels=kernels)
    found = convert(model, engines={kernels: partial(opened, kernels=kernels)}).engines[kernels]
    assert found.passed
    assert found.max_difference_same_signs <= 1e-5 * found.largest_output


def test_the_sum_of_a_map_is_taken_before_its_signs():
    """In the order in which the kernels know them: both in one go over the map."""
    image, ones = Value(4, 4, 32), vector(np.ones(32))
    signs = Node("Pack", [image, ones], image.like(type=Type.SIGNS))
    total = Node("Sum", [image, ones], Value(1, 1, 32))
    (group,) = schedule(Network([signs, total], [image], [signs.output, total.output]))
    assert group.nodes == [total, signs]


@pytest.mark.parametrize("kernels", ["reference", None])
def test_a_file_of_lces_own_converter_runs(kernels):
    content = convert_keras_model(zoo_network())
    assert {"LceBconv2d", "LceDequantize"} <= set(Flatbuffer(content).operators)
    image = np.random.default_rng(0).normal(size=(1, 24, 24, 3)).astype(np.float32)
    expected = lite_interpreter(content, use_reference_bconv=True).predict([image])
    np.testing.assert_allclose(
        Interpreter(content, kernels=kernels).run([image])[0], np.squeeze(expected)[np.newaxis], atol=1e-5
    )


@pytest.mark.parametrize("widths", [(32, 64), (48, 96)])
def test_every_sign_of_the_engine_is_verified_as_lces_are(widths):
    """Also where those of 48 channels and of 48 others are one and a half words each."""
    model = randomize(bnext_keras.models.BNext(widths, input_shape=(32, 32, 3), num_classes=10))
    found = convert(model, engines=ENGINE).engines["the engine"]
    assert found.passed
    assert found.signs > 100_000
    assert found.max_difference_same_signs <= 1e-5 * found.largest_output


def test_a_threshold_that_is_wrong_is_found(monkeypatch):
    right = rewrites.vector

    def wrong(values, name=""):
        return right(np.asarray(values) + 0.05, name)

    monkeypatch.setattr(rewrites, "vector", wrong)
    model = randomize(bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10))
    with pytest.raises(VerificationError, match=r"layer '.*': with the engine \d+ of \d+ signs of its input differ"):
        convert(model, engines=ENGINE)


def test_to_look_at_signs_changes_no_answer(bnext):
    file = Flatbuffer(bnext.content)
    signs = [conv.input_tensor for conv in file.binary_convs]
    answer, *shown = Interpreter(file.pack(more_outputs=signs)).run([bnext.image])
    np.testing.assert_array_equal(answer, Interpreter(bnext.content).run([bnext.image])[0])
    expected = lite_interpreter(file.pack(more_outputs=signs)).predict([bnext.image])[1:]
    assert [words.shape for words in shown] == [words.shape for words in expected]
    np.testing.assert_array_equal(shown[0], expected[0])


def refusal(graph, *outputs):
    with pytest.raises(UnsupportedOperator) as caught:
        compile_plan(graph.content(*outputs))
    return str(caught.value).partition(";")[0]


def test_other_types_and_batches_are_refused():
    graph = Graph()
    bytes = graph.input((1, 4), "INT8")
    assert (
        refusal(graph, bytes) == "the file is not for the engine: its input is INT8, the engine takes float32 or uint8"
    )
    graph = Graph()
    several = graph.input((2, 3, 3, 4))
    reason = "its input is of shape (2, 3, 3, 4), not of one image"
    assert refusal(graph, several) == f"the file is not for the engine: {reason}"


def test_weights_that_quantize_their_input_are_refused():
    graph = Graph()
    x = graph.input((1, 8))
    weights = graph.constant(np.ones((4, 8), np.int8), scale=[0.5])
    y = graph.add("FULLY_CONNECTED", [x, weights], (1, 4))
    assert refusal(graph, y) == f"FULLY_CONNECTED t{y}: it quantizes its input as it runs"


@pytest.mark.parametrize("kernels", KERNELS)
def test_signs_of_a_vector_less_a_map_are_those_of_each_pixel(kernels):
    graph = Graph()
    x = graph.input((1, 2, 3, 4))
    difference = graph.add("SUB", [graph.constant(np.float32([0, 1, 2, 3])), x], (1, 2, 3, 4))
    signs = graph.add("LceQuantize", [difference], (1, 2, 3, 1), dtype="INT32")
    image = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4) % 5
    expected = ((np.float32([0, 1, 2, 3]) - image < 0) * np.int32([1, 2, 4, 8])).sum(-1)
    answer = engine_or_skip(compile_plan(graph.content(signs)), kernels=kernels).run([image])[0]
    np.testing.assert_array_equal(answer.reshape(2, 3), expected[0])


def test_what_is_moved_may_also_be_concatenated():
    graph = Graph()
    x = graph.input((1, 3, 3, 2))
    y = graph.add("MUL", [x, x], (1, 3, 3, 2))
    padded = graph.add("PAD", [y, graph.constant(np.int32([[0, 0], [0, 0], [0, 0], [1, 0]]))], (1, 3, 3, 3))
    joined = graph.add("CONCATENATION", [y, padded], (1, 3, 3, 5), axis=3)
    image = np.arange(18, dtype=np.float32).reshape(1, 3, 3, 2)
    expected = np.concatenate([image**2, np.pad(image**2, [(0, 0)] * 3 + [(1, 0)])], axis=3)
    np.testing.assert_array_equal(Interpreter(graph.content(joined)).run([image])[0], expected)


def test_some_channels_of_a_single_pixel_are_moved():
    graph = Graph()
    x = graph.input((1, 1, 1, 7))
    some = graph.add("SLICE", [x, *(graph.constant(np.int32(at)) for at in ([0, 0, 0, 3], [1, 1, 1, 4]))], (1, 1, 1, 4))
    blocks = graph.add("DEPTH_TO_SPACE", [some], (1, 2, 2, 1), blockSize=2)
    image = np.arange(7, dtype=np.float32).reshape(1, 1, 1, 7)
    answer = Interpreter(graph.content(blocks)).run([image])[0]
    np.testing.assert_array_equal(answer, np.float32([3, 4, 5, 6]).reshape(1, 2, 2, 1))


def test_a_part_of_a_concatenation_may_be_computed_from_another():
    graph = Graph()
    x = graph.input((1, 3, 2, 4))
    pool = {"filterHeight": 1, "filterWidth": 1, "strideH": 1, "strideW": 1}
    first = graph.add("MAX_POOL_2D", [x], (1, 3, 2, 4), **pool)
    second = graph.add("AVERAGE_POOL_2D", [first], (1, 3, 2, 4), **pool)
    joined = graph.add("CONCATENATION", [first, second], (1, 3, 2, 8), axis=3)
    image = np.arange(24, dtype=np.float32).reshape(1, 3, 2, 4)
    answer = Interpreter(graph.content(joined)).run([image])[0]
    np.testing.assert_array_equal(answer, np.concatenate([image, image], axis=3))


def test_pixels_are_repeated_and_not_spread():
    graph = Graph()
    x = graph.input((1, 2, 2, 1))
    size = graph.constant(np.int32([4, 6]))
    larger = graph.add("RESIZE_NEAREST_NEIGHBOR", [x, size], (1, 4, 6, 1), halfPixelCenters=True)
    image = np.float32([1, 2, 3, 4]).reshape(1, 2, 2, 1)
    expected = image.repeat(2, axis=1).repeat(3, axis=2)
    np.testing.assert_array_equal(Interpreter(graph.content(larger)).run([image])[0], expected)
    for size, options in (((4, 6), {"alignCorners": True}), ((3, 4), {})):
        other = graph.add("RESIZE_NEAREST_NEIGHBOR", [x, graph.constant(np.int32(size))], (1, *size, 1), **options)
        assert refusal(graph, other).endswith(": it does not enlarge by whole numbers")


def test_other_operators_of_keras_layers_compute_what_tflite_does():
    """Global maximum and sum, ELU and the squared difference, on maps of two sizes."""
    graph = Graph()
    x = graph.input((1, 5, 3, 19))
    axes = graph.constant(np.int32([1, 2]))
    outputs = [
        graph.add("REDUCE_MAX", [x, axes], (1, 19)),
        graph.add("REDUCE_MAX", [x, axes], (1, 1, 1, 19), keepDims=True),
        graph.add("SUM", [x, axes], (1, 1, 1, 19), keepDims=True),
        graph.add("ELU", [x], (1, 5, 3, 19)),
        graph.add("SQUARED_DIFFERENCE", [x, graph.constant(np.float32([[[[0.5]]]]))], (1, 5, 3, 19)),
    ]
    content = graph.content(*outputs)
    image = 3 * np.random.default_rng(0).normal(size=(1, 5, 3, 19)).astype(np.float32)
    for found, expected in zip(
        Interpreter(content).run([image]), lite_interpreter(content).predict([image]), strict=True
    ):
        np.testing.assert_allclose(np.ravel(found), np.ravel(expected), rtol=1e-6, atol=3e-7)


def pooled(type, shape, size=2, stride=2, activation=0, own=True):
    """A file that multiplies an image by 3, or does not, and pools it."""
    graph = Graph()
    x = image = graph.input((1, *shape))
    if own:
        x = graph.add("MUL", [image, graph.constant(np.float32([3]))], (1, *shape))
    options = {"filterHeight": size, "filterWidth": size, "strideH": stride, "strideW": stride}
    result = (1, -(-shape[0] // stride), -(-shape[1] // stride), shape[2])
    return graph.content(graph.add(type, [x], result, fusedActivationFunction=activation, **options))


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(("activation", "least"), [(0, -1e9), (1, 0)])
def test_maps_pool_what_they_compute(kernels, activation, least):
    """Rows of more than a strip, more channels than whole groups, and parts for several threads."""
    image = np.random.default_rng(0).integers(-9, 10, (1, 12, 70, 40)).astype(np.float32)
    blocks = 3 * image.reshape(1, 6, 2, 35, 2, 40)
    cases = [("MAX_POOL_2D", np.maximum(blocks.max((2, 4)), least))]
    cases += [("AVERAGE_POOL_2D", blocks.mean((2, 4)))] if activation == 0 else []
    for type, expected in cases:
        for threads in (1, 2, 3):
            engine = engine_or_skip(
                pooled(type, (12, 70, 40), activation=activation), kernels=kernels, num_threads=threads
            )
            assert [step.kind for step in engine.profile([image], runs=1)] == ["Map"]
            np.testing.assert_array_equal(engine.run([image])[0], expected)


@pytest.mark.parametrize(
    ("type", "shape", "options"),
    [
        ("MAX_POOL_2D", (4, 4, 8), {"activation": 3}),
        ("AVERAGE_POOL_2D", (4, 4, 8), {"activation": 1}),
        ("MAX_POOL_2D", (5, 4, 8), {}),
        ("MAX_POOL_2D", (4, 4, 8), {"stride": 1}),
        ("MAX_POOL_2D", (6, 6, 8), {"size": 3, "stride": 3}),
        ("MAX_POOL_2D", (4, 4, 8), {"own": False}),
    ],
)
def test_other_pooling_is_a_step_of_its_own(type, shape, options):
    image = np.random.default_rng(0).integers(-9, 10, (1, *shape)).astype(np.float32)
    content = pooled(type, shape, **options)
    engine = Interpreter(content)
    assert "Pool" in {step.kind for step in engine.profile([image], runs=1)}
    np.testing.assert_array_equal(engine.run([image]), lite_interpreter(content).predict([image]))


def test_shapes_and_names_of_several_inputs_and_outputs_are_those_of_the_file():
    graph = Graph()
    x, y = graph.input((1, 2, 3, 4)), graph.input((1, 4))
    outputs = [
        graph.add(
            "ADD", [x, graph.add("RESHAPE", [y, graph.constant(np.int32([1, 1, 1, 4]))], (1, 1, 1, 4))], (1, 2, 3, 4)
        ),
        graph.add("RESHAPE", [x, graph.constant(np.int32([1, 6, 4]))], (1, 6, 4)),
        y,
    ]
    engine = Interpreter(graph.content(*outputs))
    assert engine.input_shapes == [(1, 2, 3, 4), (1, 4)]
    assert engine.output_shapes == [(1, 2, 3, 4), (1, 6, 4), (1, 4)]
    assert engine.output_names == [f"t{index}" for index in outputs]
    images, vectors = np.arange(48, dtype=np.float32).reshape(2, 2, 3, 4), np.float32([[0, 1, 2, 3], [4, 5, 6, 7]])
    total, moved, same = engine.predict([images, vectors])
    np.testing.assert_array_equal(total, images + vectors[:, np.newaxis, np.newaxis])
    np.testing.assert_array_equal(moved, images.reshape(2, 6, 4))
    np.testing.assert_array_equal(same, vectors)
    assert repr(engine).endswith("kernels: (1, 2, 3, 4), (1, 4) to (1, 2, 3, 4), (1, 6, 4), (1, 4)>")
