"""MeliusNet against bitorch's outputs, Larq Zoo's weights, and LCE."""

from collections import Counter
from functools import cache

from bnext_keras import models
from bnext_keras.importers import StateDictError, load_meliusnet_state_dict
from bnext_keras.layers import ShuffleChannels, SplitChannels

import h5py
import numpy as np
import pytest
import references
import tensorflow as tf
from alike import with_more
from zero_weights import zero_weights

from converter import convert

#: One small, one of odd sections, one ungrouped and one grouped.
FIRST = ["melius_22_10_32", "melius_flex1211_1000_224", "melius_23_1000_224", "melius_a_1000_224"]
MORE = [f"melius_{variant}_1000_224" for variant in ("22", "29", "42", "59", "b", "c")]
#: Networks in whose reference a sign's input lies within float32's rounding of zero.
UNSTABLE = ("melius_42_1000_224", "melius_59_1000_224")

#: Networks that several tests want. The others come once in each precision, and some weigh a hundred megabytes.
SHARED = ("melius_22_10_32", "melius_23_1000_224", "melius_a_1000_224")

#: What a MeliusNet may need of LCE beside binary convolutions: TFLite's own float operators, none of them custom.
BUILTIN = {"CONV_2D", "MUL", "ADD", "MAX_POOL_2D", "CONCATENATION", "SPLIT", "GATHER", "MEAN", "FULLY_CONNECTED"}


def build(name, pad_value=-1.0):
    """The network of a reference with the reference's weights, and the reference.

    Tests share the networks that several of them want. What one has done to the weights is undone for the next.
    """
    network = _shared_network if name in SHARED else _network
    with zero_weights():
        model = network(name, pad_value, tf.keras.backend.floatx())
    reference = references.load(name)
    return load_meliusnet_state_dict(model, reference.weights), reference


@cache
def melius22():
    """The published network for images of 224 pixels, shared by all tests that give it weights of their own."""
    with zero_weights():
        return models.MeliusNet22()


def _network(name, pad_value, _floatx):
    reference = references.load(name)
    side = reference.meta["input_shape_nchw"][-1]
    options = {
        "input_shape": (side, side, 3),
        "num_classes": reference.meta["num_classes"],
        "stem": "conv7x7",
        "pad_value": pad_value,
    }
    variant = name.split("_")[1]
    if variant == "flex1211":
        return models.MeliusNet([1, 2, 1, 1], [64, 96, 64], **options)
    return getattr(models, f"MeliusNet{variant.upper()}")(**options)


_shared_network = cache(_network)


