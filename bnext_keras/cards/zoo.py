"""The comparison networks as published, each by its own paper; those of Larq Zoo also as Larq Zoo trained them.

An accuracy that was not read where it was published is marked: ``checked=False``.
"""

from functools import partial
from typing import Any

from bnext_keras.cards.card import Accuracy, Published
from bnext_keras.cards.larq import plotted, tabled

LARQ_ZOO = "Larq Zoo"


def _published(name: str, source: str, *accuracies: Accuracy, **facts: Any) -> Published:
    defaults = {"bits": "32/32/32", "published_mebibytes": None, "published_ops": None}
    return Published(name=name, source=source, accuracies=accuracies, **{**defaults, **facts})


def _remembered(top1: float, top5: float | None = None) -> Accuracy:
    return Accuracy(top1, top5, "the paper", checked=False)


_bnn = "arXiv 1602.02830"
_xnor = "arXiv 1603.05279"
_dorefa = "arXiv 1606.06160"
_wrpn = "arXiv 1709.01134"
_abc = "arXiv 1711.11294"
_bireal = "arXiv 1808.00278"
_bireal_authors = "liuzechun/Bi-Real-net"
_group = "arXiv 1811.10413"
_densenet = "arXiv 1906.08637"
_densenet_authors = "hpi-xnor/BMXNet-v2-wiki"
_real_to_binary = "arXiv 2003.11535"
_react = "arXiv 2003.03488"
_react_authors = "liuzechun/ReActNet"
_quicknet = "arXiv 2011.09398"
_bool = "arXiv 2106.06991"
_bool_authors = "hpi-xnor/BoolNet"
_poke = "arXiv 2112.00133"

_groupnet = partial(_published, network="GroupNet18")
_pokebnn = partial(_published, network="PokeBNN", bits="8/4/8")

ZOO = (
    # CIFAR-10's error of 11.40% is no accuracy on ImageNet.
    _published("BinaryNet", _bnn, input_size=32),
    _published("LarqBinaryNet", _bnn, input_size=32),
    _published(
        "BinaryAlexNet",
        _bnn,
        Accuracy(36.3, 61.53, LARQ_ZOO),
        latencies=plotted(44.4, 109.5),
    ),
    _published(
        "XNORNet",
        _xnor,
        Accuracy(44.96, 69.18, LARQ_ZOO),
        _remembered(44.2, 69.2),
        latencies=plotted(29.3, 54.7),
    ),
    _published("XNORResNet18", _xnor, _remembered(51.2, 73.2)),
    _published("DoReFaNet", _dorefa, Accuracy(53.39, 76.5, LARQ_ZOO)),
    *(
        _published(f"WRPNResNet34-{width}x", _wrpn, _remembered(top1), network="WRPNResNet34", options={"width": width})
        for width, top1 in ((1, 60.54), (2, 69.85), (3, 72.38))
    ),
    _published("ABCResNet18", _abc, _remembered(65.0, 85.9)),
    _published("ABCResNet34", _abc, _remembered(68.4, 88.2)),
    _published(
        "BiRealNet",
        _bireal,
        Accuracy(57.47, 79.84, LARQ_ZOO),
        latencies=plotted(41.7, 85.4),
    ),
    _published("BiRealNet18", _bireal, Accuracy(56.4, 79.5, _bireal_authors), published_ops=1.63e8),
    _published("BiRealNet34", _bireal, Accuracy(62.2, 83.9, _bireal_authors)),
    _published("BiRealNet50", _bireal, Accuracy(62.6, 83.9, _bireal_authors)),
    _published("BiRealNet152", _bireal, _remembered(64.5, 85.5)),
    _groupnet("GroupNet18", _group, _remembered(64.8, 85.7)),
    _groupnet("GroupNet18-gates", _group, options={"scales": False}),
    _groupnet("GroupNet18-scales", _group, options={"gates": False}),
    _published(
        "BinaryDenseNet28",
        _densenet,
        Accuracy(60.91, 82.83, LARQ_ZOO),
        Accuracy(61.7, 83.3, _densenet_authors),
        published_ops=2.58e8,
        published_mebibytes=4.04,
        latencies=plotted(84.9, 181.0),
    ),
    _published(
        "BinaryDenseNet37",
        _densenet,
        Accuracy(62.89, 84.19, LARQ_ZOO),
        Accuracy(63.3, 84.4, _densenet_authors),
        published_ops=2.70e8,
        published_mebibytes=5.13,
        latencies=plotted(97.1, 206.8),
    ),
    _published(
        "BinaryDenseNet37Dilated",
        _densenet,
        Accuracy(64.34, 85.15, LARQ_ZOO),
        _remembered(63.7, 84.8),
        latencies=plotted(174.9, 352.3),
    ),
    _published(
        "BinaryDenseNet45",
        _densenet,
        Accuracy(64.59, 85.21, LARQ_ZOO),
        latencies=plotted(129.3, 268.9),
    ),
    _published(
        "BinaryResNetE18",
        _densenet,
        Accuracy(58.32, 80.79, LARQ_ZOO),
        Accuracy(60.0, 81.9, _densenet_authors),
        published_ops=1.63e8,
        published_mebibytes=4.0,
        latencies=plotted(41.8, 86.1),
    ),
    _published(
        "RealToBinaryNet",
        _real_to_binary,
        Accuracy(65.01, 85.72, LARQ_ZOO),
        Accuracy(65.4, None, _react_authors),
        latencies=plotted(48.8, 99.4),
    ),
    _published("ReActNetA", _react, Accuracy(69.5, None, _react_authors), published_ops=0.87e8),
    _published("ReActNetB", _react, _remembered(70.1)),
    _published("ReActNetC", _react, _remembered(71.4)),
    _published("ReActResNet18", _react, Accuracy(65.9, None, _react_authors)),
    _published(
        "QuickNetSmall",
        _quicknet,
        Accuracy(59.4, 81.8, LARQ_ZOO),
        published_mebibytes=4.0,
        latencies=plotted(17.5, 31.6) + tabled(16.8, 27.7),
    ),
    _published(
        "QuickNet",
        _quicknet,
        Accuracy(63.3, 84.6, LARQ_ZOO),
        published_mebibytes=4.17,
        latencies=plotted(27.4, 51.7) + tabled(25.5, 45.0),
    ),
    _published(
        "QuickNetLarge",
        _quicknet,
        Accuracy(66.9, 87.0, LARQ_ZOO),
        published_mebibytes=5.4,
        latencies=plotted(45.5, 84.3) + tabled(44.2, 77.0),
    ),
    _published("BaseNet-1", _bool, Accuracy(48.9, None, _bool_authors), network="BaseNet", options={"slices": 1}),
    _published("BaseNet-4", _bool, Accuracy(55.1, None, _bool_authors), network="BaseNet", options={"slices": 4}),
    _published("BoolNet", _bool, Accuracy(57.6, None, _bool_authors)),
    _published("BoolNetStar", _bool, Accuracy(59.6, None, _bool_authors)),
    _pokebnn("PokeBNN-0.5x", _poke, Accuracy(65.2, None, "Papers with Code"), options={"width": 0.5}),
    _pokebnn("PokeBNN-0.75x", _poke, Accuracy(70.5, None, "the paper"), options={"width": 0.75}),
    _pokebnn("PokeBNN-1x", _poke, Accuracy(73.4, None, "Papers with Code"), options={"width": 1.0}),
    _pokebnn("PokeBNN-1.4x", _poke, Accuracy(75.6, None, "the paper"), options={"width": 1.4}),
    _pokebnn("PokeBNN-2x", _poke, _remembered(77.2), options={"width": 2.0}),
)
