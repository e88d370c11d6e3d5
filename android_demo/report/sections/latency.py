"""Latency and memory: a bar for every model and setting."""

from collections.abc import Sequence

from bnext_keras.charts.scale import number
from bnext_keras.text import format_bytes

from android_demo.report.charts.bars import Bar, BarChart, BarGroup
from android_demo.report.names import conditions, grouped, marks, model_names
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
    label, found = conditions(entry), entry.latency
    if found is None:
        return Bar(label, None, f"{entry.state.value.replace('_', ' ')}: {entry.reason or 'no reason given'}")
    spread = "" if found.std_ms is None else f" ± {number(found.std_ms, 2)}"
    return Bar(
        label,
        found.mean_ms,
        number(found.mean_ms),
        note=f"{spread} ms{_percentile(entry)}",
        mark=marks(entry),
        spread=found.std_ms,
        reach=(found.low_ms, found.high_ms),
        dots=found.repetitions if len(found.repetitions) > 1 else (),
    )


def _percentile(entry: Measurement) -> str:
    found = entry.single_stream_ms
    return "" if found is None else f", 90% within {number(found)} ms"


def memory(measurements: Sequence[Measurement], devices: dict[str, str]) -> list[tuple[str, BarChart]] | None:
    """Growth of the process, and apart from it its peak, each with a title; None if no tool printed any."""
    kinds = {"growth from the start of the tool to its end": "memory_growth_mb", "watched peak": "memory_peak_mb"}
    charts = []
    for title, attribute in kinds.items():
        found = {entry.key: getattr(entry, attribute) for entry in measurements}
        known = [entry for entry in measurements if found[entry.key] is not None]
        if known:
            charts.append((title, _memory(known, devices, found)))
    return charts or None


def _memory(known, devices, found):
    names = model_names(known)
    groups = []
    for (device, digest), group in grouped(known, lambda entry: (entry.device.id, entry.model.sha256)):
        place = f", {devices[device]}" if len(devices) > 1 else ""
        bars = [
            Bar(conditions(entry), found[entry.key], number(found[entry.key]), note=" MB")
            for entry in _by_threads(group)
        ]
        groups.append(BarGroup(names[digest], bars, note=f" file {format_bytes(group[0].model.bytes)}{place}"))
    return BarChart(groups, "MB")


def _by_threads(measurements: Sequence[Measurement]) -> list[Measurement]:
    return sorted(measurements, key=lambda entry: entry.settings.threads)
