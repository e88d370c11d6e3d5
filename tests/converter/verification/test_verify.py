"""The verification finds what it is there for, and forgives rounding alone."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import bnext_keras
from bnext_keras.preprocessing import Normalization

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine import convert_keras_model
from larq_compute_engine.tflite.python.interpreter import Interpreter
from PIL import Image
from rewrites import randomize

from converter import ConversionError, VerificationError, convert
from converter.compiler import lce
from converter.compiler.freeze import freeze
from converter.compiler.trace import trace
from converter.passes import simplify
from converter.report.words import relative, rounding_in_words
from converter.source.binary_layers import quantized_kernel
from converter.tflite.bits import pack_signs, unpack_signs
from converter.tflite.flatbuffer import Flatbuffer
from converter.verification.samples import SYNTHETIC_SAMPLES, read_samples, users_inputs
from converter.verification.verify import Verification, verify

IMAGES = np.random.default_rng(3).normal(size=(2, 32, 32, 3)).astype(np.float32)
SMALL_IMAGES = np.random.default_rng(3).normal(size=(2, 8, 8, 3)).astype(np.float32)


def frozen_model(model):
    graph = trace(model)
    simplify(graph)
    return freeze(graph)


@pytest.fixture(scope="module")
def narrow():
    """Every form of a processor in 8 binary convolutions, the last block on a 2x2 map; values of order one."""
    model = randomize(
        bnext_keras.models.BNext([32, 64, 128, 128], input_shape=(8, 8, 3), num_classes=10, stem_stride=2)
    )
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(np.random.default_rng(0).normal(size=(8, 8, 8, 3)), training=True)
    return model


@pytest.fixture(scope="module")
def conv_names(narrow):
    return frozen_model(narrow).conv_names


@pytest.fixture(scope="module")
def right(narrow):
    return convert(narrow)


@pytest.fixture(scope="module")
def wrong(narrow, conv_names):
    """LCE's own conversion, which is wrong for the last block's 2x2 map."""
    flatbuffer = Flatbuffer(convert_keras_model(narrow))
    # It calls every tensor after several nodes, and cuts the name.
    found = {conv.kernel.tobytes(): conv.name for conv in flatbuffer.binary_convs}
    known = {found[pack_signs(quantized_kernel(call.layer)).tobytes()]: name for call, (name,) in conv_names.items()}
    flatbuffer.names = [known.get(name, name) for name in flatbuffer.names]
    return flatbuffer


def test_a_right_file_passes(imported_bnext):
    right = convert(imported_bnext, verify_data=IMAGES)
    assert right.operators["LceBconv2d"] == 31
    assert len(right.binary_convs) == 31
    checked = right.verification
    assert checked.errors == []
    assert checked.samples == 2 + SYNTHETIC_SAMPLES
    assert checked.top1_agreement == 1.0
    assert checked.max_difference_same_signs < 1e-4
    # 31 convolutions see 471,040 signs of each image: counted from the architecture, once for two equal LCE kernels.
    assert checked.signs == 10 * 471_040
    answers = Interpreter(right.content, use_indirect_bgemm=True).predict(IMAGES)
    assert np.abs(answers - imported_bnext(IMAGES)).max() <= checked.max_difference


def test_a_right_file_of_a_network_that_does_not_explode_needs_no_noise(narrow, right, conv_names, monkeypatch):
    monkeypatch.setattr("converter.verification.replay.DRAWS", 0)
    checked = verify(narrow, Flatbuffer(right.content), conv_names, SMALL_IMAGES)
    assert checked.errors == []
    assert 0 < checked.max_difference_same_signs < 1e-4 * checked.largest_output


def test_lces_own_conversion_of_small_maps_is_found_out(narrow, conv_names, wrong):
    checked = verify(narrow, wrong, conv_names, SMALL_IMAGES)
    assert not checked.passed
    # Block 3 is the one that pads a 2x2 map; what is wrong there shows in the next layer's signs.
    assert any("layer 'block3_1x1_conv': with LCE's default kernels" in error for error in checked.errors)
    assert not any("block2" in error for error in checked.errors)


def test_a_convolution_that_stayed_float_is_named(conv_model):
    """Padding with -1 is what LCE quietly turns into float operators."""
    model = conv_model((8, 8, 32), filters=32, kernel_size=3, padding="same", pad_values=-1.0)
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 32)).astype(np.float32)
    plain = Flatbuffer(convert_keras_model(model))
    assert "LceBconv2d" not in plain.operators
    assert verify(model, plain, frozen_model(model).conv_names, images).errors == [
        "layer 'conv': its convolution stayed float"
    ]


@pytest.mark.parametrize(
    ("layer", "weight", "change"),
    [
        ("block3_3x3_bn1", "gamma", 1e-2),
        ("block2_1x1a_se_squeeze", "kernel", 1e-2),
        ("block2_3x3_shortcut_prelu", "alpha", 1e-2),
        ("block1_3x3_bias", "bias", 1e-2),
        ("head", "bias", 1e-2),
    ],
)
def test_a_slightly_wrong_file_is_found_out(narrow, right, conv_names, layer, weight, change):
    """The file is right, but for another model: one tensor of it differs a little."""
    variable = getattr(narrow.get_layer(layer), weight)
    before = variable.numpy()
    try:
        variable.assign(before + change)
        assert not verify(narrow, Flatbuffer(right.content), conv_names, SMALL_IMAGES).passed
    finally:
        variable.assign(before)


@pytest.mark.parametrize(("bias", "passes"), [(-1e-9, True), (-1e-2, False)])
def test_signs_outside_of_convolutions_are_forgiven_what_rounding_turns(bias, passes):
    """BoolNet's maps are products of signs: where one is uncertain, the product is 1 or -1, which is not near zero.

    The file is right, but for a model without the bias. Zeros in the image are within rounding of 1e-9, the others are
    not within that of 1e-2.
    """
    image = tf.keras.Input((8, 8, 32))
    shifted = bnext_keras.layers.LearnableBias(name="bias")
    signs = lq.quantizers.SteSign(name="signs")(shifted(image))
    others = bnext_keras.layers.GhostSign(1)(tf.keras.layers.Rescaling(1.0, 0.3)(image))
    signs = tf.keras.layers.Multiply()([signs, others])
    conv = lq.layers.QuantConv2D(32, 3, input_quantizer="ste_sign", kernel_quantizer="ste_sign", name="conv")
    model = tf.keras.Model(image, conv(signs))
    content = convert(model).content
    shifted.bias.assign([bias] * 32)
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 32)).astype(np.float32)
    images[0, 1:4, 1:4, :5] = 0.0
    checked = verify(model, Flatbuffer(content), frozen_model(model).conv_names, images)
    assert checked.flips > 0
    assert checked.passed == passes


def test_a_failed_verification_writes_nothing(narrow, wrong, tmp_path, monkeypatch):
    monkeypatch.setattr(lce, "to_flatbuffer", lambda frozen: wrong)
    with pytest.raises(VerificationError, match="block3_1x1_conv") as caught:
        convert(narrow, tmp_path / "model.tflite")
    assert not caught.value.result.verification.passed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.exhaustive
def test_an_untrained_network_whose_values_explode_passes():
    """Its logits reach 1e7 and single sign flips move them by as much; rounding explains every one of them."""
    model = bnext_keras.models.BNextTiny(input_shape=(32, 32, 3), num_classes=10)
    assert np.abs(model(IMAGES)).max() > 1e5
    assert convert(model).verification.passed


def test_a_model_that_is_not_finite_fails(narrow, right, conv_names):
    weight = narrow.weights[-1]
    before = weight.numpy()
    try:
        weight.assign(np.full_like(before, np.inf))
        checked = verify(narrow, Flatbuffer(right.content), conv_names, SMALL_IMAGES)
    finally:
        weight.assign(before)
    assert "the Keras model's own outputs are not finite" in checked.errors


def test_a_flip_within_rounding_of_zero_is_counted_and_forgiven():
    """One pixel is 1e-8 in a map of ones: moved by as much as rounding it may flip, moved by more it may not."""
    image = tf.keras.Input((4, 4, 32))
    conv = bnext_keras.layers.BinaryConv2D(32, 1, name="conv")
    logits = tf.keras.layers.GlobalAveragePooling2D()(conv(tf.keras.layers.BatchNormalization(name="bn")(image)))
    model = tf.keras.Model(image, logits)
    flatbuffer, conv_names = Flatbuffer(convert(model).content), frozen_model(model).conv_names
    images = np.ones((1, 4, 4, 32), np.float32)
    images[:, 0, 0] = 1e-8
    assert verify(model, flatbuffer, conv_names, images).flips == 0
    model.get_layer("bn").beta.assign(np.full(32, -1e-6, np.float32))
    checked = verify(model, flatbuffer, conv_names, images)
    assert (checked.flips, checked.errors) == (32, [])
    model.get_layer("bn").beta.assign(np.full(32, -1e-3, np.float32))
    checked = verify(model, flatbuffer, conv_names, images)
    assert checked.errors[0].startswith("layer 'conv': with LCE's default kernels 32 of 512 signs of its input differ")


@pytest.mark.parametrize("channels", [1, 31, 32, 33, 64])
def test_signs_survive_packing(channels):
    kernel = np.where(np.random.default_rng(0).random((3, 2, channels, 5)) < 0.5, -1.0, 1.0)
    packed = pack_signs(kernel)
    assert packed.shape == (5, 3, 2, -(-channels // 32))
    assert packed.dtype == np.int32
    np.testing.assert_array_equal(unpack_signs(packed, channels), kernel.transpose(3, 0, 1, 2))


def test_signs_that_the_file_negates_are_compared_as_keras_takes_them():
    """A channel with a negative gamma is negated in the file, and so is its kernel; a wrong flip is found out."""
    image = tf.keras.Input((6, 6, 32))
    norm = tf.keras.layers.BatchNormalization(name="bn")
    model = tf.keras.Model(image, bnext_keras.layers.BinaryConv2D(32, 3, name="conv")(norm(image)))
    norm.gamma.assign(np.where(np.arange(32) < 10, -1.0, 1.0))
    norm.beta.assign(np.full(32, 0.3))
    frozen = frozen_model(model)
    flatbuffer, ((call, names),) = lce.to_flatbuffer(frozen), frozen.conv_names.items()
    assert call.flips.tolist() == [-1] * 10 + [1] * 22
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 32)).astype(np.float32)
    assert verify(model, flatbuffer, {call: names}, images).errors == []
    (error, *_) = verify(model, flatbuffer, {replace(call, flips=None): names}, images).errors
    # Ten of 32 channels of two 6x6 maps.
    assert error.startswith("layer 'conv': with LCE's default kernels 720 of 2304 signs of its input differ")


def test_a_convolution_whose_result_nobody_needs_is_left_to_keras():
    """A model within the model has two outputs, of which one is used: Keras computes both, the file only that one."""
    image = tf.keras.Input((6, 6, 32))
    # Deeper, so that Keras calls it first.
    unused = tf.keras.layers.ReLU()(bnext_keras.layers.BinaryConv2D(32, 3, name="unused")(image))
    used = bnext_keras.layers.BinaryConv2D(32, 3, name="used")(image)
    inner = tf.keras.Model(image, [unused, used], name="inner")
    outer = tf.keras.Input((6, 6, 32))
    model = tf.keras.Model(outer, inner(outer)[1])
    (call,) = frozen_model(model).conv_names
    assert (call.layer.name, call.number) == ("used", 1)
    result = convert(model)
    assert (result.binary_convs, result.verification.errors) == (["used"], [])
    assert result.operators["LceBconv2d"] == 1


@pytest.mark.exhaustive
def test_rounding_of_a_mean_over_many_pixels_is_forgiven_in_the_gates():
    """Statistics that fit nothing, at full resolution: a mean of 112x112 pixels of few different values, which the file
    takes where Keras takes that of a mix, is off by a hundred times the last place, and so is all that its gate scales.
    """
    model = randomize(bnext_keras.models.BNextTiny())
    image = np.random.default_rng(0).standard_normal((4, 224, 224, 3), np.float32)[:1]
    frozen = frozen_model(model)
    assert verify(model, lce.to_flatbuffer(frozen), frozen.conv_names, image).errors == []


def test_one_model_in_several_threads_is_converted_each_time_and_stays_whole(small_bnext):
    """Two threads at once would leave each other's stand-ins in its layers."""
    images = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype(np.float32)
    expected = small_bnext(images).numpy()
    with ThreadPoolExecutor(2) as pool:
        first, second = (result.content for result in pool.map(convert, [small_bnext] * 2))
    assert first == second
    np.testing.assert_array_equal(small_bnext(images), expected)


