"""State dicts that fit and that do not."""

from bnext_keras.importers import StateDictError, load_bnext_state_dict
from bnext_keras.models import BNextTiny

import numpy as np
import pytest
import references


@pytest.fixture(scope="module")
def reference():
    return references.load("bnext_tiny_10_32")


@pytest.fixture(scope="module")
def model():
    """One for all tests: all but the last see that it has not changed."""
    return BNextTiny(input_shape=(32, 32, 3), num_classes=10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("fc.bias"), "1 entries are missing: fc.bias"),
        (lambda state: state.update({"fc.extra": np.zeros(3)}), "1 entries have no place: fc.extra"),
        (lambda state: state.update({"fc.bias": np.zeros(3)}), r"fc.bias \(3,\) \(does not fit head.bias \(10,\)\)"),
        (lambda state: state.update({"fc.weight": np.zeros((10, 1024, 3, 3))}), r"fc.weight \(10, 1024, 3, 3\)"),
    ],
)
def test_a_state_dict_that_does_not_fit_changes_nothing(model, reference, change, message):
    before = [weight.numpy() for weight in model.weights]
    state = dict(reference.weights)
    change(state)
    with pytest.raises(StateDictError, match=message):
        load_bnext_state_dict(model, state)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_the_wrong_variant_is_refused(reference):
    with pytest.raises(StateDictError, match="have another shape"):
        load_bnext_state_dict(BNextTiny(input_shape=(32, 32, 3), num_classes=11), reference.weights)


def test_a_mixing_scale_outside_its_range_is_clipped_in_the_1x1_processors_only(model, reference):
    state = {
        key: np.full_like(value, 1.5) if key.endswith(".scale") else value for key, value in reference.weights.items()
    }
    load_bnext_state_dict(model, state)
    assert model.get_layer("block3_1x1_mix").scale.numpy().max() == 1.0
    assert model.get_layer("block3_3x3_mix").scale.numpy().max() == 1.5
