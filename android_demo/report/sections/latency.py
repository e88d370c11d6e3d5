"""Latency and memory: a bar for every model and setting."""

from collections.abc import Sequence

from bnext_keras.text import format_bytes

from android_demo.report.charts.bars import Bar, BarChart, BarGroup
from android_demo.report.charts.scale import number
from android_demo.report.names import grouped, marks, model_names, settings_name
from android_demo.results import Measurement


def latency(measurements: Sequence[Measurement], devices: dict[str, str]) -> list[dict[str, object]]:
    """One chart a device."""
    names = model_names(measurements)
    charts: list[dict[str, object]] = []
    for device, group in grouped(measurements, lambda entry: entry.device.id):
        groups = [
            BarGroup(names[digest], [_latency_bar(entry) for entry in _by_threads(of_one)])
            for digest, of_one in grouped(group, lambda entry: entry.model.sha256)
        ]
        emulated = group[0].device.emulated
        charts.append({"name": devices[device], "emulated": emulated, "chart": BarChart(groups, "ms")})
    return charts


def _latency_bar(entry: Measurement) -> Bar:
    label, found = settings_name(entry.settings), entry.latency
    if found is None:
        return Bar(label, None, f"{entry.state.value.replace('_', ' ')}: {entry.reason or 'no reason given'}")
    spread = "" if found.std_ms is None else f" ± {number(found.std_ms, 2)}"
    return Bar(
        label,
        found.mean_ms,
        number(found.mean_ms),
        note=f"{spread} ms",
        mark=marks(entry),
        spread=found.std_ms,
        reach=(found.low_ms, found.high_ms),
        dots=found.repetitions if len(found.repetitions) > 1 else (),
    )


def memory(measurements: Sequence[Measurement], devices: dict[str, str]) -> BarChart | None:
    """Growth of the process beside the size of the file; None if no tool printed any."""
    names = model_names(measurements)
    known = [entry for entry in measurements if entry.memory_mb is not None]
    if not known:
        return None
    groups = []
    for (device, digest), group in grouped(known, lambda entry: (entry.device.id, entry.model.sha256)):
        place = f", {devices[device]}" if len(devices) > 1 else ""
        bars = [
            Bar(settings_name(entry.settings), entry.memory_mb, number(entry.memory_mb or 0), note=" MB")
            for entry in _by_threads(group)
        ]
        groups.append(BarGroup(names[digest], bars, note=f" file {format_bytes(group[0].model.bytes)}{place}"))
    return BarChart(groups, "MB")


def _by_threads(measurements: Sequence[Measurement]) -> list[Measurement]:
    return sorted(measurements, key=lambda entry: entry.settings.threads)