def test_a_forked_process_is_refused_instead_of_hanging(conv_model):
    model = conv_model((8, 8, 32), filters=32, kernel_size=1)
    model(np.zeros((1, 8, 8, 32), np.float32))
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of any fork of a process with threads
        child = os.fork()
    if not child:
        try:
            convert(model)
        except ConversionError as error:
            os.write(writer, str(error).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    assert "start it with multiprocessing.get_context('spawn')" in os.read(reader, 1000).decode()
    os.close(reader)


def test_inputs_that_lie_on_thresholds_get_the_signs_that_keras_gives_them():
    """Integers, and statistics of which float64 makes thresholds that are off by one unit in its last place."""
    image = tf.keras.Input((6, 6, 32))
    norm = tf.keras.layers.BatchNormalization(epsilon=0.0, name="bn")
    model = tf.keras.Model(image, bnext_keras.layers.BinaryConv2D(32, 3, name="conv")(norm(image)))
    generator = np.random.default_rng(0)
    norm.gamma.assign(generator.uniform(0.5, 1.5, 32))
    norm.moving_mean.assign(generator.integers(-9, 10, 32))
    norm.moving_variance.assign(generator.uniform(0.5, 9, 32))
    integers = generator.integers(-9, 10, (4, 6, 6, 32)).astype(np.float32)
    checked = convert(model, verify_data=integers).verification
    assert (checked.flips, checked.top1_agreement) == (0, 1.0)


def hanging(**facts):
    return Verification(samples=4, flips=3, signs=100, top1_agreement=0.5, max_difference=0.1, **facts)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"largest_output": 2e8, "output_range": 1e8}, "untrained, for its outputs reach 2.0e+08. Train it first."),
        ({"largest_output": 1.0, "output_range": 1e-4}, "untrained, for it gives all 4 inputs nearly the same outputs"),
        ({"largest_output": 1.0, "output_range": 0.5}, "or values that lie on thresholds"),
    ],
)
def test_a_network_is_called_untrained_where_its_outputs_show_it(facts, reason):
    checked = hanging(**facts)
    assert checked.hangs_on_rounding
    words = rounding_in_words(checked)
    assert reason in words
    assert ("untrained" in words) == bool(checked.looks_untrained)


