"""What the terminal shows of results."""

from collections import Counter
from collections.abc import Sequence

from bnext_keras.console import SafeConsole, plain
from bnext_keras.text import printable

from rich.table import Table
from rich.text import Text

from android_demo.report.comparison import Ratio, by_runner
from android_demo.report.names import change, conditions, device_names, marks, model_names, pieces, threads
from android_demo.results import Measurement, State

_STYLES = {State.OK: "", State.THROTTLED: "yellow", State.FAILED: "red", State.TIMED_OUT: "red"}

#: Characters that columns beside those of names take, and the one with the device.
_OTHERS, _DEVICE = 50, 16
#: Characters that a name gets at least.
_LEAST = 16


def print_table(measurements: Sequence[Measurement], console: SafeConsole) -> None:
    """Prints one row for each measurement, and under the table why some are not as they should be.

    Several devices have a column; a single one is named above the table.
    """
    devices, models = device_names(measurements), model_names(measurements)
    several = len(devices) > 1
    width = max(_LEAST, console.width - _OTHERS - several * _DEVICE)
    if not several:
        console.print("".join(devices.values()), style="bold", soft_wrap=True)
    table = Table()
    table.add_column("model", no_wrap=True)
    if several:
        table.add_column("device")
    table.add_column("")
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("state")
    for entry in measurements:
        cells = [_broken(models[entry.model.sha256], width), *([devices[entry.device.id]] if several else [])]
        table.add_row(*cells, conditions(entry), _latency(entry), _state(entry))
    console.print(table)
    if any(entry.device.emulated for entry in measurements):
        warning = "Emulated: the models run there; the times say nothing about any phone or board."
        console.print(warning, style="bold red", soft_wrap=True)
    for entry in measurements:
        for note in filter(None, (_single_stream(entry), _energy(entry), entry.reason, entry.noise, _ignored(entry))):
            console.print(f"{models[entry.model.sha256]}, {conditions(entry)}: {note}", soft_wrap=True)
    for text, count in Counter(text for entry in measurements for text in entry.warnings).items():
        console.print(f"{text}, in {count} of {len(measurements)} measurements", soft_wrap=True)
    for old, new, ratio in by_runner(measurements):
        place = f", {devices[new.device.id]}" if several else ""
        title = f"{models[new.model.sha256]}, {threads(new.settings.threads)}{place}"
        verdict = ", ".join(filter(None, (ratio.verdict.value, marks(old) or marks(new))))
        console.print(f"{title}: the engine takes {_ratio(ratio)} of LCE's time: {verdict}", soft_wrap=True)


def summary(measurement: Measurement) -> str:
    """A measurement in one line: ``tiny.tflite, 1 thread: 12.50 ms, emulated``."""
    latency = f"{measurement.latency.mean_ms:.2f} ms" if measurement.latency else ""
    parts = filter(None, (latency, marks(measurement), measurement.reason, measurement.noise, _ignored(measurement)))
    return f"{measurement.model.name}, {conditions(measurement)}: {', '.join(parts)}"


def print_comparison(
    ratios: Sequence[tuple[Measurement, Measurement, Ratio]], differences: Sequence[str], console: SafeConsole
) -> None:
    """Prints one row for each pair of measurements: before, after, the ratio, what can be said of it."""
    table = Table()
    table.add_column("model", no_wrap=True)
    for name in ("before, ms", "after, ms", "ratio"):
        table.add_column(name, justify="right")
    # On a narrow terminal numbers are folded rather than what they mean.
    table.add_column("verdict", no_wrap=True)
    width = max(_LEAST, console.width - _OTHERS)
    for old, new, ratio in ratios:
        name = change(*(entry.model.name.removesuffix(".tflite") for entry in (old, new)))
        settings = change(conditions(old), conditions(new))
        title = Text("\n").join([_broken(name, width), _broken(settings, width)])
        mark = marks(old) or marks(new)
        verdict = Text("\n").join(Text(words) for words in (ratio.verdict.value, mark) if words)
        table.add_row(title, _latency(old), _latency(new), _ratio(ratio), verdict)
    console.print(table)
    if differences:
        console.print(f"The two differ in {'; '.join(differences)}.", soft_wrap=True)


def _ratio(ratio):
    return f"{ratio.value:.3f}" + ("" if ratio.low is None else f" ({ratio.low:.3f} to {ratio.high:.3f})")


def _state(entry):
    if entry.noise and entry.state is State.OK:
        return Text("noisy", "yellow")
    text = plain(entry.state.value.replace("_", " "), _STYLES[entry.state])
    return Text(" ").join([text, Text("emulated", "bold red")]) if entry.device.emulated else text


def _single_stream(entry):
    found = entry.single_stream_ms
    return "" if found is None else f"single stream, 90th percentile: {found:.2f} ms"


def _energy(entry):
    found = entry.energy
    if found is None:
        return ""
    return f"{found.millijoules:.1f} mJ an inference of the whole device, by {found.source}"


def _ignored(entry):
    flags = ", ".join(entry.ignored_flags)
    return f"the tool does not know {flags} and ignored that" if flags else ""


def _broken(name, width):
    """A name in lines, broken where its parts end as long as these are short enough."""
    lines = [""]
    for piece in pieces(printable(name)):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    cut = [line[start : start + width] for line in lines for start in range(0, max(1, len(line)), width)]
    return Text("\n").join(Text(line.strip()) for line in cut)


def _latency(entry):
    if entry.latency is None:
        return "-"
    between = entry.latency.between_ms
    return f"{entry.latency.mean_ms:.2f}" + ("" if between is None else f" ± {between:.2f}")
