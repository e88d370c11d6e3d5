"""Every published variant on a card: what was reported of it, and what it costs.

Plain data that needs no TensorFlow. Accuracies are those that somebody published, never this project's guesses; counts
are those of `bnext_keras.models` at 1000 classes, and tests compare them with the built models.

>>> from bnext_keras.cards import find
>>> card = find("BNextTiny")
>>> card.accuracies[0].top1, card.parameters, f"{card.binary_share:.1%}"
(72.4, 30853276, '91.6%')

On the command line: ``bnext-models``.
"""

from dataclasses import asdict, dataclass
from functools import partial


@dataclass(frozen=True)
class Accuracy:
    """One report of a variant's accuracy on ImageNet's validation images, in percent.

    Attributes:
        top1: Share of images whose class is the first answer.
        top5: Share of images whose class is among the first five answers, None where it was not published.
        by: Who published it.
    """

    top1: float
    top5: float | None
    by: str


@dataclass(frozen=True)
class Card:
    """What is known of one variant.

    Attributes:
        name: The function of `bnext_keras.models` that builds it.
        accuracies: What was published, its authors' figure first; empty if nothing was.
        parameters: Trained parameters, without running statistics.
        binary_parameters: Those of them with one bit.
        binary_macs: Multiply-accumulates of binary convolutions for one image.
        other_macs: All others.
        bits: How its paper counts stem, squeeze-and-expand and head, see `bnext_keras.models.Costs.ops`.
        ops: Operations at these ``bits``.
        mebibytes: Size with one bit for a binary weight and float32 for the rest.
        published_mebibytes: The paper's size at ``bits``, with parameters that its code has and never uses; None where
            it was not published.
        published_ops: The paper's operations at ``bits``, None where they were not published.
        source: Where the architecture was published.
        input_size: Height and width of the images that all these figures are for.
    """

    name: str
    accuracies: tuple[Accuracy, ...]
    parameters: int
    binary_parameters: int
    binary_macs: int
    other_macs: int
    bits: str
    ops: int
    mebibytes: float
    published_mebibytes: float | None
    published_ops: float | None
    source: str
    input_size: int = 224

    @property
    def binary_share(self) -> float:
        """Share of the parameters that have one bit."""
        return self.binary_parameters / self.parameters

    def to_dict(self) -> dict:
        """Everything, ready for JSON."""
        return {**asdict(self), "binary_share": round(self.binary_share, 4)}


_bnext = partial(Card, source="arXiv 2211.12933")
_meliusnet = partial(Card, bits="32/32/32", source="arXiv 2001.05936")

_BNEXT = "hpi-xnor/BNext"
_MELIUSNET = "hpi-xnor/BMXNet-v2"

