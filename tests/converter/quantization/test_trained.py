"""Weights that were trained in few bits: the file has them as they were trained."""

import bnext_keras
from bnext_keras.layers import BinaryConv2D, Conv2D, Dense, DepthwiseConv2D
from bnext_keras.preprocessing import Normalization

import numpy as np
import pytest
import tensorflow as tf
from rewrites import randomize, sequential

from converter import convert
from converter.advice.notes import left_float
from converter.quantization.levels import in_steps
from converter.quantization.trained import store_trained
from converter.tflite.flatbuffer import Flatbuffer

Layers = tf.keras.layers


def bnext(widths):
    model = randomize(bnext_keras.models.BNext(widths, input_shape=(16, 16, 3), num_classes=10))
    bnext_keras.quantize_weights(model, "8/4/8")
    return model


def int8_weights(content):
    """Whole numbers and scales of all int8 tensors of a file."""
    file = Flatbuffer(content)
    tensors = file.model.subgraphs[0].tensors
    found = {}
    for operation in file.operations:
        if operation.type == "DEQUANTIZE":
            (stored,), (weights,) = operation.inputs, operation.outputs
            assert (file.type(stored), file.type(weights)) == ("INT8", "FLOAT32")
            quantization = tensors[stored].quantization
            assert not np.any(quantization.zeroPoint)
            levels = np.asarray(file.model.buffers[file.buffer(stored)].data, np.uint8).view(np.int8)
            found[weights] = levels.reshape(file.shape(stored)), np.asarray(quantization.scale)
    readers = {tensor: operation.type for operation in file.operations for tensor in operation.inputs}
    assert all(readers[tensor] in ("CONV_2D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D") for tensor in found)
    return list(found.values())


def assert_as_trained(result):
    verification = result.verification
    assert verification.passed
    assert verification.max_difference_same_signs <= 1e-5 * verification.largest_output
    assert result.trained_weights.left_float == []
    assert result.advice == [note for note in result.advice if "few bits" not in note.what]


@pytest.fixture(scope="module")
def converted():
    model = bnext([16, 32])
    return model, convert(model)


def test_stem_squeeze_and_expand_and_head_are_as_trained(converted):
    model, result = converted
    assert_as_trained(result)
    bits = result.trained_weights.layers
    assert sorted(bits.values()) == [4] * 6 + [8] * 2
    assert bits["stem_conv"] == bits["head"] == 8
    weights = int8_weights(result.content)
    assert len(weights) == 8
    # The head has nothing folded into it: every weight is Keras', to the last bit.
    head = model.get_layer("head").effective_kernel().numpy().T
    assert any(np.array_equal(levels * scales[:, np.newaxis], head) for levels, scales in weights if len(scales) == 10)
    # Behind the stem comes a batch normalization, whose factors are in the scales alone.
    stem, normalization = model.get_layer("stem_conv"), model.get_layer("stem_bn")
    kernel = np.moveaxis(stem.effective_kernel().numpy(), -1, 0)
    levels, scales = next((levels, scales) for levels, scales in weights if levels.shape == (16, 3, 3, 3))
    trained, steps = in_steps(kernel.reshape(16, -1), 8)
    np.testing.assert_array_equal(levels.reshape(16, -1), trained)
    factors = normalization.gamma / np.sqrt(normalization.moving_variance + normalization.epsilon)
    np.testing.assert_allclose(scales, steps * factors, rtol=1e-6)
    # All four bits fit, and no more are used.
    gates = [levels for levels, scales in weights if levels.ndim == 2 and len(scales) != 10]
    assert {int(np.abs(levels).max()) for levels in gates} == {7}


def test_the_report_tells_of_them(converted):
    _, result = converted
    trained = result.trained_weights
    # 3x3x3 to 16; a head of 32 to 10; gates of three processors of 16 channels, with two between.
    number = 27 * 16 + 320 + 3 * 2 * 16 * 2
    assert (trained.bytes_before, trained.bytes_after) == (4 * number, number)
    assert result.to_dict()["trained_weights"]["layers"]["head"] == 8
    assert "6 layers of 4 bits, 2 layers of 8 bits in int8, exactly as trained" in result._repr_html_()


