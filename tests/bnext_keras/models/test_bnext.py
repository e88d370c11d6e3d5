"""BNext against the released code, and how it is built."""

import bnext_keras
from bnext_keras.importers import load_bnext_state_dict
from bnext_keras.models import BNext, BNext18, BNextSmall, BNextTiny

import numpy as np
import pytest
import references
import tensorflow as tf
from alike import with_more
from zero_weights import zero_weights

NAMES = with_more(
    ["bnext_tiny_10_32", "bnext_tiny_noelm_norecoupling_10_32", "bnext_18_10_32"],
    [
        "bnext_tiny_1000_224",
        "bnext_tiny_noelm_10_32",
        "bnext_tiny_norecoupling_10_32",
        "bnext_small_100_64",
        "bnext_18_1000_224",
    ],
)
#: Blocks whose outputs are compared.
BLOCKS = {"bnext_tiny_10_32": 13, "bnext_18_10_32": 8}


def build(name):
    reference = references.load(name)
    side = reference.meta["input_shape_nchw"][-1]
    constructor = {"tiny": BNextTiny, "small": BNextSmall, "18": BNext18}[name.split("_")[1]]
    with zero_weights():
        model = constructor(
            input_shape=(side, side, 3),
            num_classes=reference.meta["num_classes"],
            elm_attention="noelm" not in name,
            info_recoupling="norecoupling" not in name,
        )
    return load_bnext_state_dict(model, reference.weights), reference


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NAMES)
def test_float32_logits_equal_the_released_code(name):
    model, reference = build(name)
    np.testing.assert_allclose(model(reference.turned_images, training=False), reference.logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_float64_logits_and_blocks_equal_the_released_code(name, float64):
    """Each block of a network whose blocks are on record, too."""
    model, reference = build(name)
    last_layer = {
        **{f"feature.{i}": f"block{i}_1x1" for i in range(1, 14)},
        **{f"layer{stage}.{i}": f"stage{stage}_block{i}_3x3b" for stage in range(4) for i in range(2)},
    }
    names = [key for key in reference.blocks if key in last_layer] if name in BLOCKS else []
    assert len(names) == BLOCKS.get(name, 0)
    layers = {layer.name for layer in model.layers}
    outputs = {"logits": model.output}
    for key in names:
        concat = f"{last_layer[key]}_concat"
        outputs[key] = model.get_layer(concat if concat in layers else f"{last_layer[key]}_add").output
    values = tf.keras.Model(model.input, outputs)(reference.turned_images, training=False)
    np.testing.assert_allclose(values["logits"], reference.logits, rtol=0, atol=1e-9)
    for key in names:
        upright = values[key].numpy()[:, ::-1, ::-1].transpose(0, 3, 1, 2)
        block = reference.blocks[key]
        np.testing.assert_allclose(upright.ravel()[block.index], block.value, rtol=0, atol=1e-9, err_msg=key)
        np.testing.assert_allclose([upright.mean(), upright.std()], [block.mean, block.std], rtol=1e-9, atol=1e-12)


def test_without_the_turn_the_logits_are_wrong():
    model, reference = build("bnext_tiny_10_32")
    upright = reference.images.transpose(0, 2, 3, 1)
    assert np.abs(model(upright, training=False) - reference.logits).max() > 0.1


def test_binary_kernels_and_activations_see_signs_only(small_bnext):
    convs = [layer for layer in small_bnext.layers if isinstance(layer, bnext_keras.layers.BinaryConv2D)]
    assert [layer.name for layer in convs] == [
        "block1_3x3_conv",
        "block1_1x1a_conv",
        "block1_1x1b_conv",
        "block2_3x3_conv",
        "block2_1x1a_conv",
        "block2_1x1b_conv",
    ]
    for layer in convs:
        fan_in = int(np.prod(layer.kernel.shape[:3]))
        values = layer(tf.random.normal((2, 8, 8, layer.kernel.shape[2])), training=False).numpy()
        assert np.array_equal(values, np.round(values))
        assert np.abs(values).max() <= fan_in


def test_the_stem_stride_follows_the_image():
    assert BNext([8, 16], input_shape=(64, 64, 3)).get_layer("stem_conv").strides == (1, 1)
    assert BNext([8, 16], input_shape=(96, 96, 3)).get_layer("stem_conv").strides == (2, 2)
    assert BNext([8, 16], input_shape=(64, 64, 3), stem_stride=2).get_layer("stem_conv").strides == (2, 2)


def test_a_dynamic_shape_can_be_built_for_training():
    model = BNext([8, 16, 32], input_shape=(None, None, 3), num_classes=4)
    assert model(tf.zeros((1, 64, 96, 3))).shape == (1, 4)


def test_mixed_precision_keeps_the_logits_in_float32(mixed_float16):
    model = BNext([8, 16], input_shape=(32, 32, 3), num_classes=4)
    assert model(tf.random.normal((2, 32, 32, 3))).dtype == tf.float32
    assert model.get_layer("block1_3x3_conv").compute_dtype == "float16"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": [32]}, "stem and at least one block"),
        ({"widths": [32, 48]}, r"widths\[1\] = 48 must equal widths\[0\] = 32 or be twice as much"),
        ({"widths": [8, 16, 32], "input_shape": (35, 32, 3)}, "must be multiples of 2"),
        ({"widths": [8, 16, 32], "input_shape": (102, 102, 3)}, "must be multiples of 4"),
        ({"widths": [8, 16], "stem_stride": 3}, "stem_stride must be 1 or 2"),
        ({"widths": [8, 16], "num_classes": 0}, "num_classes must be a whole number above 0, got 0"),
        ({"widths": [8, 16], "num_classes": None}, "num_classes must be a whole number above 0, got None"),
        ({"widths": [8, 16], "classes": 0}, "classes must be a whole number above 0, got 0"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        BNext(**arguments)


def test_bnext_18_refuses_odd_maps():
    with pytest.raises(ValueError, match="must be multiples of 32"):
        BNext18(input_shape=(200, 224, 3))
