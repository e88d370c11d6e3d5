"""From state dicts of the released code to ready models; reading them from files is `test_checkpoint.py`'s business."""

from bnext_keras.importers import CheckpointError, StateDictError, import_bnext
from bnext_keras.importers.checkpoint import Checkpoint
from bnext_keras.importers.released import ImportedBNext, detect
from bnext_keras.orientation import is_rotating
from bnext_keras.quantizers import temperatures

import narrow_bnext
import numpy as np
import pytest
import references
from alike import with_more

from converter.compiler import preflight


@pytest.fixture
def import_state(monkeypatch):
    """Imports a state dict as if it had been read from a file."""

    def run(state, temperature=None, **options):
        monkeypatch.setattr(
            "bnext_keras.importers.released.read_checkpoint", lambda path: Checkpoint(state, temperature)
        )
        return import_bnext("checkpoint.pth.tar", **options)

    return run


@pytest.mark.parametrize("name", with_more(["bnext_tiny_10_32"], ["bnext_18_10_32"]))
def test_upright_images_give_the_released_codes_logits(import_state, float64, name):
    reference = references.load(name)
    imported = import_state(reference.weights)
    assert is_rotating(imported.model)
    assert imported.warnings == []
    assert imported.zero_weights == 0
    assert imported.temperature == np.float32(1e-8)
    upright = reference.images.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(imported.model(upright), reference.logits, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "variant", "stem_stride", "elm", "recoupling"),
    [
        ("bnext_tiny_1000_224", "BNextTiny", 2, True, True),
        ("bnext_small_100_64", "BNextSmall", 1, True, True),
        ("bnext_tiny_noelm_10_32", "BNextTiny", 1, False, True),
        ("bnext_tiny_norecoupling_10_32", "BNextTiny", 1, True, False),
        ("bnext_tiny_noelm_norecoupling_10_32", "BNextTiny", 1, False, False),
        ("bnext_18_1000_224", "BNext18", 2, True, True),
        ("bnext_18_10_32", "BNext18", 1, True, True),
    ],
)
def test_the_network_is_found_out(name, variant, stem_stride, elm, recoupling):
    reference = references.load(name)
    found = detect(reference.weights)
    assert (found.variant, found.stem_stride) == (variant, stem_stride)
    assert (found.elm_attention, found.info_recoupling) == (elm, recoupling)
    assert found.num_classes == reference.meta["num_classes"]


def test_the_input_size_follows_the_number_of_classes(import_state):
    assert import_state(narrow_bnext.state_dict()).input_size == 32
    large = import_state(narrow_bnext.state_dict(num_classes=1000))
    assert large.model.input_shape == (None, 224, 224, 3)
    assert large.architecture.stem_stride == 2
    assert import_state(narrow_bnext.state_dict(), input_size=48).model.input_shape == (None, 48, 48, 3)
    with pytest.raises(CheckpointError, match=r"input size 33: .*must be multiples of"):
        import_state(narrow_bnext.state_dict(), input_size=33)


def test_other_widths(import_state):
    imported = import_state(narrow_bnext.state_dict(widths=(8, 8, 16, 16)))
    assert imported.architecture.variant == "BNext"
    assert imported.architecture.widths == (8, 8, 16, 16)


def test_zero_weights_are_counted(import_state):
    state = {key: value.astype(np.float64) for key, value in narrow_bnext.state_dict().items()}
    state["feature.1.FFN_1.binary_conv.weight"].flat[:3] = 0
    state["feature.2.Attention.binary_conv.weight"].flat[:2] = -0.0, -1e-300
    imported = import_state(state)
    assert (imported.zero_weights, imported.binary_weights) == (5, 880)
    assert imported.warnings[0].startswith("5 of 880 binary weights are exactly 0")


@pytest.mark.parametrize("where", ["state dict", "temp"])
def test_a_temperature_that_is_not_annealed_is_a_warning(import_state, where):
    state = narrow_bnext.state_dict()
    if where == "state dict":
        state["feature.2.FFN_2.binary_conv.temperature"][:] = 0.25
    imported = import_state(state, 0.25 if where == "temp" else 1e-9)
    assert imported.temperature == 0.25
    assert "weight temperature is 0.25, not annealed" in imported.warnings[0]
    assert "rounded to their signs" in imported.warnings[0]
    assert set(map(float, temperatures(imported.model).values())) == {0.0}
    preflight.check(imported.model)


def test_bnext_18_is_annealed_earlier():
    found = detect(references.load("bnext_18_10_32").weights)
    facts = {"model": None, "architecture": found, "input_size": 32, "binary_weights": 1, "zero_weights": 0}
    assert ImportedBNext(**facts, temperature=9e-6).warnings == []
    assert "below 1e-05" in ImportedBNext(**facts, temperature=2e-5).warnings[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("fc.bias"), "checkpoint.pth.tar: bnext: 1 entries are missing: fc.bias"),
        (lambda state: state.update({"fc.extra": np.zeros(3)}), "1 entries have no place: fc.extra"),
        (lambda state: state.update({"prelu.weight": np.zeros(3)}), r"prelu.weight \(3,\) \(does not fit"),
        (lambda state: state.update({"layer0.bias": np.zeros(3)}), "have no place: layer0.bias"),
        (lambda state: state.pop("feature.2.FFN_1.se.se.1.bias"), "missing: feature.2.FFN_1.se.se.1.bias"),
    ],
)
def test_entries_that_do_not_fit_are_listed(import_state, change, message):
    state = narrow_bnext.state_dict()
    change(state)
    with pytest.raises(StateDictError, match=message):
        import_state(state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.clear(), "it has no fc.weight"),
        (lambda state: state.pop("feature.0.conv1.weight"), "it has no feature.0.conv1.weight"),
        (lambda state: state.update({"feature.0.conv1.weight": np.ones(())}), r"\(0, 0, 3, 3\)"),
        (lambda state: state.update({"fc.weight": np.ones((10**6, 1))}), "does not fit the 16 channels"),
        (lambda state: state.update({"fc.weight": np.ones(())}), "does not fit the 16 channels"),
        (lambda state: state.pop("feature.2.FFN_2.binary_conv.weight"), "FFN_2.binary_conv.weight is missing"),
        (
            lambda state: state.update({"feature.1.Attention.binary_conv.weight": np.ones((4, 4, 1, 1))}),
            r"feature.1.Attention.binary_conv.weight \(4, 4, 1, 1\) is not \(4, 4, 3, 3\)",
        ),
        (lambda state: state.update({"feature.2.FFN_3x3.scale": np.ones(8)}), "FFN_3x3.binary_conv.weight is missing"),
        (lambda state: state.update({f"feature.{i}.x": np.ones(1) for i in range(200)}), "it has 199 blocks"),
        (lambda state: state["fc.bias"].fill(np.nan), "1 entries have values that are not finite: fc.bias"),
        (lambda state: state["fc.bias"].fill(np.inf), "not finite"),
        (lambda state: state.update({"fc.bias": np.full(3, 1e300)}), "not finite"),
    ],
)
def test_what_is_no_bnext_is_refused_before_anything_large_is_built(import_state, change, message):
    state = narrow_bnext.state_dict()
    change(state)
    with pytest.raises(CheckpointError, match=message):
        import_state(state)