def calibrated(model):
    """Gives a new model statistics that keep its values of order one, and gammas of either sign."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.0
            layer.gamma.assign(rng.uniform(-0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(0.2 * rng.standard_normal(layer.beta.shape))
    model(rng.standard_normal((4, *model.input_shape[1:])).astype(np.float32), training=True)
    return model


@pytest.mark.parametrize("name", with_more(FIRST, [name for name in MORE if name not in UNSTABLE]))
def test_float32_logits_equal_bitorch(name):
    model, reference = build(name)
    np.testing.assert_allclose(model(reference.turned_images, training=False), reference.logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", with_more(FIRST, MORE))
def test_float64_logits_equal_bitorch(name, float64):
    model, reference = build(name)
    np.testing.assert_allclose(model(reference.turned_images, training=False), reference.logits, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["melius_22_10_32", "melius_flex1211_1000_224", "melius_a_1000_224"])
def test_padding_with_plus_one_is_the_same_network(name, float64):
    model, reference = build(name, pad_value=1.0)
    np.testing.assert_allclose(model(reference.turned_images, training=False), reference.logits, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["melius_22_10_32", "melius_23_1000_224"])
def test_every_section_equals_bitorch(name, float64):
    model, reference = build(name)
    concat = "_concat" if "23" in name else ""
    blocks = models.SECTIONS[f"MeliusNet{name.split('_')[1]}"][0]
    layers = {
        **{f"DenseBlock_{i + 1}": f"section_{i}_block_{n - 1}_improve_concat" for i, n in enumerate(blocks)},
        **{f"Transition_{i + 1}": f"section_{i}_transition_pw{concat}" for i in range(3)},
    }
    assert set(layers) <= set(reference.blocks)
    outputs = [model.get_layer(layer).output for layer in layers.values()]
    values = tf.keras.Model(model.input, outputs)(reference.turned_images, training=False)
    for key, value in zip(layers, values, strict=True):
        upright = value.numpy()[:, ::-1, ::-1].transpose(0, 3, 1, 2)
        block = reference.blocks[key]
        np.testing.assert_allclose(upright.ravel()[block.index], block.value, rtol=0, atol=1e-9, err_msg=key)
        np.testing.assert_allclose([upright.mean(), upright.std()], [block.mean, block.std], rtol=1e-9, atol=1e-12)


def test_without_the_turn_the_logits_are_wrong():
    model, reference = build("melius_flex1211_1000_224")
    upright = reference.images.transpose(0, 2, 3, 1)
    assert np.abs(model(upright, training=False) - reference.logits).max() > 0.1


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("melius_22_10_32", {"_model.output.bias": None}, "1 entries are missing: _model.output.bias"),
        ("melius_22_10_32", {"_model.extra": np.zeros(3)}, "1 entries have no place: _model.extra"),
        (
            "melius_22_10_32",
            {"_model.finalize.0.bias": np.zeros(3)},
            r"finalize.0.bias \(3,\) \(does not fit head_bn.beta",
        ),
        (
            "melius_a_1000_224",
            {"_model.features.Transition_1.4.weight": np.zeros((162, 80, 1, 1))},
            r"4.weight \(162, 80, 1, 1\) \(does not fit section_0_transition_pw_conv0.kernel \(1, 1, 80, 40\)\)",
        ),
    ],
)
def test_a_state_dict_that_does_not_fit_changes_nothing(name, change, message):
    model, reference = build(name)
    before = [weight.numpy() for weight in model.weights]
    state = {key: -value for key, value in reference.weights.items()} | change
    with pytest.raises(StateDictError, match=message):
        load_meliusnet_state_dict(model, {key: value for key, value in state.items() if value is not None})
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_second_names_of_entries_are_ignored():
    model, reference = build("melius_22_10_32")
    alias = {"_model.current_dense_block.DenseLayer_1.features.1.weight": np.zeros((64, 64, 3, 3))}
    assert load_meliusnet_state_dict(model, reference.weights | alias) is model


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stem": "grouped", "pad_value": -1}, "build it with stem='conv7x7'"),
        ({"stem": "conv7x7", "pad_value": 0}, r"with 0\.0, bitorch's weights are for -1"),
    ],
)
def test_models_that_bitorch_does_not_have_are_refused(options, message):
    with pytest.raises(StateDictError, match=message):
        load_meliusnet_state_dict(models.MeliusNet([1], [], input_shape=(96, 96, 3), **options), {})


def test_a_weight_of_zero_counts_as_positive_in_either_form():
    outputs = []
    for pad_value in (-1, 1):
        model, reference = build("melius_22_10_32", pad_value)
        kernel = "_model.features.DenseBlock_1.DenseLayer_1.features.1.weight"
        load_meliusnet_state_dict(model, reference.weights | {kernel: np.zeros((64, 64, 3, 3))})
        binconv = model.get_layer("section_0_block_0_dense_binconv")
        outputs.append(tf.keras.Model(model.input, binconv.output)(reference.turned_images).numpy())
    assert np.ptp(outputs[0], axis=-1).max() == 0
    np.testing.assert_array_equal(*outputs)


def test_the_summary_has_a_row_for_every_layer():
    lines = []
    models.summary(models.MeliusNetA(), bits="32/32/32", print_fn=lines.append)
    text = "\n".join(lines)
    assert "section_0_transition_pw_conv3" in text
    assert "9,238,984" in text


def larq_zoo_listing():
    """(name, shape) of every weight of Larq Zoo's MeliusNet22 in the order of its file."""
    for line in (references.FOLDER / "larq_zoo_meliusnet22_weights.txt").read_text().splitlines():
        name, shape = line.split()
        yield name, tuple(map(int, shape.split("x")))


def test_weights_are_those_of_larq_zoo_in_its_order():
    model = melius22()
    assert [(weight.name.removesuffix(":0"), tuple(weight.shape)) for weight in model.weights] == list(
        larq_zoo_listing()
    )
    assert len(model.weights) == 216


