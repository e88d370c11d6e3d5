"""What has no exact file is refused by name."""

from bnext_keras.quantizers import temperatures

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from converter import ConversionError, convert
from converter.advice import advise
from converter.compiler import preflight

Layers = tf.keras.layers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_quantizer": "ste_tern"}, "layer 'conv': its kernel is not binary"),
        ({"kernel_quantizer": None}, "layer 'conv': its kernel is not binary"),
        ({"layer": lq.layers.QuantDepthwiseConv2D}, "layer 'conv': .* no binary form of QuantDepthwiseConv2D"),
    ],
)
def test_what_lce_cannot_run_is_refused_by_name(conv_model, options, message):
    filters = {} if "layer" in options else {"filters": 32}
    with pytest.raises(ConversionError, match=message):
        convert(conv_model((8, 8, 32), kernel_size=3, **filters, **options))


def test_soft_kernels_are_hardened_on_demand_and_the_report_says_so(small_bnext):
    variables = temperatures(small_bnext)
    for variable in variables.values():
        variable.assign(0.25)
    with pytest.raises(ConversionError, match=r"is 0\.25, not annealed: .*; train on .* bnext-convert --harden"):
        convert(small_bnext)
    result = convert(small_bnext, harden=True)
    assert result.verification.passed
    hardened = {advice.layer for advice in result.advice if "training ended at weight temperature 0.25" in advice.what}
    assert hardened == set(variables)
    assert {float(variable) for variable in variables.values()} == {0.25}


@pytest.mark.parametrize("name", ["größe", "my network", "_net"])
def test_a_name_that_tensorflow_does_not_take_is_refused(name):
    image = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(image, Layers.Flatten()(image), name=name)
    with pytest.raises(ConversionError, match=f"model '{name}': TensorFlow computes nothing under this name"):
        convert(model)
    assert convert(tf.keras.Model(model.inputs, model.outputs, name="net")).verification.passed


def model_of(*layers):
    return tf.keras.Sequential([tf.keras.Input((8, 8, 32)), *layers])


@lq.utils.set_precision(1)
def halved(x):
    return 0.5 * lq.math.sign(x)


@lq.utils.set_precision(1)
def of_mean(x):
    return tf.reduce_mean(tf.abs(x), axis=[1, 2, 3], keepdims=True) * lq.math.sign(x)


@lq.utils.set_precision(1)
def channelwise(x):
    return tf.linspace(0.5, 2.0, 32) * lq.math.sign(x)


@pytest.mark.parametrize(
    ("quantizer", "message"),
    [
        ("ste_tern", "input quantizer SteTern gives -1, 0 and \\+1; LCE makes -1 and \\+1 of them"),
        ("ste_heaviside", "input quantizer SteHeaviside gives 0 and 1"),
        (lq.quantizers.DoReFa(1, "activations"), "input quantizer DoReFa gives 0 and 1"),
        (lq.quantizers.NoOp(precision=1), "input quantizer NoOp leaves more than two values; use ste_sign"),
        ("magnitude_aware_sign", "input quantizer MagnitudeAwareSign scales the signs"),
        (halved, "input quantizer halved scales the signs by the factor 0.5"),
        (of_mean, "input quantizer of_mean scales the signs by a factor that depends on the image"),
        (channelwise, "input quantizer channelwise scales the signs of each channel by a factor of its own"),
    ],
)
def test_an_input_quantizer_that_is_no_sign_is_refused_with_the_cause(conv_model, quantizer, message):
    with pytest.raises(ConversionError, match=f"layer 'conv': its {message}"):
        convert(conv_model((8, 8, 32), filters=32, kernel_size=3, input_quantizer=quantizer))


def test_a_network_of_two_bits_is_refused_before_any_work(conv_model):
    """DoReFa-Net's: the file would be a float network's. Beside binary convolutions such a layer gets advice."""
    model = conv_model((8, 8, 32), filters=32, kernel_size=3, input_quantizer=lq.quantizers.DoReFa(2))
    steps = []
    message = (
        r"layer 'conv': its input quantizer DoReFa leaves more than two values \(2 bits\), and no other layer takes"
    )
    with pytest.raises(ConversionError, match=message):
        convert(model, progress=steps.append)
    assert steps in ([], ["load"])