def test_how_far_outputs_vary_is_measured(conv_model):
    image = tf.keras.Input((8, 8, 3))
    head = tf.keras.layers.Dense(2, kernel_initializer="zeros", bias_initializer="ones")
    constant = tf.keras.Model(image, head(tf.keras.layers.Flatten()(image)))
    checked = convert(constant).verification
    assert (checked.largest_output, checked.output_range) == (1.0, 0.0)
    assert checked.looks_untrained == "for it gives all 8 inputs nearly the same outputs"
    plain = tf.keras.Model(image, tf.keras.layers.GlobalMaxPooling2D()(image))
    inputs = np.float32([1, 2, 4])[:, np.newaxis, np.newaxis, np.newaxis] * np.ones((3, 8, 8, 3), np.float32)
    checked = convert(plain, verify_data=inputs).verification
    assert checked.output_range >= 3.0
    assert checked.looks_untrained == ""


def test_an_untrained_network_is_called_so():
    checked = Verification(samples=4, flips=3, signs=100, top1_agreement=0.5, max_difference=1e8, largest_output=2e8)
    assert checked.hangs_on_rounding
    assert rounding_in_words(checked).startswith("Every operator does what its layer does, but answers hang on 3 signs")
    assert relative(1e8, checked) == "5.0e-01 of the largest output"
    assert not Verification(samples=4, flips=3, signs=100, max_difference=1e-3, largest_output=1.0).hangs_on_rounding


