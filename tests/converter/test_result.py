"""What a conversion returns."""

import bnext_keras

import pytest
import tensorflow as tf

from converter import convert, read_metadata


def test_a_result_shows_itself_in_one_line_without_its_bytes():
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10, name="net")
    result = convert(model)
    size = f"{result.size / 2**10:.2f} KiB"
    assert repr(result) == f"<ConversionResult 'net': {size}, 3 binary convolutions, verified>"
    result.verification.errors.append("layer 'conv': its convolution stayed float")
    assert repr(result).endswith("3 binary convolutions, not verified>")


def test_what_a_result_consists_of_shows_itself_in_a_line_too():
    image = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(image, tf.keras.layers.Dense(10)(tf.keras.layers.Flatten()(image)))
    result = convert(model, labels=[f"class {i}" for i in range(10)])
    assert repr(result.verification) == "<Verification on 8 inputs: passed>"
    assert repr(result.inspection).startswith("<Inspection: ")
    assert "class 9" not in repr(read_metadata(result.content))


def test_a_conversion_from_python_prints_nothing(conv_model, capfd):
    convert(conv_model((8, 8, 32), filters=32, kernel_size=3))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("model", [None, bnext_keras.models.BNextTiny, [1, 2]])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(TypeError, match=r"the model must be a tf\.keras\.Model .*, or a file's path, not"):
        convert(model)
