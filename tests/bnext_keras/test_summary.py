"""Counts against the papers' tables."""

from bnext_keras import models

import pytest

#: Parameters that the released code has and never uses: the published sizes count them.
UNUSED = {"BNextTiny": 8960, "BNextSmall": 13440, "BNextMiddle": 22080, "BNextLarge": 41728, "BNext18": 1920}


@pytest.mark.parametrize(
    ("name", "parameters", "binary", "binary_gmacs", "stem", "squeeze_expand", "head"),
    [
        ("BNextTiny", 30_853_276, 28_253_184, 4.817, 10.84, 1.48, 1.02),
        ("BNextSmall", 68_581_174, 63_569_664, 10.838, 16.26, 3.34, 1.54),
        ("BNextMiddle", 134_479_894, 126_238_464, 20.086, 16.26, 6.47, 1.54),
        ("BNextLarge", 326_504_912, 308_310_016, 52.151, 21.68, 15.69, 2.05),
        ("BNext18", 12_062_728, 10_985_472, 1.676, 137.28, 0.35, 0.51),
    ],
)
def test_counts_equal_the_published_ones(name, parameters, binary, binary_gmacs, stem, squeeze_expand, head):
    costs = models.count(getattr(models, name)())
    assert costs.parameters == parameters
    assert costs.binary_parameters == binary
    assert round(costs.binary_macs / 1e9, 3) == binary_gmacs
    assert round(costs.macs_by_role["stem"] / 1e6, 2) == stem
    assert round(costs.macs_by_role["squeeze-and-expand"] / 1e6, 2) == squeeze_expand
    assert round(costs.macs_by_role["head"] / 1e6, 2) == head
    assert costs.macs_by_role["other"] == 0

    # Published with three digits and, for BNext-M, one too many in the last; BNext-18's with float layers.
    published_ops = {
        "BNextTiny": 0.077,
        "BNextSmall": 0.172,
        "BNextMiddle": 0.317,
        "BNextLarge": 0.819,
        "BNext18": 0.164,
    }
    ops = costs.ops("32/32/32" if name == "BNext18" else "8/4/8")
    assert ops / 1e9 == pytest.approx(published_ops[name], abs=0.0006)
    # The published degree is computed from rounded figures, for BNext-18 with 8/4/8 bits after all.
    published_degree = {"BNextTiny": 97.81, "BNextSmall": 98.47, "BNextMiddle": 99.02, "BNextLarge": 99.49}
    gmacs = round(costs.binary_macs / 1e9, 2)
    gops = round(costs.ops("8/4/8") / 1e9, 3) if name == "BNext18" else published_ops[name]
    assert 100 * gmacs / (64 * gops) == pytest.approx(published_degree.get(name, 61.04), abs=0.01)

    published_mib = {"BNextTiny": 5.40, "BNextSmall": 11.15, "BNextMiddle": 20.48, "BNextLarge": 47.86}
    published_float_mib = {
        "BNextTiny": 13.3,
        "BNextSmall": 26.7,
        "BNextMiddle": 46.6,
        "BNextLarge": 106.3,
        "BNext18": 5.4,
    }
    unused = 4 * UNUSED[name] / 2**20
    assert round(costs.mebibytes() + unused, 1) == published_float_mib[name]
    if name in published_mib:
        assert costs.mebibytes("8/4/8") + unused == pytest.approx(published_mib[name], abs=0.0075)


def test_fewer_classes_and_pixels_cost_less():
    costs = models.count(models.BNextTiny(input_shape=(32, 32, 3), num_classes=10))
    assert costs.parameters == 29_838_526
    assert round(costs.binary_macs / 1e9, 3) == 0.393


def test_frozen_layers_and_nested_models_count():
    inner = models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
    expected = models.count(inner)
    inner.trainable = False
    assert models.count(inner) == expected
    import tensorflow as tf

    image = tf.keras.Input((32, 32, 3))
    assert models.count(tf.keras.Model(image, inner(image))) == expected


def test_summary_prints_layers_and_totals():
    lines = []
    model = models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
    costs = models.summary(model, print_fn=lines.append)
    text = "\n".join(lines)
    # 8 channels: 3x3x8x8 + 2 x 1x1x8x8 = 704 binary weights, each used once for each of 32x32 pixels.
    assert costs.binary_parameters == 704
    assert costs.binary_macs == 704 * 1024
    assert "block1_3x3_conv" in text
    assert "720,896" in text


@pytest.mark.parametrize("bits", ["8/4", "8/4/7", "eight", ""])
def test_bit_widths_that_nobody_counts_are_refused(bits):
    with pytest.raises(ValueError, match="three widths of 4, 8 or 32"):
        models.Costs().ops(bits)