def test_a_folder_of_images_is_normalized_as_the_model_wants_it(tmp_path):
    Image.new("RGB", (20, 20), (255, 0, 0)).save(tmp_path / "red.png")
    scale = Normalization((0.5, 0.25, 0.0), (0.25, 0.5, 1.0))
    np.testing.assert_allclose(read_samples(tmp_path, (8, 8, 3), scale)[0, 0, 0], [2, -0.5, 0], rtol=1e-6)
    imagenets = (np.array([1, 0, 0]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(read_samples(tmp_path, (8, 8, 3))[0, 0, 0], imagenets, rtol=1e-6)


def test_images_that_cannot_be_read_are_named_and_left_out(tmp_path, caplog):
    Image.new("RGB", (20, 20), (255, 0, 0)).save(tmp_path / "red.png")
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes((tmp_path / "red.png").read_bytes()[:50])
    assert read_samples(tmp_path, (8, 8, 3)).shape == (1, 8, 8, 3)
    skipped = [record.getMessage().split(": broken image, skipped")[0] for record in caplog.records]
    assert skipped == [str(tmp_path / "cut.png"), str(tmp_path / "text.png")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            np.zeros((2, 8, 8, 3), np.uint8),
            "verification data are uint8, pixels as they are, and the model takes float32",
        ),
        (np.zeros((0, 8, 8, 3), np.float32), "verification data must hold at least one input"),
        (np.full((1, 8, 8, 3), np.inf), "verification data must be finite numbers"),
        (np.full((1, 8, 8, 3), "dark"), "verification data must be finite numbers"),
        ([[[1.0], [2.0, 3.0]]], "verification data are no array"),
    ],
)
def test_data_that_nothing_can_be_verified_on_are_refused(data, message):
    with pytest.raises(ConversionError, match=message):
        users_inputs({"image": ((8, 8, 3), "float32")}, {"image": data})


