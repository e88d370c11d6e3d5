"""LCE compiles without kernels, and every kernel still ends up in the right operator."""

from dataclasses import replace

from bnext_keras.layers import BinaryConv2D

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema

from converter import ConversionError, convert
from converter.compiler import lce
from converter.compiler.freeze import freeze
from converter.compiler.trace import trace
from converter.passes import simplify
from converter.tflite.bits import pack_signs
from converter.tflite.flatbuffer import Flatbuffer

Layers = tf.keras.layers


def image():
    return tf.keras.Input((8, 8, 32))


def same_file(content, other):
    """Whether two files compute the same from the same constants, whatever their tensors are called."""
    return set(operations(content)) == set(operations(other))


def operations(content):
    """What each operator computes: its type and options, and what its inputs are made of."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    graph = model.subgraphs[0]
    values = {}

    def value(index):
        if index < 0:
            return None
        if index not in values:
            tensor = graph.tensors[index]
            data = model.buffers[tensor.buffer].data
            values[index] = (tuple(tensor.shape), tensor.type, None if data is None else bytes(data))
        return values[index]

    for operator in graph.operators:
        options = sorted((key, str(item)) for key, item in vars(operator.builtinOptions or object).items())
        custom = None if operator.customOptions is None else bytes(operator.customOptions)
        code = model.operatorCodes[operator.opcodeIndex]
        key = (code.builtinCode, code.customCode, str(options), custom, *map(value, operator.inputs))
        for place, index in enumerate(operator.outputs):
            values[index] = hash((key, place, tuple(graph.tensors[index].shape), graph.tensors[index].type))
            yield values[index]


def frozen_model(model):
    graph = trace(model)
    simplify(graph)
    return freeze(graph)


def compiled(model):
    """The file of a model, which must be the one that LCE makes of its real kernels."""
    frozen = frozen_model(model)
    assert any(stand_in.sign for stand_in in frozen.stand_ins)
    content = lce.to_flatbuffer(frozen).pack()
    real = replace(frozen, stand_ins=[replace(stand_in, sign=0) for stand_in in frozen.stand_ins])
    assert same_file(content, lce.to_flatbuffer(real).pack())
    return Flatbuffer(content)


def assert_exact(model):
    result = convert(model)
    assert result.verification.passed
    images = np.random.default_rng(1).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_allclose(Interpreter(result.content).predict(images), model(images), rtol=1e-6, atol=1e-5)
    return result


@pytest.mark.parametrize("padding", [0.0, 1.0, -1.0, "valid"])
@pytest.mark.parametrize(("side", "strides"), [(8, 1), (7, 2), (2, 1)])
def test_the_file_is_the_one_that_real_kernels_give(conv_model, side, strides, padding):
    if padding == "valid" and side == 2:
        pytest.skip("a 2x2 map has no valid 3x3 convolution")
    padded = {"padding": "valid"} if padding == "valid" else {"padding": "same", "pad_values": padding}
    compiled(conv_model((side, side, 40), filters=24, kernel_size=3, strides=strides, **padded))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_equal_layers_side_by_side_stay_apart(count):
    """They differ in nothing but their kernels, which the compiler does not see."""
    inputs = image()
    outputs = [BinaryConv2D(32, 3, name=f"conv{i}")(inputs) for i in range(count)]
    model = tf.keras.Model(inputs, Layers.Concatenate()(outputs))
    assert compiled(model).operators["LceBconv2d"] == count
    assert assert_exact(model).binary_convs == [f"conv{i}" for i in range(count)]


def test_equal_branches_stay_apart_all_the_way():
    inputs = image()
    outputs = []
    for branch in "ab":
        x = BinaryConv2D(32, 3, name=f"{branch}1")(inputs) + 0.5
        outputs.append(BinaryConv2D(32, 1, name=f"{branch}2")(x))
    model = tf.keras.Model(inputs, Layers.Concatenate()(outputs))
    assert compiled(model).operators["LceBconv2d"] == 4
    assert_exact(model)


def test_equal_kernels_on_equal_inputs_are_one_operator():
    inputs = image()
    first, second = BinaryConv2D(32, 3, name="first"), BinaryConv2D(32, 3, name="second")
    model = tf.keras.Model(inputs, Layers.Concatenate()([first(inputs), second(inputs), first(inputs)]))
    second.set_weights(first.get_weights())
    result = assert_exact(model)
    assert result.operators["LceBconv2d"] == 1
    assert result.binary_convs == ["first", "second", "first"]


def test_convolutions_that_lce_alone_sees_to_be_equal_stay_apart():
    """It knows that adding nothing changes nothing; so they are compiled again, with their kernels."""
    inputs = image()
    outputs = [BinaryConv2D(32, 3, name="conv0")(inputs), BinaryConv2D(32, 3, name="conv1")(inputs + 0.0)]
    result = assert_exact(tf.keras.Model(inputs, Layers.Concatenate()(outputs)))
    assert result.operators["LceBconv2d"] == 2


def test_a_shared_layer_has_one_kernel_in_the_file():
    inputs, conv = image(), BinaryConv2D(32, 3, name="shared")
    model = tf.keras.Model(inputs, conv(conv(inputs) + 0.5))
    first, second = compiled(model).binary_convs
    assert first.operator.inputs[1] == second.operator.inputs[1]
    np.testing.assert_array_equal(first.kernel, pack_signs(np.sign(conv.kernel.numpy())))
    assert_exact(model)


def test_layers_of_one_shape_have_a_kernel_each():
    inputs = image()
    convs = [BinaryConv2D(32, 3, name=f"conv{i}") for i in range(3)]
    x = inputs
    for conv in convs:
        x = conv(x) + 0.5
    model = tf.keras.Model(inputs, x)
    for found, conv in zip(compiled(model).binary_convs, convs, strict=True):
        np.testing.assert_array_equal(found.kernel, pack_signs(np.sign(conv.kernel.numpy())))
    assert_exact(model)


@pytest.mark.parametrize("channels", [32, 64])
def test_groups(conv_model, channels):
    model = conv_model((8, 8, channels), filters=64, kernel_size=3, padding="same", groups=2)
    assert compiled(model).operators["LceBconv2d"] == 2
    assert assert_exact(model).binary_convs == ["conv"]


@tf.keras.utils.register_keras_serializable("test_converter_compile")
class HalfSign(lq.quantizers.SteSign):
    def call(self, inputs):
        return 0.5 * super().call(inputs)


def test_one_scale_for_all_filters(conv_model):
    model = conv_model((8, 8, 32), filters=32, kernel_size=3, kernel_quantizer=HalfSign())
    compiled(model)
    assert_exact(model)


@pytest.mark.parametrize("options", [{"padding": "same", "pad_values": value} for value in (0.0, 1.0)] + [{}])
def test_a_scale_for_each_filter_is_part_of_the_operator_and_needs_no_kernel(conv_model, options):
    model = conv_model((8, 8, 32), filters=32, kernel_size=3, kernel_quantizer="magnitude_aware_sign", **options)
    assert [stand_in.sign for stand_in in frozen_model(model).stand_ins] == [1]
    assert compiled(model).operators == {"LceQuantize": 1, "LceBconv2d": 1}
    assert_exact(model)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_scale_counts_before_what_lies_on_the_padding_is_taken_away(conv_model, groups):
    options = {"padding": "same", "pad_values": -1.0, "groups": groups}
    model = conv_model((8, 8, 64), filters=32, kernel_size=3, kernel_quantizer="magnitude_aware_sign", **options)
    operators = compiled(model).operators
    assert (operators["LceBconv2d"], operators["SUB"], operators["MUL"]) == (groups, 1, 0)
    assert_exact(model)


def test_equal_signs_of_other_scales_stay_apart():
    inputs = image()
    quantizers = {"kernel_quantizer": "magnitude_aware_sign", "input_quantizer": "ste_sign", "use_bias": False}
    first, second = (lq.layers.QuantConv2D(32, 3, name=name, **quantizers) for name in ("first", "second"))
    model = tf.keras.Model(inputs, Layers.Concatenate()([first(inputs), second(inputs)]))
    second.kernel.assign(first.kernel * np.linspace(0.5, 2, 32))
    assert assert_exact(model).operators == {"LceQuantize": 1, "LceBconv2d": 2, "CONCATENATION": 1}


@pytest.mark.parametrize("options", [{"pad_values": 1.0, "padding": "same"}, {"padding": "valid"}])
def test_filters_that_lce_turns_around_for_its_thresholds(options):
    """A sign of a normalized convolution becomes a comparison, and a filter of negative scale its opposite."""
    inputs = image()
    binary = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "use_bias": False, **options}
    x = lq.layers.QuantConv2D(32, 3, name="first", **binary)(inputs)
    x = Layers.BatchNormalization(name="bn")(x)
    model = tf.keras.Model(inputs, lq.layers.QuantConv2D(32, 3, name="second", **binary)(x))
    bn = model.get_layer("bn")
    bn.gamma.assign(np.where(np.arange(32) % 3, 1.0, -1.0))
    bn.beta.assign(np.linspace(-9.1, 9.1, 32))
    first, _ = compiled(model).binary_convs
    kernel = np.sign(model.get_layer("first").kernel.numpy())
    assert not np.array_equal(first.kernel, pack_signs(kernel))
    np.testing.assert_array_equal(first.kernel, pack_signs(kernel * np.where(np.arange(32) % 3, 1.0, -1.0)))
    result = assert_exact(model)
    assert result.operators["LceQuantize"] == 1
    assert result.binary_convs == ["first", "second"]


def test_large_kernels(conv_model):
    """LCE writes a large constant of one value as an operator that makes it; none of them is left."""
    model = conv_model((4, 4, 256), filters=512, kernel_size=3, padding="same")
    flatbuffer = compiled(model)
    assert flatbuffer.operators == {"LceQuantize": 1, "LceBconv2d": 1}
    assert assert_exact(model).size < 512 * 256 * 9 / 8 + 10_000


class SteepTanh(lq.quantizers.SteSign):
    """A sign in other operators than Larq's, at 0 only with an offset."""

    def __init__(self, offset):
        super().__init__()
        self.offset = offset

    def call(self, inputs):
        return tf.tanh(1e9 * inputs + self.offset)


