"""What a conversion returns."""

import bnext_keras

from converter import convert


def test_a_result_shows_itself_in_one_line_without_its_bytes():
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10, name="net")
    result = convert(model)
    size = f"{result.size / 2**10:.2f} KiB"
    assert repr(result) == f"<ConversionResult 'net': {size}, 3 binary convolutions, verified>"
    result.verification.errors.append("layer 'conv': its convolution stayed float")
    assert repr(result).endswith("3 binary convolutions, not verified>")