CARDS = (
    _bnext(
        name="BNextTiny",
        accuracies=(Accuracy(72.4, None, _BNEXT),),
        parameters=30_853_276,
        binary_parameters=28_253_184,
        binary_macs=4_816_896_000,
        other_macs=13_344_512,
        bits="8/4/8",
        ops=76_839_408,
        mebibytes=13.29,
        published_mebibytes=5.40,
        published_ops=0.077e9,
    ),
    _bnext(
        name="BNextSmall",
        accuracies=(Accuracy(76.1, None, _BNEXT),),
        parameters=68_581_174,
        binary_parameters=63_569_664,
        binary_macs=10_838_016_000,
        other_macs=21_128_640,
        bits="8/4/8",
        ops=171_776_604,
        mebibytes=26.70,
        published_mebibytes=11.15,
        published_ops=0.172e9,
    ),
    _bnext(
        name="BNextMiddle",
        accuracies=(Accuracy(78.3, None, _BNEXT),),
        parameters=134_479_894,
        binary_parameters=126_238_464,
        binary_macs=20_086_456_320,
        other_macs=24_262_080,
        bits="8/4/8",
        ops=316_479_324,
        mebibytes=46.49,
        published_mebibytes=20.48,
        published_ops=0.317e9,
    ),
    _bnext(
        name="BNextLarge",
        accuracies=(
            Accuracy(80.57, None, _BNEXT),
            Accuracy(80.47, None, "a published review, with 8-bit first and last layers"),
        ),
        parameters=326_504_912,
        binary_parameters=308_310_016,
        binary_macs=52_150_927_360,
        other_macs=39_418_880,
        bits="8/4/8",
        ops=818_804_672,
        mebibytes=106.16,
        published_mebibytes=47.86,
        published_ops=0.819e9,
    ),
    _bnext(
        name="BNext18",
        accuracies=(Accuracy(68.4, None, _BNEXT),),
        parameters=12_062_728,
        binary_parameters=10_985_472,
        binary_macs=1_676_279_808,
        other_macs=138_141_696,
        # Unlike its siblings' figures, the published ones are those of float layers.
        bits="32/32/32",
        ops=164_333_568,
        mebibytes=5.42,
        published_mebibytes=5.4,
        published_ops=0.164e9,
    ),
    _meliusnet(
        name="MeliusNet22",
        accuracies=(Accuracy(63.6, 84.7, _MELIUSNET), Accuracy(62.4, 83.9, "Larq Zoo")),
        parameters=6_944_584,
        binary_parameters=6_119_424,
        binary_macs=4_624_220_160,
        other_macs=136_388_608,
        ops=208_642_048,
        mebibytes=3.88,
        published_mebibytes=3.88,
        published_ops=2.08e8,
    ),
    _meliusnet(
        name="MeliusNet23",
        accuracies=(),
        parameters=8_187_784,
        binary_parameters=7_446_528,
        binary_macs=2_532_483_072,
        other_macs=74_543_616,
        ops=114_113_664,
        mebibytes=3.72,
        published_mebibytes=None,
        published_ops=None,
    ),
    _meliusnet(
        name="MeliusNet29",
        accuracies=(Accuracy(65.8, 86.2, _MELIUSNET),),
        parameters=11_328_328,
        binary_parameters=10_321_920,
        binary_macs=5_469_585_408,
        other_macs=129_491_968,
        ops=214_954_240,
        mebibytes=5.07,
        published_mebibytes=5.07,
        published_ops=2.14e8,
    ),
    _meliusnet(
        name="MeliusNet42",
        accuracies=(Accuracy(69.2, 88.3, _MELIUSNET),),
        parameters=26_825_544,
        binary_parameters=24_956_928,
        binary_macs=9_692_798_976,
        other_macs=175_066_368,
        ops=326_516_352,
        mebibytes=10.10,
        published_mebibytes=10.1,
        published_ops=3.25e8,
    ),
    _meliusnet(
        name="MeliusNet59",
        accuracies=(Accuracy(70.7, 89.2, _MELIUSNET),),
        parameters=55_555_336,
        binary_parameters=52_641_792,
        binary_macs=18_316_247_040,
        other_macs=247_074_048,
        ops=533_265_408,
        mebibytes=17.39,
        published_mebibytes=17.4,
        published_ops=5.32e8,
    ),
    _meliusnet(
        name="MeliusNetA",
        accuracies=(Accuracy(63.4, 84.2, _MELIUSNET),),
        parameters=9_238_984,
        binary_parameters=8_441_856,
        binary_macs=4_851_818_496,
        other_macs=87_401_216,
        ops=163_210_880,
        mebibytes=4.05,
        published_mebibytes=4.05,
        published_ops=1.63e8,
    ),
    _meliusnet(
        name="MeliusNetB",
        accuracies=(Accuracy(65.7, 85.9, _MELIUSNET),),
        parameters=12_239_176,
        binary_parameters=11_280_384,
        binary_macs=5_722_472_448,
        other_macs=107_127_296,
        ops=196_540_928,
        mebibytes=5.00,
        published_mebibytes=5.0,
        published_ops=1.96e8,
    ),
    _meliusnet(
        name="MeliusNetC",
        accuracies=(Accuracy(64.1, 85.0, _MELIUSNET),),
        parameters=12_240_264,
        binary_parameters=11_427_840,
        binary_macs=4_353_269_760,
        other_macs=82_885_376,
        ops=150_905_216,
        mebibytes=4.46,
        published_mebibytes=4.46,
        published_ops=1.50e8,
    ),
)


def find(name: str) -> Card | None:
    """The card of that name in upper or lower case, None if there is none."""
    return next((card for card in CARDS if card.name.lower() == name.lower()), None)
