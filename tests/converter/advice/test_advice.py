"""Each piece of advice on a small model that deserves it, and none on a twin that does not."""

import dataclasses
import importlib.util

from bnext_keras import models
from bnext_keras.layers import BinaryConv2D

import larq as lq
import pytest
import tensorflow as tf
from alike import with_more
from larq_compute_engine import convert_keras_model
from zero_weights import zero_weights

from converter import ConversionError, convert
from converter.advice import SEVERITIES, advise
from converter.tflite.flatbuffer import Flatbuffer

Layers = tf.keras.layers


def chain(*layers, shape=(8, 8, 32)):
    return tf.keras.Sequential([tf.keras.Input(shape), *layers])


def conv(name="conv", filters=32, kernel_size=3, padding="same", **options):
    binary = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "use_bias": False}
    return lq.layers.QuantConv2D(filters, kernel_size, padding=padding, name=name, **{**binary, **options})


def quant_dense(**options):
    return lq.layers.QuantDense(8, **{"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", **options})


def gated(gate_activation, normalized=False):
    """x times a gate of x, and a binary convolution of that."""
    image = tf.keras.Input((8, 8, 32))
    x = Layers.BatchNormalization(name="bn")(image)
    gate = Layers.Dense(32, gate_activation, name="gate")(Layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = Layers.Multiply(name="product")([x, gate])
    if normalized:
        x = Layers.BatchNormalization()(x)
    return tf.keras.Model(image, conv()(x))


def found(model, **options):
    return [(advice.severity, advice.layer) for advice in advise(model, **options)]


CASES = {
    "bits of activations": (
        lambda: chain(conv("first"), conv(input_quantizer=lq.quantizers.DoReFa(2))),
        lambda: chain(conv("first"), conv()),
        ("slow", "conv", "input quantizer DoReFa leaves more than two values (2 bits)"),
    ),
    "ternary activations": (
        lambda: chain(conv("first"), conv(input_quantizer="ste_tern")),
        lambda: chain(conv("first"), conv(input_quantizer="approx_sign")),
        ("wrong", "conv", "input quantizer SteTern gives -1, 0 and +1"),
    ),
    "zeros and ones": (
        lambda: chain(conv(input_quantizer="ste_heaviside")),
        lambda: chain(conv(input_quantizer="swish_sign")),
        ("wrong", "conv", "SteHeaviside gives 0 and 1"),
    ),
    "signs with a scale": (
        lambda: chain(conv(input_quantizer="magnitude_aware_sign")),
        lambda: chain(conv(kernel_quantizer="magnitude_aware_sign")),
        ("wrong", "conv", "MagnitudeAwareSign scales the signs"),
    ),
    "signs of a ReLU": (
        lambda: chain(Layers.BatchNormalization(), Layers.ReLU(name="relu"), Layers.MaxPooling2D(), conv()),
        lambda: chain(Layers.ReLU(name="relu"), Layers.BatchNormalization(), Layers.MaxPooling2D(), conv()),
        ("wrong", "conv", "never negative (ReLU 'relu')"),
    ),
    "negative zero": (
        lambda: gated("hard_sigmoid"),
        lambda: gated("sigmoid"),
        ("wrong", "conv", "'product' before its sign is -0.0 where 'gate' is 0"),
    ),
    "no input quantizer": (
        lambda: chain(conv("first"), conv(input_quantizer=None)),
        lambda: chain(conv("first"), Layers.Conv2D(32, 1, name="conv")),
        ("slow", "conv", "a QuantConv2D without input quantizer runs as a float layer"),
    ),
    "no quantizer": (
        lambda: chain(conv("first"), lq.layers.QuantConv2D(32, 3, name="conv")),
        lambda: chain(conv("first"), lq.layers.QuantConv2D(32, 1, name="conv")),
        ("slow", "conv", "a float convolution amid binary ones"),
    ),
    "a binary kernel on the image": (
        lambda: chain(conv("first", input_quantizer=None), conv()),
        lambda: chain(Layers.Conv2D(32, 3), conv()),
        ("note", "first", "its binary kernel is stored in 32 bits"),
    ),
    "a dense layer that is not quite binary": (
        lambda: chain(conv(), Layers.Flatten(), quant_dense(name="dense", kernel_quantizer=None)),
        lambda: chain(conv(), Layers.Flatten(), quant_dense(name="dense")),
        ("slow", "dense", "it has no kernel quantizer and runs as a float layer"),
    ),
    "a large float convolution": (
        lambda: chain(conv("first"), Layers.Conv2D(32, 3, name="float"), conv("last")),
        lambda: chain(Layers.Conv2D(32, 3, name="float"), conv("first"), Layers.Conv2D(32, 1), conv("last")),
        # 6 x 6 x 32 x 32 x 9 float MACs of that and (8 x 8 + 6 x 6) x 32 x 32 x 9 / 64 binary ones.
        ("slow", "float", "a float convolution amid binary ones with 96% of the operations"),
    ),
    "channels off the word": (
        lambda: chain(conv(), shape=(8, 8, 40)),
        lambda: chain(conv(), shape=(8, 8, 64)),
        ("slow", "conv", "40 input channels take the time and space of 64"),
    ),
    "unusual padding": (
        lambda: chain(conv(pad_values=2.0)),
        lambda: chain(conv(pad_values=-1.0)),
        # 8 x 8 x 32 numbers of four bytes.
        ("slow", "conv", "it pads with 2, for which the file needs a constant of the size of its output, 8.00 KiB"),
    ),
    "zero padding before a ReLU": (
        lambda: chain(conv(), Layers.ReLU(name="relu")),
        lambda: chain(conv(pad_values=1.0), Layers.ReLU(name="relu")),
        ("slow", "conv", "the ReLU 'relu' behind it runs as an operator of its own"),
    ),
    "zero padding and an activation": (
        lambda: chain(conv(activation="relu")),
        lambda: chain(conv(activation="relu", padding="valid")),
        ("slow", "conv", "its ReLU runs as an operator of its own"),
    ),
    "a ReLU behind the normalization": (
        lambda: chain(conv(pad_values=1.0), Layers.BatchNormalization(), Layers.ReLU(name="relu")),
        lambda: chain(conv(pad_values=1.0), Layers.ReLU(name="relu"), Layers.BatchNormalization()),
        ("slow", "relu", "fuses a ReLU and then a normalization, in this order"),
    ),
    "absolute values": (
        lambda: _functional(lambda x: tf.abs(conv()(x))),
        lambda: _functional(lambda x: tf.maximum(conv()(x), 0.5)),
        ("slow", "tf.math.abs", "tf.abs is many times slower"),
    ),
    "softmax at the end": (
        lambda: chain(conv(), Layers.GlobalAveragePooling2D(), Layers.Dense(3, "softmax", name="head")),
        lambda: chain(conv(), Layers.GlobalAveragePooling2D(), Layers.Dense(3, name="head")),
        ("note", "head", "does not change which class is the most probable"),
    ),
    "softmax within": (
        lambda: chain(conv(), Layers.Softmax(name="attention"), Layers.Conv2D(8, 1)),
        lambda: chain(conv(), Layers.Conv2D(8, 1)),
        ("slow", "attention", "a softmax within the network"),
    ),
}


def _functional(build):
    image = tf.keras.Input((8, 8, 32))
    return tf.keras.Model(image, build(image))


@pytest.mark.parametrize("case", CASES)
def test_advice_is_given_where_it_is_due_and_not_on_a_correct_twin(case):
    due, twin, (severity, layer, what) = CASES[case]
    (advice,) = advise(due())
    assert (advice.severity, advice.layer.rstrip("_1")) == (severity, layer.rstrip("_1"))
    assert what in advice.what
    assert advice.remedy
    assert advise(twin()) == []


def test_groups_are_advised_against_and_their_channels_are_counted_by_group():
    grouped = chain(conv(groups=4), shape=(8, 8, 64))
    slow, narrow = advise(grouped)
    assert "16 input channels per group take the time and space of 32" in slow.what
    assert "its 4 groups become 4 convolutions" in narrow.what
    assert found(chain(conv(groups=2), shape=(8, 8, 64))) == [("slow", "conv")]


def test_the_gravest_come_first():
    model = chain(
        conv("narrow", input_quantizer="ste_heaviside", filters=32),
        conv("conv", activation="relu"),
        Layers.GlobalAveragePooling2D(),
        Layers.Dense(3, "softmax", name="head"),
    )
    severities = [advice.severity for advice in advise(model)]
    assert severities == ["wrong", "slow", "note"]
    assert sorted(severities, key=SEVERITIES.index) == severities


def test_all_layers_that_would_be_refused_are_named_at_once():
    model = chain(
        conv("one", kernel_quantizer="ste_tern"),
        conv("two", kernel_quantizer=None),
        lq.layers.QuantDepthwiseConv2D(3, input_quantizer="ste_sign", depthwise_quantizer="ste_sign", name="three"),
    )
    assert found(model) == []
    assert found(model, refusals=True) == [("refused", "one"), ("refused", "two"), ("refused", "three")]
    one, _, three = advise(model, refusals=True)
    assert "its kernel is not binary" in one.what
    assert "use a binary kernel quantizer" in one.remedy
    assert "no binary form of QuantDepthwiseConv2D" in three.what
    with pytest.raises(ConversionError, match=r"layer '(one|two|three)'"):
        convert(model)


@pytest.mark.parametrize("name", with_more(["MeliusNet22"], ["BNextSmall", "BNext18"]))
def test_published_networks_need_no_advice(name):
    with zero_weights():
        model = getattr(models, name)()
    assert advise(model) == []


def test_a_fixed_batch_is_noted():
    image = tf.keras.Input((8, 8, 32), batch_size=4, name="images")
    (advice,) = advise(tf.keras.Model(image, conv()(image)))
    assert (advice.severity, advice.layer) == ("note", "images")
    assert advice.what == "its batch is fixed at 4 images; the file takes one at a time"
    result = convert(tf.keras.Model(image, conv()(image)))
    assert (result.input_shape, result.advice) == ((1, 8, 8, 32), [advice])


def test_a_file_of_float_weights_for_the_most_part_is_noted():
    large = chain(conv(), Layers.GlobalAveragePooling2D(), Layers.Dense(9000, name="head"))
    (advice,) = convert(large).advice
    # 32 x 9000 weights of four bytes.
    assert "weights of its float layers take 1.10 MiB of the file's" in advice.what
    assert advice.what.endswith("(head 1.10 MiB)")
    assert advice.remedy.startswith("--weights int8 stores them in 281.25 KiB")
    if importlib.util.find_spec("ai_edge_quantizer"):
        quantized = convert(large, weights="int8")
        assert quantized.advice == []
        assert quantized.parameter_bytes < quantized.size < quantized.theoretical_size


def test_layers_of_nested_models_get_advice():
    inner = chain(conv(), Layers.ReLU(name="relu"))
    image = tf.keras.Input((8, 8, 32))
    assert found(tf.keras.Model(image, BinaryConv2D(32, 3, name="last")(inner(image)))) == [
        ("wrong", "last"),
        ("slow", "conv"),
    ]


def test_a_nested_model_reads_what_lies_before_it():
    image = tf.keras.Input((8, 8, 32))
    inner = chain(conv("inner"))
    assert found(tf.keras.Model(image, inner(Layers.ReLU(name="relu")(image)))) == [("wrong", "inner")]


ABOUT_LCE = (
    "negative zero",
    "channels off the word",
    "zero padding before a ReLU",
    "zero padding and an activation",
    "a ReLU behind the normalization",
    "absolute values",
)


@pytest.mark.parametrize("target", ["engine", "tflite", "onnx"])
def test_other_targets_hear_nothing_of_lces_kernels(target):
    for case in ABOUT_LCE:
        assert advise(CASES[case][0](), target=target) == []
    for due, _, (severity, *_) in (CASES["signs of a ReLU"], CASES["softmax within"], CASES["unusual padding"]):
        assert [advice.severity for advice in advise(due(), target=target)] == [severity]


@pytest.mark.parametrize(("target", "severities"), [("engine", ["slow"]), ("tflite", []), ("onnx", [])])
def test_float_convolutions_are_slow_only_where_others_compute_on_bits(target, severities):
    due, _, _ = CASES["a large float convolution"]
    assert [advice.severity for advice in advise(due(), target=target)] == severities


@pytest.mark.parametrize("padding", [0.0, 1.0])
def test_lce_fuses_a_relu_into_one_padded_convolutions_only(padding):
    """What the advice rests on: should LCE learn to, it is out of date."""
    model = chain(conv(pad_values=padding), Layers.ReLU())
    assert Flatbuffer(convert_keras_model(model)).operators["RELU"] == (1 if padding == 0 else 0)


def test_advice_is_plain_data():
    (advice,) = advise(chain(conv(), shape=(8, 8, 40)))
    assert dataclasses.asdict(advice).keys() == {"severity", "layer", "what", "remedy"}
    assert str(advice) == (
        "slow: conv: 40 input channels take the time and space of 64: LCE packs 32 to a word; choose a multiple of 32"
    )
