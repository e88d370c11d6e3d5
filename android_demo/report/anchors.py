"""Published latencies on ImageNet, to show beside what was measured. They were taken on other devices, by others.

Never used for anything but orientation: pages draw them hollow, name device, threads and source, and keep them out of
every computed figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bnext_keras.cards import find
from bnext_keras.cards.larq import PIXEL_1, PLOT, RASPBERRY_PI, TABLE
from bnext_keras.cards.zoo import LARQ_ZOO


@dataclass(frozen=True)
class Series:
    """Published points of one source, one device, one number of threads.

    Attributes:
        label: What a legend says of it.
        conditions: Device, threads, arithmetic.
        source: Who published it.
        points: Name, milliseconds, top-1 percent.
    """

    label: str
    conditions: str
    source: str
    points: tuple[tuple[str, float, float], ...]


def _of_cards(label: str, conditions: str, device: str, by: str, names: Sequence[str]) -> Series:
    """A series of cards, with the accuracies that Larq Zoo's own training gave: those networks ran there."""
    points = []
    for card in filter(None, map(find, names)):
        accuracy = next(entry for entry in card.accuracies if entry.by == LARQ_ZOO)
        latency = next(entry for entry in card.latencies if (entry.device, entry.by) == (device, by))
        points.append((card.name, latency.milliseconds, round(accuracy.top1, 1)))
    return Series(label, conditions, by, tuple(points))


_QUICKNETS = ("QuickNetSmall", "QuickNet", "QuickNetLarge")
_ON_BOTH = ("BiRealNet", "RealToBinaryNet", "MeliusNet22")
_DENSE = ("BinaryDenseNet28", "BinaryDenseNet37", "BinaryDenseNet45")

_PIXEL_1 = (
    _of_cards("QuickNet, Pixel 1", "Pixel 1, 1 thread, XNNPACK on", PIXEL_1, TABLE, _QUICKNETS),
    _of_cards(
        "other binary, Pixel 1", "Pixel 1, 1 thread, on Larq Compute Engine", PIXEL_1, PLOT, (*_ON_BOTH, *_DENSE)
    ),
)
_RASPBERRY = (
    _of_cards(
        "QuickNet, Raspberry Pi 4B",
        "Raspberry Pi 4B at 1.5 GHz, 1 thread, XNNPACK on",
        RASPBERRY_PI,
        TABLE,
        _QUICKNETS,
    ),
    _of_cards(
        "other binary, Raspberry Pi 4B",
        "Raspberry Pi 4B, 1 thread, on Larq Compute Engine",
        RASPBERRY_PI,
        PLOT,
        _ON_BOTH,
    ),
)
_EIGHT_BIT = (
    Series(
        label="8-bit MobileNetV3, Pixel 1",
        conditions="Pixel 1, one large core, 8 bits",
        source="tensorflow/models, slim/nets/mobilenet",
        points=(("MobileNetV3-Small", 15.5, 64.9), ("MobileNetV3-Large", 44.0, 73.9)),
    ),
    Series(
        label="8-bit EfficientNet-Lite, Pixel 4",
        conditions="Pixel 4, 4 threads, 8 bits",
        source="tensorflow/tpu, efficientnet/lite",
        points=(
            ("EfficientNet-Lite0", 6.5, 74.4),
            ("EfficientNet-Lite1", 9.1, 75.9),
            ("EfficientNet-Lite2", 12.0, 77.0),
            ("EfficientNet-Lite3", 18.0, 79.0),
            ("EfficientNet-Lite4", 30.0, 80.2),
        ),
    ),
)


def anchors(device_models: list[str]) -> tuple[Series, ...]:
    """The published series that come nearest to the devices: those of a Raspberry Pi if all are, else a phone's."""
    boards = bool(device_models) and all("raspberry" in model.lower() for model in device_models)
    return (_RASPBERRY if boards else _PIXEL_1) + _EIGHT_BIT
