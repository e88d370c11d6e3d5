"""What is counted and how it is shown; `test_counts.py` has the published figures."""

from bnext_keras import models

import pytest


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
