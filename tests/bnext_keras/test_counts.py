"""Counts of every variant against the papers' tables, and against its card."""

import functools

from bnext_keras import models
from bnext_keras.cards import CARDS

import pytest
from alike import with_more
from zero_weights import fill_with_zeros


@functools.cache
def counted(name, **options):
    """The costs of a variant at 224x224; a large one takes long to build, and two tests want it.

    MeliusNet's default stem is the grouped one: naming it would build the network once more.
    """
    with pytest.MonkeyPatch.context() as patch:
        fill_with_zeros(patch)
        model = getattr(models, name)(**options)
    assert model.input_shape == (None, 224, 224, 3)
    return models.count(model)


#: Counted in every run: one of each kind.
FIRST = ("BNextTiny", "BNext18", "MeliusNet22", "MeliusNetA")

#: Parameters that the released code has and never uses: the published sizes count them.
UNUSED = {"BNextTiny": 8960, "BNextSmall": 13440, "BNextMiddle": 22080, "BNextLarge": 41728, "BNext18": 1920}


@pytest.mark.parametrize(
    ("name", "parameters", "binary", "binary_gmacs", "stem", "squeeze_expand", "head"),
    with_more(
        [
            ("BNextTiny", 30_853_276, 28_253_184, 4.817, 10.84, 1.48, 1.02),
            ("BNext18", 12_062_728, 10_985_472, 1.676, 137.28, 0.35, 0.51),
        ],
        [
            ("BNextSmall", 68_581_174, 63_569_664, 10.838, 16.26, 3.34, 1.54),
            ("BNextMiddle", 134_479_894, 126_238_464, 20.086, 16.26, 6.47, 1.54),
            ("BNextLarge", 326_504_912, 308_310_016, 52.151, 21.68, 15.69, 2.05),
        ],
    ),
)
def test_counts_of_bnext_equal_the_published_ones(name, parameters, binary, binary_gmacs, stem, squeeze_expand, head):
    costs = counted(name)
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


#: MeliusNet's MiB and 1e8 operations.
PUBLISHED = {
    "MeliusNet22": (3.88, 2.08),
    "MeliusNet29": (5.07, 2.14),
    "MeliusNet42": (10.1, 3.25),
    "MeliusNet59": (17.4, 5.32),
    "MeliusNetA": (4.05, 1.63),
    "MeliusNetB": (5.0, 1.96),
    "MeliusNetC": (4.46, 1.50),
}


@pytest.mark.parametrize(
    ("name", "binary", "binary_gmacs", "float_mmacs", "parameters"),
    with_more(
        [
            ("MeliusNet22", 6_119_424, 4.624, (185.8, 136.4), (6_948_392, 6_944_584)),
            ("MeliusNetA", 8_441_856, 4.852, (136.8, 87.4), (9_242_792, 9_238_984)),
        ],
        [
            ("MeliusNet23", 7_446_528, 2.532, (123.9, 74.5), (8_191_592, 8_187_784)),
            ("MeliusNet29", 10_321_920, 5.470, (178.9, 129.5), (11_332_136, 11_328_328)),
            ("MeliusNet42", 24_956_928, 9.693, (224.4, 175.1), (26_829_352, 26_825_544)),
            ("MeliusNet59", 52_641_792, 18.316, (296.4, 247.1), (55_559_144, 55_555_336)),
            ("MeliusNetB", 11_280_384, 5.722, (156.5, 107.1), (12_242_984, 12_239_176)),
            ("MeliusNetC", 11_427_840, 4.353, (132.3, 82.9), (12_244_072, 12_240_264)),
        ],
    ),
)
def test_counts_of_meliusnet_equal_the_published_ones(name, binary, binary_gmacs, float_mmacs, parameters):
    both = [counted(name, stem="conv7x7"), counted(name)]
    for i, costs in enumerate(both):
        assert costs.binary_parameters == binary
        assert round(costs.binary_macs / 1e9, 3) == binary_gmacs
        assert round((costs.macs - costs.binary_macs) / 1e6, 1) == float_mmacs[i]
        assert costs.parameters == parameters[i]
    grouped = both[1]
    assert round(grouped.macs_by_role["stem"] / 1e6, 2) == 68.64
    assert grouped.macs_by_role["head"] == grouped.parameters_by_role["head"] - 1000

    # Published for the grouped stem, rounded in one way or another.
    mebibytes, ops = PUBLISHED.get(name, (grouped.mebibytes(), grouped.ops() / 1e8))
    assert grouped.mebibytes() == pytest.approx(mebibytes, abs=0.011)
    assert grouped.ops() / 1e8 == pytest.approx(ops, rel=0.01)


OWN = [card for card in CARDS if card.network in models.__all__]


@pytest.mark.parametrize(
    "card",
    with_more([card for card in OWN if card.name in FIRST], [card for card in OWN if card.name not in FIRST]),
    ids=lambda card: card.name,
)
def test_cards_tell_the_counts_of_the_built_network(card):
    costs = counted(card.name)
    assert card.input_size == 224
    assert costs.parameters == card.parameters
    assert costs.binary_parameters == card.binary_parameters
    assert costs.binary_macs == card.binary_macs
    assert costs.macs - costs.binary_macs == card.other_macs
    assert costs.ops(card.bits) == card.ops
    assert round(costs.mebibytes(), 2) == card.mebibytes