@pytest.mark.exhaustive
@pytest.mark.parametrize("target", ["lce", "onnx"])
def test_every_kind_of_processor_and_target(target):
    """Two blocks have all kinds, with strides and attention too."""
    result = convert(bnext([16, 32, 64]), target=target)
    if target == "onnx":
        assert result.verification.passed
    else:
        assert_as_trained(result)
    assert sorted(result.trained_weights.layers.values()) == [4] * 12 + [8] * 2


def test_normalization_of_the_image_stays_out_of_the_stem():
    normalization = Normalization((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    image = tf.keras.Input((8, 8, 3))
    x = BinaryConv2D(8, 3)(Conv2D(8, 3, padding="same", role="stem", kernel_bits=8)(image))
    result = convert(tf.keras.Model(image, x), input_type="uint8", normalization=normalization)
    assert_as_trained(result)
    assert result.trained_weights.layers == {"conv2d": 8}


@pytest.mark.exhaustive
def test_a_factor_of_all_channels_is_no_harm():
    """Pixels are divided by 255: every step of the kernel is, too, and no operator remains."""
    image = tf.keras.Input((8, 8, 3))
    x = BinaryConv2D(8, 3)(Conv2D(8, 3, padding="same", role="stem", kernel_bits=8)(image))
    result = convert(tf.keras.Model(image, x), input_type="uint8", normalization=Normalization.of_scale(255))
    assert_as_trained(result)
    assert result.operators["MUL"] == 0


@pytest.mark.exhaustive
def test_a_normalization_before_the_head_stays_out_of_it():
    def model(**options):
        image = tf.keras.Input((8, 8, 3))
        x = BinaryConv2D(8, 3)(Layers.Conv2D(8, 3)(image))
        x = Layers.BatchNormalization()(Layers.Add()([x, Layers.PReLU(shared_axes=[1, 2])(x)]))
        return randomize(tf.keras.Model(image, Dense(5, **options)(Layers.GlobalAveragePooling2D()(x))))

    assert_as_trained(convert(model(kernel_bits=8)))
    assert convert(model()).trained_weights is None


@pytest.mark.exhaustive
def test_depthwise_kernels_negative_factors_and_equal_kernels():
    options = {"kernel_bits": 4, "use_bias": False}
    layers = [DepthwiseConv2D(3, depth_multiplier=2, name="depthwise", **options), Layers.BatchNormalization()]
    layers += [Dense(8, name=name, **options) for name in ("one", "other")]
    model = randomize(sequential((8, 8, 4), *layers, BinaryConv2D(8, 3)), gammas=(-2, -0.5))
    model.get_layer("other").set_weights(model.get_layer("one").get_weights())
    result = convert(model)
    assert_as_trained(result)
    assert result.trained_weights.layers == {"depthwise": 4, "one": 4, "other": 4}


def test_what_the_file_does_not_hold_stays_float_and_is_told():
    def model(**options):
        return sequential((8, 8, 3), Conv2D(8, 3, name="stem", **options), BinaryConv2D(8, 3))

    trained, folded = model(kernel_bits=8), model()
    factors = np.array([1.0, 1.1, 1.2]).reshape(3, 1)
    folded.set_weights(trained.get_weights())
    folded.get_layer("stem").kernel.assign(trained.get_layer("stem").effective_kernel() * factors)
    before = Flatbuffer(convert(folded).content)
    after, result = store_trained(before, trained)
    assert after.pack() == before.pack()
    assert (result.layers, result.left_float, result.bytes_after) == ({}, ["stem"], 0)
    (note,) = left_float(result)
    assert note.layer == "stem"
    assert note.what.endswith("it stays float")


@pytest.mark.exhaustive
def test_int8_for_the_rest(converted):
    model, _ = converted
    bnext_keras.quantize_weights(model, {"head": 32})
    result = convert(model, weights="int8")
    assert result.quantization.layers == {"stem": 0, "se": 0, "head": 1, "other": 0}
    assert result.trained_weights.left_float == []
    assert len(int8_weights(result.content)) == 8
    bnext_keras.quantize_weights(model, {"head": 8})
    assert convert(model, weights="int8").quantization.drift == 0
