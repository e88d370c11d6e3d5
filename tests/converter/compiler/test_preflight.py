"""What has no exact file is refused by name."""

from bnext_keras.quantizers import temperatures

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
