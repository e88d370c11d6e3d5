"""Points of measured latencies: of files of results, and of this machine, measured on the spot.

What measures lies in a package that stands on this one, so that nothing here may import it. It is reached in the way
that is open to every user of this package, through `bnext_keras.benchmark` and `bnext_keras.convert`, and only when
somebody asks for measured points.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bnext_keras
from bnext_keras.cards import CARDS, Accuracy, Card
from bnext_keras.comparison.points import Point
from bnext_keras.errors import UserError


def load(file: Path) -> Any:
    """Results that ``bnext-benchmark`` wrote, of a file or of the folder that it is in.

    Raises:
        BenchmarkError: if it is none.
    """
    return bnext_keras.benchmark.load(file / "results.json" if file.is_dir() else file)


def points_of_results(results: Any, networks: Mapping[str, str] | None = None) -> tuple[list[Point], list[str]]:
    """The points of what was measured, and what cannot be drawn of it, each in a line that says why.

    A file belongs to the network whose name it has, whatever its case and its dashes: ``bnext_tiny.tflite`` is
    BNextTiny's. Its accuracy is the one that the results state, or else the first that was published of the network.
    What was emulated is no latency of anything.

    Args:
        results: What `load` or `measure` gives.
        networks: Names of networks by names of files whose own names do not tell.
    """
    points, left_out = [], []
    for entry in results.measurements:
        name = entry.model.name
        card = _card(networks.get(name, name) if networks else name)
        accuracy = _accuracy(entry.model, card)
        if entry.device.emulated:
            left_out.append(f"{name} on {entry.device.model or entry.device.id}: emulated")
        elif entry.latency is None:
            left_out.append(f"{name}: {entry.reason or entry.state.value}")
        elif accuracy is None:
            left_out.append(f"{name}: has no accuracy, nor the name of a network that one was published of")
        else:
            device = entry.device.model or entry.device.id
            points.append(
                Point(
                    network=card.name if card else Path(name).stem,
                    axis="latency",
                    value=entry.latency.mean_ms,
                    accuracy=accuracy,
                    origin=f"{device}, {bnext_keras.benchmark.conditions(entry)}, measured",
                    is_ours=True,
                    note=bnext_keras.benchmark.marks(entry),
                    architecture=card.source if card else "",
                )
            )
    return points, left_out


def measure(
    cards: Sequence[Card], folder: Path, progress: Callable[[str], None] = lambda text: None
) -> tuple[Any, list[str]]:
    """Measures networks on this machine in this project's engine, with fresh weights: time does not depend on them.

    Each network is built at its published input size, converted and verified; this starts TensorFlow and takes up to
    minutes for each. What the folder has already is not made again.

    Args:
        cards: The networks.
        folder: Takes the converted files and ``results.json``.
        progress: Takes a line about what happens now.

    Returns:
        The results, and a line about each network that could not be converted.

    Raises:
        UserError: if none of them could be converted, or the engine cannot run here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files, left_out = [], []
    for card in cards:
        file = folder / f"{card.name}.tflite"
        try:
            if not file.exists():
                progress(f"converting {card.name}")
                _convert(card, file)
            files.append(file)
        except UserError as error:
            left_out.append(f"{card.name}: {error}")
    if not files:
        raise UserError("no network could be measured", remedy="; ".join(left_out))
    benchmark = bnext_keras.benchmark
    # Operators are not asked for: a start of the engine less for each network.
    procedure = benchmark.Procedure(profile=False)
    resume = (folder / "results.json").exists()
    results = benchmark.measure(
        files, device="host", out=folder, procedure=procedure, resume=resume, runner="bnext", progress=progress
    )
    return results, left_out


def _convert(card: Card, file: Path) -> None:
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    bnext_keras.convert(card.build(input_shape=(card.input_size, card.input_size, 3)), file)
    tf.keras.backend.clear_session()


def _card(name: str, cards: Iterable[Card] = CARDS) -> Card | None:
    return next((card for card in cards if _plain(card.name) == _plain(name.removesuffix(".tflite"))), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower())


def _accuracy(model: Any, card: Card | None) -> Accuracy | None:
    if model.top1_percent is not None:
        return Accuracy(model.top1_percent, None, model.accuracy_source or "stated with the measurement")
    return card.accuracies[0] if card and card.accuracies else None