def test_a_ternary_dense_layer_is_refused_too():
    dense = lq.layers.QuantDense(8, input_quantizer="ste_tern", name="dense")
    with pytest.raises(ConversionError, match=r"layer 'dense': .* SteTern gives"):
        convert(model_of(Layers.Flatten(), dense))


SISTERS = {
    lq.layers.QuantConv3D: ([Layers.Reshape((4, 4, 4, 32))], (8, 3), "use QuantConv2Ds, with the slices among the"),
    lq.layers.QuantDepthwiseConv2D: ([], (3,), "use a QuantConv2D, which mixes the channels too, or a DepthwiseConv2D"),
    lq.layers.QuantConv3DTranspose: (
        [Layers.Reshape((4, 4, 4, 32))],
        (8, 3),
        "use an UpSampling2D and a QuantConv2D on",
    ),
    lq.layers.QuantLocallyConnected1D: ([Layers.Reshape((64, 32))], (8, 3), "use a QuantConv2D of 1xN"),
    lq.layers.QuantLocallyConnected2D: ([], (8, 3), "use a QuantConv2D, which shares its weights"),
}


@pytest.mark.parametrize("kind", SISTERS, ids=lambda kind: kind.__name__)
def test_every_convolution_that_lce_has_no_binary_form_of_is_refused_with_its_own_remedy(kind):
    before, arguments, remedy = SISTERS[kind]
    layer = kind(*arguments, input_quantizer="ste_sign", name="conv")
    model = model_of(*before, layer)
    message = f"layer 'conv': Larq Compute Engine has no binary form of {kind.__name__}; {remedy}"
    with pytest.raises(ConversionError, match=message):
        preflight.check(model)
    assert [advice.severity for advice in advise(model, refusals=True)] == ["refused"]
    layer.input_quantizer = None
    preflight.check(model)


NOT_BINARY = "its kernel is not binary; use a binary kernel quantizer such as ste_sign"
WITH_A_FORM = [
    (lq.layers.QuantConv1D, [Layers.Reshape((64, 32))], {"kernel_size": 3}, NOT_BINARY),
    (lq.layers.QuantSeparableConv1D, [Layers.Reshape((64, 32))], {"kernel_size": 3}, NOT_BINARY),
    (lq.layers.QuantSeparableConv2D, [], {"kernel_size": 3}, NOT_BINARY),
    (
        lq.layers.QuantSeparableConv2D,
        [],
        {"kernel_size": 3, "depth_multiplier": 2},
        "its 2 depthwise filters for each channel add up to kernels that are not binary; use depth_multiplier=1",
    ),
    (lq.layers.QuantConv2DTranspose, [], {"kernel_size": 2}, NOT_BINARY),
    (
        lq.layers.QuantConv2DTranspose,
        [],
        {"kernel_size": 3, "strides": 2},
        "its kernel of 3 x 3 is no multiple of its strides, 2 x 2, so that outputs differ in how many signs they add",
    ),
    (
        lq.layers.QuantConv2DTranspose,
        [],
        {"kernel_size": 2, "strides": 2, "output_padding": 1},
        "it has output_padding or a dilation; leave them out",
    ),
]


@pytest.mark.parametrize(("kind", "before", "options", "message"), WITH_A_FORM)
def test_a_layer_that_has_a_binary_form_is_refused_where_that_does_not_fit(kind, before, options, message):
    layer = kind(8, input_quantizer="ste_sign", name="conv", **options)
    model = model_of(*before, layer)
    with pytest.raises(ConversionError, match=f"layer 'conv': {message}"):
        preflight.check(model)
    assert [advice.severity for advice in advise(model, refusals=True)] == ["refused"]


def test_a_dense_layer_of_signs_with_float_weights_runs_as_a_float_layer():
    dense = lq.layers.QuantDense(8, input_quantizer="ste_sign", name="dense")
    preflight.check(model_of(Layers.Flatten(), dense))


