"""What has no exact file is refused by name."""

import larq as lq
import pytest

from converter import ConversionError, convert


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
