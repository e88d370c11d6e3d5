"""What pages call models, devices and settings."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bnext_keras.charts.scale import plain
from bnext_keras.text import counted

from android_demo.results import ENGINE_IN_APP, Device, Kind, Measurement, Settings, State

#: What stands where there is no value.
NOTHING = "\u2013"

#: How a device was reached, in words.
KINDS = {"adb": "over adb", "ssh": "over SSH", "qemu": "emulated by QEMU", "host": "the machine of the tool itself"}


def model_names(measurements: Sequence[Measurement]) -> dict[str, str]:
    """A name for every model file by its digest: the file's, with the digest where two files share it."""
    files = {entry.model.sha256: entry.model.name.removesuffix(".tflite") for entry in measurements}
    often = Counter(files.values())
    return {digest: name if often[name] == 1 else f"{name} ({digest[:6]})" for digest, name in files.items()}


def device_names(measurements: Sequence[Measurement]) -> dict[str, str]:
    """A name for every device by its id: its model, with the id where two devices share it."""
    devices = {entry.device.id: entry.device.model or entry.device.id for entry in measurements}
    often = Counter(devices.values())
    return {key: name if often[name] == 1 else f"{name} ({key})" for key, name in devices.items()}


def short_names(first: str, second: str) -> tuple[str, str]:
    """Two paths without what they share at both ends.

    Example:
        >>> short_names("lab/pixel/results.json", "lab/raspberry/results.json")
        ('pixel', 'raspberry')
        >>> short_names("results.json", "results.json")
        ('results.json', 'results.json')
    """
    ours, theirs = Path(first).parts, Path(second).parts
    if ours == theirs:
        return first, second
    start = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    left = min(len(ours), len(theirs)) - start
    end = next((i for i in range(left) if ours[-1 - i] != theirs[-1 - i]), left)
    shortened = (str(Path(*parts[start : len(parts) - end])) for parts in (ours, theirs))
    one, other = (name if name != "." else whole for name, whole in zip(shortened, (first, second), strict=True))
    return one, other


def threads(count: int) -> str:
    """``1 thread``, ``4 threads``."""
    return counted(count, "thread")


def settings_name(settings: Settings) -> str:
    """Threads, and whatever else is not the default.

    Example:
        >>> settings_name(Settings(threads=4, flags=("--use_xnnpack=false",), pinned_mask="f0"))
        '4 threads, use_xnnpack=false, cores f0'
    """
    kernels = [f"{settings.kernels} kernels"] if settings.kernels else []
    parts = [threads(settings.threads), *kernels, *_procedure(settings), *(flag.lstrip("-") for flag in settings.flags)]
    return ", ".join([*parts, f"cores {settings.pinned_mask}"] if settings.pinned_mask else parts)


def _procedure(settings):
    """What else than repetitions with pauses, and clocks as they are."""
    if settings.sustain_minutes is not None:
        yield f"for {settings.sustain_minutes:g} min without a pause"
    elif settings.min_seconds is not None:
        yield f"{settings.runs} runs and {settings.min_seconds:g} s or more"
    if settings.clocks:
        yield f"{settings.clocks} clocks"


def conditions(measurement: Measurement) -> str:
    """The `settings_name`, always with the kernels if it ran here or in the engine, which is named.

    Flags that the tool ignored are marked.
    """
    settings = measurement.settings
    flags = tuple(f"{flag} (ignored)" if flag in measurement.ignored_flags else flag for flag in settings.flags)
    if measurement.tool.is_engine:
        name = "engine in an app" if measurement.tool.kind == ENGINE_IN_APP else "engine"
        return f"{name}, {settings_name(replace(settings, flags=flags, kernels=measurement.kernels))}"
    # Elsewhere LCE's default kernels go without saying; here they are not the fastest.
    is_default = measurement.device.kind is Kind.HOST and not settings.kernels
    return settings_name(replace(settings, flags=flags, kernels="default" if is_default else settings.kernels))


def change(before: str, after: str) -> str:
    """One text for two: ``1 thread → 4 threads``, or the one that both are."""
    return before if before == after else f"{before} → {after}"


def pieces(name: str) -> list[str]:
    """A name cut behind the characters at which it may be broken.

    Example:
        >>> pieces("mobilenetv2_float-1.0 (a1b2c3)")
        ['mobilenetv2_', 'float-', '1.', '0 ', '(a1b2c3)']
    """
    return re.findall(r"[^\s_./-]*[\s_./-]|[^\s_./-]+", name)


def cores_name(device: Device) -> str:
    """Its cores in groups: ``4 Cortex-A55 at 1.8 GHz, 4 Cortex-A76 at 2.4 GHz``."""
    groups = Counter((core.name, core.max_mhz) for core in device.cores)
    parts = []
    for (name, mhz), count in groups.items():
        clock = f" at {plain(round(mhz / 1000, 2))} GHz" if mhz else ""
        parts.append(f"{count} {name or 'core' + 's' * (count > 1)}{clock}")
    return ", ".join(parts)


def governors(device: Device) -> str:
    """The governors of its cores."""
    return ", ".join(sorted({core.governor for core in device.cores if core.governor}))


def marks(measurement: Measurement) -> str:
    """Some of ``emulated``, ``throttled`` and ``noisy``, or nothing."""
    return ", ".join(
        word
        for word, holds in (
            ("emulated", measurement.device.emulated),
            ("throttled", measurement.state is State.THROTTLED),
            ("noisy", bool(measurement.noise)),
        )
        if holds
    )


def grouped(entries: Iterable[Measurement], key: Callable[[Measurement], Hashable]) -> list[tuple]:
    """Keys with their measurements, in the order in which the first of each comes."""
    groups: dict = {}
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return list(groups.items())