def test_a_quantizer_is_tried_once_for_each_layer_that_has_it(conv_model, monkeypatch):
    tried = []
    monkeypatch.setattr(preflight, "input_fault", lambda quantizer: tried.append(quantizer))
    model = conv_model((8, 8, 32), filters=32, kernel_size=3)
    preflight.check(model)
    assert tried == [model.get_layer("conv").input_quantizer]


def test_what_is_refused_is_not_called_wrong_besides(conv_model):
    model = conv_model((8, 8, 32), filters=32, kernel_size=3, input_quantizer="ste_tern")
    assert [(advice.severity, advice.layer) for advice in advise(model, refusals=True)] == [("refused", "conv")]


def test_a_conversion_within_a_graph_or_a_tf_function_is_that_outside_of_it(conv_model):
    model = conv_model((8, 8, 32), filters=32, kernel_size=3, padding="same", pad_values=-1.0)
    expected = convert(model)
    with tf.Graph().as_default():
        assert convert(model).content == expected.content
        assert advise(model) == expected.advice
    contents = []

    @tf.function
    def function():
        contents.append(convert(model).content)

    function()
    assert contents == [expected.content]


def test_a_model_of_a_graph_is_refused():
    with tf.Graph().as_default():
        model = model_of(Layers.Dense(4))
        with pytest.raises(ConversionError, match=r"it was built in a tf\.Graph, .* save it there and load the file"):
            convert(model)
    with pytest.raises(ConversionError, match=r"it was built in a tf\.Graph"):
        convert(model)


def test_messages_have_no_addresses(conv_model):
    with pytest.raises(ConversionError, match="kernel_quantizer SteHeaviside leaves"):
        convert(conv_model((8, 8, 32), filters=32, kernel_size=3, kernel_quantizer="ste_heaviside"))


def test_a_network_with_nan_in_it_is_refused_by_the_weight(conv_model):
    model = conv_model((8, 8, 32), filters=32, kernel_size=3)
    kernel = model.get_layer("conv").kernel
    kernel.assign(tf.where(tf.range(32) == 5, np.nan, kernel))
    with pytest.raises(ConversionError) as caught:
        convert(model)
    assert str(caught.value).startswith(f"model '{model.name}': its weight 'conv/kernel:0' holds NaN; take a file from")


def test_a_negative_variance_is_refused_by_the_layer():
    model = model_of(Layers.BatchNormalization(name="norm"), Layers.ReLU())
    variance = model.get_layer("norm").moving_variance
    variance.assign(tf.where(tf.range(32) == 1, -0.5, 1.0))
    with pytest.raises(ConversionError) as caught:
        convert(model)
    assert str(caught.value) == (
        "layer 'norm': its moving variance goes down to -0.5, and of a negative number there is no root: it gives NaN; "
        "measure it anew on images: bnext-convert --recalibrate, convert(recalibrate=...)"
    )
    # What rounding makes of zero is outweighed by epsilon.
    variance.assign(tf.where(tf.range(32) == 1, -1e-6, 1.0))
    convert(model)
    variance.assign(tf.fill(variance.shape, -0.5))
    convert(model, recalibrate=np.random.default_rng(0).normal(size=(8, *model.input_shape[1:])).astype(np.float32))


def loop(x):
    return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, 2 * y), (0, x))[1]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Layers.Reshape((64, 32)), Layers.LSTM(8, name="memory")], "layer 'memory': LSTM loops over time steps"),
        ([Layers.Lambda(loop, name="loop")], "layer 'loop': it has control flow"),
        ([Layers.Lambda(lambda x: tf.cond(x[0, 0, 0, 0] > 0, lambda: x, lambda: -x), name="either")], "layer 'either'"),
    ],
)
def test_loops_and_branches_are_refused_by_layer(layers, message):
    with pytest.raises(ConversionError, match=message):
        convert(model_of(*layers))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            # What Keras' exact gelu calls, in TensorFlow's newer versions.
            Layers.Lambda(tf.math.erfc, name="smooth"),
            "layer 'smooth': TensorFlow Lite has no operator for TensorFlow's Erfc, which it computes; "
            "if it is an exact gelu, use the approximate one: tf.nn.gelu(x, approximate=True)",
        ),
        (
            Layers.Lambda(tf.atan, name="angle"),
            "layer 'angle': TensorFlow Lite has no operator for TensorFlow's Atan, which it computes; "
            "write it with other functions",
        ),
    ],
)
def test_functions_without_an_operator_are_refused_by_layer(layer, message):
    with pytest.raises(ConversionError) as caught:
        convert(model_of(layer))
    assert str(caught.value) == message


