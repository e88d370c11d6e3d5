"""MeliusNet as published: arXiv 2001.05936 and its released code."""

from functools import partial

from bnext_keras.cards.card import Accuracy, Published
from bnext_keras.cards.larq import plotted

_meliusnet = partial(Published, bits="32/32/32", source="arXiv 2001.05936")
_AUTHORS = "hpi-xnor/BMXNet-v2"

MELIUSNET = (
    _meliusnet(
        name="MeliusNet22",
        accuracies=(Accuracy(63.6, 84.7, _AUTHORS), Accuracy(62.4, 83.9, "Larq Zoo")),
        latencies=plotted(110.7, 252.1),
        published_mebibytes=3.88,
        published_ops=2.08e8,
    ),
    _meliusnet(
        name="MeliusNet23",
        accuracies=(),
        published_mebibytes=None,
        published_ops=None,
    ),
    _meliusnet(
        name="MeliusNet29",
        accuracies=(Accuracy(65.8, 86.2, _AUTHORS),),
        published_mebibytes=5.07,
        published_ops=2.14e8,
    ),
    _meliusnet(
        name="MeliusNet42",
        accuracies=(Accuracy(69.2, 88.3, _AUTHORS),),
        published_mebibytes=10.1,
        published_ops=3.25e8,
    ),
    _meliusnet(
        name="MeliusNet59",
        accuracies=(Accuracy(70.7, 89.2, _AUTHORS),),
        published_mebibytes=17.4,
        published_ops=5.32e8,
    ),
    _meliusnet(
        name="MeliusNetA",
        accuracies=(Accuracy(63.4, 84.2, _AUTHORS),),
        published_mebibytes=4.05,
        published_ops=1.63e8,
    ),
    _meliusnet(
        name="MeliusNetB",
        accuracies=(Accuracy(65.7, 85.9, _AUTHORS),),
        published_mebibytes=5.0,
        published_ops=1.96e8,
    ),
    _meliusnet(
        name="MeliusNetC",
        accuracies=(Accuracy(64.1, 85.0, _AUTHORS),),
        published_mebibytes=4.46,
        published_ops=1.50e8,
    ),
)