def test_numbers_that_are_not_finite_are_counted_and_placed(tmp_path):
    data = np.zeros((4, 8, 8, 3), np.float32)
    data[2, 1, 0, 0], data[3, 7, 7, 2] = np.nan, np.inf
    found = "must (be|hold) finite numbers; 2 of 768 are NaN or infinite, the first in sample 2"
    with pytest.raises(ConversionError, match=f"verification data {found}"):
        users_inputs({"image": ((8, 8, 3), "float32")}, data)
    np.save(tmp_path / "data.npy", data)
    with pytest.raises(ConversionError, match=f"data.npy: {found}"):
        read_samples(tmp_path / "data.npy", (8, 8, 3))


@pytest.mark.parametrize("form", [lambda batch: batch, lambda batch: [batch], lambda batch: (batch,), list])
def test_a_batch_may_be_in_a_list_as_keras_takes_it(form):
    batch = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)
    (inputs,) = users_inputs({"image": ((2, 2, 3), "float32")}, form(batch))
    np.testing.assert_array_equal(inputs, batch)


def test_what_a_file_of_bytes_takes_are_pixels():
    specs = {"image": ((1, 2, 1), "uint8")}
    for pixels in ([0, 256], [-1, 3]):
        with pytest.raises(ConversionError, match="are no pixels from 0 to 255"):
            users_inputs(specs, np.array(pixels).reshape(1, 1, 2, 1))
    assert users_inputs(specs, np.array([0, 255.0]).reshape(1, 1, 2, 1))[0].ravel().tolist() == [0, 255]
