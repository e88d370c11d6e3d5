"""A board: one table of several people's results, each row with where it is from."""

from collections.abc import Sequence
from dataclasses import dataclass

from bnext_keras.charts.scale import number

from android_demo.report.document import document
from android_demo.report.names import KINDS, NOTHING, conditions, marks
from android_demo.results import Measurement, Results, State

#: Titles of the columns, and whether they hold numbers.
_COLUMNS = (
    *(("model", False), ("top-1 %", True), ("ms", True), ("90% within, ms", True), ("settings", False)),
    *(("device", False), ("runner", False), ("state", False), ("who", False), ("when", False)),
)


@dataclass(frozen=True)
class Cell:
    """What stands in a column: a text, what is sorted by if that is a number, and a line in small letters."""

    text: str
    value: float | None = None
    note: str = ""


def render_board(files: Sequence[tuple[str, Results]], title: str = "") -> str:
    """An HTML page of one sortable table that needs nothing but itself.

    Args:
        files: Results with the name of the file that they are from. Who measured stands in each measurement; where
            nobody does, the file's name does.
        title: The page's heading.
    """
    # The same file twice, or one that was merged into another, makes no two rows.
    found: dict[tuple, tuple[str, Measurement]] = {}
    for name, results in files:
        for entry in results.measurements:
            found.setdefault((entry.key, entry.started_at, entry.who), (name, entry))
    rows = sorted(found.values(), key=lambda row: (row[1].model.name, _milliseconds(row[1])))
    return document(
        "board.html",
        title or "Benchmarks, side by side",
        [entry for _, entry in rows],
        f"{len(files)} file{'s' * (len(files) != 1)} of results.",
        columns=_COLUMNS,
        rows=[_cells(name, entry) for name, entry in rows],
    )


def _milliseconds(entry):
    return entry.latency.mean_ms if entry.latency else float("inf")


def _cells(name: str, entry: Measurement) -> list[Cell]:
    model, device, latency, single = entry.model, entry.device, entry.latency, entry.single_stream_ms
    chip = ", ".join(filter(None, (device.soc, device.os, device.abi, KINDS[device.kind.value])))
    tool = f"{entry.tool.version} {entry.tool.sha256[:12]}".strip()
    state = marks(entry) or entry.state.value.replace("_", " ")
    # A latency of what failed would be none.
    why = "; ".join(filter(None, (entry.reason if entry.state is not State.OK else "", entry.noise, *entry.warnings)))
    return [
        Cell(model.name.removesuffix(".tflite"), note=model.sha256[:12]),
        _number(
            model.top1_percent,
            f"{model.top1_percent:g}" if model.top1_percent is not None else "",
            model.accuracy_source,
        ),
        _number(latency and latency.mean_ms, number(latency.mean_ms) if latency else "", _spread(entry)),
        _number(single, "" if single is None else number(single)),
        Cell(conditions(entry)),
        Cell(device.model or device.id, note=chip),
        Cell(entry.tool.kind, note=tool),
        Cell(state, note=why),
        Cell(entry.who or name, note=name if entry.who else ""),
        Cell(entry.started_at[:10]),
    ]


def _number(value, text, note=""):
    return Cell(text or NOTHING, value=value, note=note if text else "")


def _spread(entry):
    latency = entry.latency
    if latency is None:
        return ""
    between = "" if latency.between_ms is None else f"± {number(latency.between_ms, 2)}, "
    return f"{between}{latency.count} runs, {len(latency.repetitions)} starts"
