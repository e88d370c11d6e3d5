"""What the terminal shows of results."""

from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.table import Table

from android_demo.report.comparison import Ratio
from android_demo.report.names import device_names, marks, model_names, settings_name
from android_demo.results import Measurement, State

_STATES = {
    State.OK: "ok",
    State.THROTTLED: "[yellow]throttled",
    State.FAILED: "[red]failed",
    State.TIMED_OUT: "[red]timed out",
}


def print_table(measurements: Sequence[Measurement], console: Console) -> None:
    """Prints one row for each measurement, and under the table why some are not as they should be."""
    devices, models = device_names(measurements), model_names(measurements)
    table = Table()
    for name in ("model", "device", "", "ms", "state"):
        table.add_column(name, justify="right" if name == "ms" else "left", overflow="fold")
    for entry in measurements:
        state = _STATES[entry.state] + (" [bold red]emulated" if entry.device.emulated else "")
        table.add_row(
            models[entry.model.sha256],
            devices[entry.device.id],
            settings_name(entry.settings),
            _latency(entry),
            state,
        )
    console.print(table)
    if any(entry.device.emulated for entry in measurements):
        warning = "Emulated: the models run there; the times say nothing about any phone or board."
        console.print(warning, style="bold red", soft_wrap=True)
    for entry in measurements:
        if entry.reason:
            what = f"{models[entry.model.sha256]}, {settings_name(entry.settings)}: {entry.reason}"
            console.print(what, highlight=False, markup=False, soft_wrap=True)


def summary(measurement: Measurement) -> str:
    """A measurement in one line: ``tiny.tflite, 1 thread: 12.50 ms, emulated``."""
    latency = f"{measurement.latency.mean_ms:.2f} ms" if measurement.latency else ""
    parts = filter(None, (latency, marks(measurement), measurement.reason))
    return f"{measurement.model.name}, {settings_name(measurement.settings)}: {', '.join(parts)}"


def print_comparison(
    ratios: Sequence[tuple[Measurement, Measurement, Ratio]], differences: Sequence[str], console: Console
) -> None:
    """Prints one row for each pair of measurements: before, after, the ratio, what can be said of it."""
    table = Table()
    for name in ("model", "", "before, ms", "after, ms", "ratio", "verdict"):
        justify: Literal["left", "right"] = "left" if name in ("model", "", "verdict") else "right"
        # On a narrow terminal numbers are folded rather than what they mean.
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name == "verdict")
    for old, new, ratio in ratios:
        interval = "" if ratio.low is None else f" ({ratio.low:.3f} to {ratio.high:.3f})"
        mark = marks(old) or marks(new)
        verdict = ratio.verdict.value + (f", {mark}" if mark else "")
        name, settings = old.model.name.removesuffix(".tflite"), settings_name(old.settings)
        table.add_row(name, settings, _latency(old), _latency(new), f"{ratio.value:.3f}{interval}", verdict)
    console.print(table)
    if differences:
        console.print(f"The two differ in {'; '.join(differences)}.", highlight=False, markup=False, soft_wrap=True)


def _latency(entry):
    if entry.latency is None:
        return "-"
    between = entry.latency.between_ms
    return f"{entry.latency.mean_ms:.2f}" + ("" if between is None else f" ± {between:.2f}")
