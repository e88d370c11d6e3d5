"""Devices, and every repetition as it was measured."""

from collections.abc import Sequence

from bnext_keras.charts.scale import number

from android_demo.report.names import KINDS, conditions, cores_name, device_names, governors, model_names
from android_demo.results import Measurement, Repetition


def device_facts(measurements: Sequence[Measurement]) -> list[dict[str, object]]:
    """What is known of every device, and of the tools that ran on it."""
    devices: list[dict[str, object]] = []
    for key, name in device_names(measurements).items():
        entries = [entry for entry in measurements if entry.device.id == key]
        device = entries[-1].device
        tools = {" ".join(filter(None, (one.tool.kind, one.tool.version, one.tool.sha256[:12]))) for one in entries}
        facts = {
            "reached": KINDS[device.kind.value],
            "chip": device.soc,
            "cores": cores_name(device),
            "governor": governors(device),
            "memory": f"{number(device.memory_mb / 1024)} GiB" if device.memory_mb else "",
            "system": ", ".join(filter(None, (device.os, device.abi))),
            "tool": "; ".join(sorted(tools)),
            "id": device.id,
        }
        known = [(label, text) for label, text in facts.items() if text]
        devices.append({"name": name, "emulated": device.emulated, "facts": known})
    return devices


def repetitions(measurements: Sequence[Measurement]) -> dict[str, object]:
    """Every start of the tool; times in milliseconds."""
    names = model_names(measurements)
    head = (
        *("model", "settings", "device", "started"),
        *("n", "mean", "std", "min", "median", "max", "first", "init", "MB", "peak MB"),
        *("°C", "state"),
    )
    rows = []
    for entry in measurements:
        common = (names[entry.model.sha256], conditions(entry), entry.device.id)
        heat = " → ".join(f"{max(sample.celsius.values()):.0f}" for sample in entry.thermal if sample.celsius)
        state = (
            entry.state.value.replace("_", " ")
            + (", emulated" if entry.device.emulated else "")
            + (", noisy" if entry.noise else "")
        )
        cells = [_repetition(one) for one in entry.repetitions] or [(entry.started_at, *[""] * 10)]
        rows += [(*common, *one, heat, state) for one in cells]
    # A figure that no tool printed needs no column.
    columns = [column for column in zip(head, *rows, strict=True) if any(column[1:])]
    titles, *cells = zip(*columns, strict=True)
    return {"head": titles, "rows": cells}


def _repetition(repetition: Repetition) -> tuple[str, ...]:
    output, found = repetition.output, repetition.output.inference
    statistics = [found.std, found.min, found.median, found.max] if found else [None] * 4
    times = [output.inference_avg_us, *statistics, output.first_inference_us, output.init_us]
    return (
        repetition.started_at + (" profiled" if repetition.profiled else ""),
        str(found.count) if found else "",
        *("" if time is None else number(time / 1000) for time in times),
        *("" if size is None else number(size) for size in (output.memory_overall_mb, output.memory_peak_mb)),
    )