def test_a_sign_in_other_operators_runs_on_bits(conv_model):
    model = conv_model((8, 8, 32), filters=32, kernel_size=3, input_quantizer=SteepTanh(20.0))
    assert convert(model).operators["LceBconv2d"] == 1


def test_a_quantizer_that_is_0_at_0_is_refused(conv_model):
    model = conv_model((8, 8, 32), filters=32, kernel_size=3, input_quantizer=SteepTanh(0.0))
    with pytest.raises(ConversionError, match=r"layer 'conv': its input quantizer SteepTanh gives -1, 0 and \+1"):
        convert(model)


def test_names_in_the_file_are_those_of_the_graph():
    inputs = image()
    x = Layers.PReLU(shared_axes=[1, 2], name="prelu")(BinaryConv2D(32, 3, name="conv")(inputs))
    flatbuffer = Flatbuffer(convert(tf.keras.Model(inputs, x, name="net")).content)
    assert [conv.name for conv in flatbuffer.binary_convs] == ["net/conv/Conv2D"]
    assert {"image", "net/conv/Conv2D/kernel", "Identity"} <= set(flatbuffer.names)
    assert len(set(flatbuffer.names)) == len(flatbuffer.names)


def test_constants_lie_where_devices_want_them(small_bnext):
    content = convert(small_bnext).content
    model = schema.Model.GetRootAsModel(content, 0)
    arrays = [model.Buffers(i).DataAsNumpy() for i in range(model.BuffersLength())]
    start = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    places = [array.__array_interface__["data"][0] - start for array in arrays if isinstance(array, np.ndarray)]
    assert len(places) > 20
    assert all(place % 16 == 0 for place in places)