def test_the_approximate_gelu_has_operators():
    assert convert(model_of(Layers.Lambda(lambda x: tf.nn.gelu(x, approximate=True)))).verification.passed


@pytest.mark.parametrize(
    "quantizer", [lambda x: lq.math.sign(x), lambda x: tf.where(x >= 0, 1.0, -1.0)], ids=["larq's", "where"]
)
def test_a_function_that_is_the_sign_makes_a_binary_convolution(conv_model, quantizer):
    result = convert(conv_model((8, 8, 32), filters=32, kernel_size=3, input_quantizer=quantizer))
    assert (result.binary_convs, result.advice) == (["conv"], [])
    assert result.verification.signs > 0


@pytest.mark.parametrize(
    "make", [lq.quantizers.SteSign, lambda: Layers.Activation(lq.math.sign)], ids=["quantizer", "activation"]
)
def test_a_layer_that_is_the_sign_makes_binary_convolutions_of_those_behind_it(make):
    sign = make()
    conv = lq.layers.QuantConv2D(32, 3, kernel_quantizer="ste_sign", use_bias=False, name="conv")
    model = model_of(Layers.BatchNormalization(), sign, conv, Layers.GlobalAveragePooling2D())
    result = convert(model)
    assert (result.binary_convs, result.advice) == (["conv"], [])
    assert result.operators["LceBconv2d"] == 1
    assert advise(model) == []
    assert conv.input_quantizer is None
    assert np.unique(sign(np.float32([[-2.0, 0.0, 3.0]]))).tolist() == [-1, 1]


def test_advice_on_a_model_without_layers_to_look_at_says_so():
    class Net(tf.keras.Model):
        pass

    with pytest.raises(ConversionError, match="it has no symbolic input"):
        advise(Net())


class Scaled(lq.layers.QuantConv2D):
    """XNOR-Net's convolution as many write it: its result times a mean of its input and of its latent kernel."""

    def call(self, inputs):
        of_kernel = tf.reduce_mean(tf.abs(self.kernel), axis=(0, 1, 2))
        of_input = tf.reduce_mean(tf.abs(inputs), axis=(1, 2, 3), keepdims=True)
        return super().call(inputs) * of_kernel * of_input


@pytest.mark.parametrize("pad_values", [0.0, 1.0])
def test_what_a_class_of_ones_own_does_around_its_convolution_is_converted(conv_model, pad_values):
    options = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "pad_values": pad_values}
    model = conv_model((8, 8, 32), Scaled, filters=32, kernel_size=3, padding="same", **options)
    result = convert(model)
    assert result.verification.binary_convs == ["conv"]
    assert type(model.get_layer("conv")) is Scaled


class OwnConvolution(lq.layers.QuantConv2D):
    def call(self, inputs):
        return tf.nn.conv2d(self.input_quantizer(inputs), lq.math.sign(self.kernel), 1, "SAME")


def test_a_class_that_convolves_by_itself_is_refused_by_name(conv_model):
    model = conv_model((8, 8, 32), OwnConvolution, filters=32, kernel_size=3, kernel_quantizer="ste_sign")
    with pytest.raises(ConversionError, match=r"layer 'conv': OwnConvolution\.call does not use QuantConv2D's"):
        convert(model)


def test_a_function_that_scales_the_signs_of_a_kernel_makes_a_binary_one(conv_model):
    def scaled(kernel):
        return lq.math.sign(kernel) * tf.reduce_mean(tf.abs(kernel), axis=(0, 1, 2))

    result = convert(conv_model((8, 8, 32), filters=32, kernel_size=3, kernel_quantizer=scaled))
    assert result.verification.binary_convs == ["conv"]
    assert result.inspection.layers[0].kernel_bits == 1
