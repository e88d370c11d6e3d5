"""What is compared: points of accuracy and cost, each with where its figures are from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bnext_keras import energy
from bnext_keras.cards import CARDS, Accuracy, Card
from bnext_keras.charts.scale import number
from bnext_keras.text import format_count

#: Where the counts of cards are from.
COUNTED = "counted here"

#: Where estimates of energy are from.
ESTIMATED = "estimated here, 45 nm and DRAM"

#: Published figures that are further off than this are points of their own.
_NOTABLE = 0.02


@dataclass(frozen=True)
class Axis:
    """A cost that accuracy is drawn against.

    Attributes:
        name: What options call it.
        title: What stands at the axis and above a table's column.
        text: A value with its unit.
    """

    name: str
    title: str
    text: Callable[[float], str]


#: Every axis by its name.
AXES = {
    axis.name: axis
    for axis in (
        Axis("ops", "operations for an image, OPs", lambda value: f"{format_count(value)} OPs"),
        Axis("size", "size of the parameters, MiB", lambda value: f"{value:.2f} MiB"),
        Axis("latency", "milliseconds for an image", lambda value: f"{number(value)} ms"),
        Axis("energy", "estimated energy for an image, mJ", lambda value: f"{number(value)} mJ"),
    )
}

#: Those that are drawn unless somebody asks for others: no estimates.
DEFAULT_AXES = ("ops", "size", "latency")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One network on one axis.

    Attributes:
        network: Its name; points of one name belong together.
        axis: Name of the axis.
        value: Its cost there.
        accuracy: Its top-1 accuracy on ImageNet, with who published it.
        origin: Where the cost is from; points of one origin share a mark and an entry of the legend.
        is_ours: Whether this project counted or measured the cost; other points are drawn hollow.
        note: What must be known of the cost, such as ``throttled``.
        architecture: Where the network was published; empty if that is not known.
    """

    network: str
    axis: str
    value: float
    accuracy: Accuracy
    origin: str
    is_ours: bool
    note: str = ""
    architecture: str = ""

    @property
    def label(self) -> str:
        """The network's name, marked if its accuracy was not read where it was published."""
        return self.network if self.accuracy.checked else f"~{self.network}"

    @property
    def text(self) -> str:
        """Both figures and where they are from, in a line."""
        by = self.accuracy.by if self.accuracy.checked else f"{self.accuracy.by}, as others cite it: not checked"
        note = f", {self.note}" if self.note else ""
        value = AXES[self.axis].text(self.value)
        return f"{self.network}: {self.accuracy.top1:g}% top-1 ({by}), {value} ({self.origin}{note})"


def points_of_cards(cards: Iterable[Card] = CARDS) -> list[Point]:
    """The points of all networks whose accuracy on ImageNet was published, on every axis.

    Operations and sizes are those counted here. Where a paper's figure differs, because it counts fewer bits, it is a
    point too. Latencies are those that others published.
    """
    return [point for card in cards if card.accuracies for point in _points(card)]


def without_accuracy(cards: Iterable[Card] = CARDS) -> list[str]:
    """A line about the networks that cannot be drawn, for nobody published an accuracy on ImageNet; or no line."""
    names = [card.name for card in cards if not card.accuracies]
    return [f"{', '.join(names)}: no accuracy on ImageNet was published"] if names else []


def _points(card: Card) -> Iterable[Point]:
    yield of_card(card, "ops", card.ops, COUNTED, is_ours=True)
    yield of_card(card, "size", card.mebibytes, COUNTED, is_ours=True)
    yield of_card(card, "energy", energy.of_card(card).total, ESTIMATED, is_ours=True)
    for axis, counted, published in (
        ("ops", card.ops, card.published_ops),
        ("size", card.mebibytes, card.published_mebibytes),
    ):
        if published is not None and abs(published - counted) > _NOTABLE * counted:
            origin = "published by the authors, who count other bits"
            yield of_card(card, axis, published, origin, is_ours=False, note=f"{card.bits} bits" * (axis == "size"))
    for device in dict.fromkeys(latency.device for latency in card.latencies):
        latency = next(latency for latency in card.latencies if latency.device == device)
        origin = f"{latency.device}, {latency.conditions} ({latency.by})"
        yield of_card(card, "latency", latency.milliseconds, origin, is_ours=False)


def of_card(card: Card, axis: str, value: float, origin: str, *, is_ours: bool, note: str = "") -> Point:
    """A point of a card's network at its first published accuracy."""
    return Point(
        network=card.name,
        axis=axis,
        value=value,
        accuracy=card.accuracies[0],
        origin=origin,
        is_ours=is_ours,
        note=note,
        architecture=card.source,
    )


def origins(points: Sequence[Point]) -> list[str]:
    """Where figures are from, those of this project first."""
    ours = dict.fromkeys(point.origin for point in points if point.is_ours)
    others = dict.fromkeys(point.origin for point in points if not point.is_ours)
    return [*ours, *others]