@pytest.mark.parametrize("by_name", [False, True])
def test_a_file_in_the_form_of_larq_zoo_loads(tmp_path, by_name):
    """The published file itself is not at hand: this one has its layers, names, shapes and order."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.random(shape, np.float32) for name, shape in larq_zoo_listing()}
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        layers = list(dict.fromkeys(name.partition("/")[0] for name in arrays))
        file.attrs["layer_names"] = [layer.encode() for layer in ("input_1", *layers, "head_softmax")]
        for layer in ("input_1", *layers, "head_softmax"):
            names = [name for name in arrays if name.startswith(f"{layer}/")]
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{name}:0".encode() for name in names]
            for name in names:
                group[f"{name}:0"] = arrays[name]
    model = melius22()
    model.load_weights(tmp_path / "weights.h5", by_name=by_name)
    for weight in model.weights:
        np.testing.assert_array_equal(weight.numpy(), arrays[weight.name.removesuffix(":0")], err_msg=weight.name)


@pytest.fixture(scope="module")
def trained():
    """A network of every kind of layer: the grouped stem, a shuffle, a grouped transition; and images for it."""
    model = calibrated(models.MeliusNet([1, 1], [64], 4, input_shape=(96, 96, 3), num_classes=10))
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(1).standard_normal((4, 96, 96, 3)).astype(np.float32)
    model.fit(images, np.arange(4), verbose=0)
    return model, images


@pytest.mark.parametrize("file", with_more(["model.keras"], ["model.h5", "saved_model"]))
def test_a_whole_model_round_trips(trained, tmp_path, file):
    model, images = trained
    model.save(tmp_path / file)
    copy = tf.keras.models.load_model(tmp_path / file)
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    for training in (False, True):
        np.testing.assert_array_equal(model(images, training=training), copy(images, training=training))
    binconv = copy.get_layer("section_0_block_0_dense_binconv")
    assert binconv.kernel_constraint.clip_value == 1.3
    assert binconv.input_quantizer.clip_value == binconv.kernel_quantizer.clip_value == 1.3


def assert_converts(model, operators=frozenset()):
    """Every binary convolution as LCE's, all else as TFLite's own operators, and the answers those of Keras."""
    result = convert(model)
    binconvs = [layer.name for layer in model.layers if layer.name.endswith("_binconv")]
    assert result.binary_convs == binconvs
    assert result.verification.float_convs == []
    assert result.operators["LceBconv2d"] == result.operators["LceQuantize"] == len(binconvs)
    assert set(result.operators) <= BUILTIN | {"LceBconv2d", "LceQuantize"} | operators
    assert result.verification.passed
    assert result.verification.max_difference_same_signs < 1e-4
    return result


def test_meliusnet22_converts_to_the_fewest_operators():
    result = assert_converts(calibrated(models.MeliusNet22()))
    assert result.operators == Counter(
        CONV_2D=16,  # 13 of the stem, 3 transitions
        MUL=4,  # before ReLU, where gammas are of either sign: transitions and head
        ADD=34 + 17 + 4,  # a threshold before each sign, an improvement for each block, and the same four
        CONCATENATION=2 * 17 + 2,
        SPLIT=2,
        MAX_POOL_2D=4,
        LceQuantize=34,
        LceBconv2d=34,
        MEAN=1,
        FULLY_CONNECTED=1,
    )
    assert result.size < 4.15e6


@pytest.mark.exhaustive
def test_a_grouped_variant_converts_with_one_gather_for_each_shuffle():
    result = assert_converts(calibrated(models.MeliusNetA(input_shape=(96, 96, 3))))
    assert result.operators["GATHER"] == 3
    assert result.operators["SPLIT"] == 2 + 3
    assert result.operators["CONV_2D"] == 13 + 3 * 4


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["MeliusNet23", "MeliusNet29", "MeliusNetB", "MeliusNetC"])
def test_variants_convert_for_small_images(name):
    assert_converts(calibrated(getattr(models, name)(input_shape=(32, 32, 3), num_classes=10)))


@pytest.mark.exhaustive
def test_bitorchs_padding_costs_no_more_than_its_negated_form():
    model, _ = build("melius_22_10_32")
    minus_ones = assert_converts(model, operators={"SUB"})
    model, _ = build("melius_22_10_32", pad_value=1.0)
    negated = assert_converts(model, operators={"SUB"})
    assert minus_ones.operators == negated.operators
    np.testing.assert_allclose(minus_ones.size, negated.size, rtol=1e-3)


def test_the_stem_follows_the_image():
    def stem(side, **options):
        model = models.MeliusNet([1], [], input_shape=(side, side, 3), **options)
        convs = [layer for layer in model.layers if layer.name.startswith("stem") and layer.name.endswith("conv")]
        return convs[0].name, convs[0].kernel_size, model.get_layer("section_0_block_0_dense_bn").input_shape[1:]

    assert stem(96) == ("stem_s0_conv", (3, 3), (24, 24, 64))
    assert stem(96, stem="conv7x7") == ("stem_conv", (7, 7), (24, 24, 64))
    assert stem(96, stem="conv3x3") == ("stem_conv", (3, 3), (96, 96, 64))
    assert stem(64) == stem(64, stem="conv7x7") == ("stem_conv", (3, 3), (64, 64, 64))


def test_a_dynamic_shape_can_be_built_for_training():
    model = models.MeliusNet([1, 1], [64], 2, input_shape=(None, None, 3), num_classes=4)
    assert model(tf.zeros((1, 64, 96, 3))).shape == (1, 4)


def test_mixed_precision_keeps_the_logits_in_float32(mixed_float16):
    model = models.MeliusNet([1, 1], [64], 4, input_shape=(32, 32, 3), num_classes=4)
    assert model(tf.random.normal((2, 32, 32, 3))).dtype == tf.float32
    assert model.get_layer("section_0_block_0_dense_binconv").compute_dtype == "float16"


def test_the_improvement_changes_the_last_channels_only():
    model = models.MeliusNet([1], [], input_shape=(32, 32, 3))
    names = ["section_0_block_0_dense_concat", "section_0_block_0_improve_binconv", "section_0_block_0_improve_concat"]
    outputs = [model.get_layer(name).output for name in names]
    wide, improvement, improved = tf.keras.Model(model.input, outputs)(tf.random.normal((1, 32, 32, 3)))
    np.testing.assert_array_equal(improved[..., :-64], wide[..., :-64])
    np.testing.assert_array_equal(improved[..., -64:], wide[..., -64:] + improvement)


def test_channels_are_split_and_shuffled():
    x = tf.reshape(tf.range(24.0), (1, 1, 2, 12))
    assert [part.numpy().ravel().tolist() for part in SplitChannels(6)(x)][1] == [2, 3, 14, 15]
    shuffled = ShuffleChannels(4)(x).numpy()
    assert shuffled[0, 0, 0].tolist() == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]
    with pytest.raises(ValueError, match="layer 'shuffle': 12 channels cannot be shuffled in 5 groups"):
        ShuffleChannels(5, name="shuffle")(x)


@pytest.mark.parametrize(("arguments", "side"), [({}, 32), ({"stem_stride": 2}, 16)])
def test_the_stem_for_small_images_keeps_the_resolution_or_halves_it(arguments, side):
    with zero_weights():
        model = models.MeliusNet([1, 1], [64], input_shape=(32, 32, 3), num_classes=10, **arguments)
    assert model.get_layer("stem_conv").output_shape == (None, side, side, 64)
    assert model.get_layer("section_1_block_0_improve_add").output_shape == (None, side // 2, side // 2, 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": []}, "one positive number for each section"),
        ({"blocks": [1, 0]}, "one positive number for each section"),
        ({"transitions": [64, 64]}, r"got blocks \(1, 1\) and transitions \(64, 64\)"),
        ({"transitions": [66], "groups": 4}, "from 128 to 66 channels cannot have 4 groups"),
        ({"stem": "7x7"}, "stem must be one of 'grouped', 'conv7x7', 'conv3x3', got '7x7'"),
        ({"pad_value": 0.5}, "pad_value must be -1, 0 or 1, got 0.5"),
        ({"stem_stride": 3}, "stem_stride must be 1 or 2, got 3"),
        ({"stem_stride": 2}, "stem_stride=2: the stem 'grouped' has strides of its own"),
        ({"stem_stride": 2, "input_shape": (34, 32, 3)}, "must be multiples of 4"),
        ({"input_shape": (100, 100, 3)}, "must be multiples of 8"),
        ({"input_shape": (33, 32, 3)}, "must be multiples of 2"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.MeliusNet(**{"blocks": [1, 1], "transitions": [64], **arguments})
