"""Curves of the runs that went on for minutes: latency, temperature, clocks."""

import re
import statistics
from collections.abc import Sequence

from bnext_keras.charts.scale import number

from android_demo.report.charts.curves import HEIGHT, WIDTH, Curve, curve
from android_demo.report.names import conditions, model_names
from android_demo.results import Measurement, ThermalSample, hottest_zone

_Points = list[tuple[float, float]]


def sustained(measurements: Sequence[Measurement], devices: dict[str, str]) -> dict[str, object] | None:
    """The curves of each sustained run; None if there is none."""
    names = model_names(measurements)
    runs = []
    for entry in measurements:
        curves = _curves(entry) if entry.settings.sustain_minutes is not None else []
        if curves:
            place = f", {devices[entry.device.id]}" if len(devices) > 1 else ""
            title = f"{names[entry.model.sha256]}{place}, {conditions(entry)}"
            runs.append({"title": title, "change": _change(entry), "curves": curves})
    return {"runs": runs, "width": WIDTH, "height": HEIGHT} if runs else None


def _curves(entry: Measurement) -> list[Curve]:
    latency = [
        ((one.after_seconds + one.seconds / 2) / 60, one.output.inference_avg_us / 1000)
        for one in entry.repetitions
        if one.after_seconds is not None and one.output.inference_avg_us is not None and not one.profiled
    ]
    heat = [(one.seconds / 60, hottest_zone(one.celsius)[0]) for one in entry.thermal if one.celsius]
    # Between starts of the tool clocks are those of an idle device.
    clocks = [
        (one.seconds / 60, mhz / 1000)
        for one in entry.thermal
        if one.moment == "during" and (mhz := _clock(one, entry.settings.pinned_mask)) is not None
    ]
    known = [
        (label, points, label.startswith("latency"))
        for label, points in (("latency, ms", latency), ("temperature, °C", heat), ("clocks, GHz", clocks))
        if len(points) > 1
    ]
    minutes = max((points[-1][0] for _, points, _ in known), default=0.0)
    if not latency or minutes <= 0:
        return []
    return [curve(label, points, minutes, from_zero=from_zero) for label, points, from_zero in known]


def _clock(sample: ThermalSample, mask: str) -> float | None:
    """The mean clock of the cores that the model ran on, MHz."""
    bits = int(mask, 16) if re.fullmatch(r"[0-9a-f]{1,256}", mask) else 0
    numbers = {core: re.fullmatch(r"cpu([0-9]{1,4})", core) for core in sample.mhz or {}}
    used = [
        mhz
        for core, mhz in (sample.mhz or {}).items()
        if not bits or ((number := numbers[core]) and bits >> int(number[1]) & 1)
    ]
    return statistics.fmean(used) if used else None


def _change(entry: Measurement) -> str:
    """How much slower it had become at the end."""
    found = entry.latency
    if found is None or len(found.repetitions) < 2:
        return ""
    first, last = found.repetitions[0], found.repetitions[-1]
    return f"{number(first)} ms at first, {number(last)} ms at last: {last / first - 1:+.0%}"
