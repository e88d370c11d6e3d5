"""What a measurement is of: a device, a tool, a model, settings."""

import hashlib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from bnext_keras.errors import BenchmarkError
from bnext_keras.files import sha256

from android_demo.records import Record, check_text


class Kind(str, Enum):
    """Where a model ran."""

    ADB = "adb"
    SSH = "ssh"
    QEMU = "qemu"
    HOST = "host"


@dataclass(frozen=True, kw_only=True)
class Core(Record):
    """One CPU core: its number and, where known, its highest frequency, design (Cortex-A76, say) and governor."""

    index: int
    max_mhz: float | None = None
    name: str = ""
    governor: str = ""


@dataclass(frozen=True, kw_only=True)
class Device(Record):
    """What the model ran on.

    Attributes:
        kind: How it was reached; ``qemu`` is an emulator, whose times mean nothing.
        id: What tells devices apart: the `hashed_serial` of a serial number, or a name.
        model: Pixel 8, Raspberry Pi 4 Model B, ...
        soc: System on a chip, as the device calls it.
        cores: All cores of the machine.
        os: Android 14, Debian GNU/Linux 12, ...
        abi: arm64-v8a, aarch64, x86_64, ...
        memory_mb: Main memory, MiB.
        emulated: Whether times on it say nothing about any silicon. It is always set for ``qemu``; Android's emulator,
            which adb reaches like a phone, needs it set.
    """

    kind: Kind
    id: str
    model: str = ""
    soc: str = ""
    cores: tuple[Core, ...] = ()
    os: str = ""
    abi: str = ""
    memory_mb: float | None = None
    emulated: bool = False

    def __post_init__(self):
        if self.kind is Kind.QEMU:
            object.__setattr__(self, "emulated", True)


#: Kinds of the tool that is this project's own engine: as a program of the shell's, and in an app.
ENGINE = "bnext_engine"
ENGINE_IN_APP = "bnext_engine_app"


@dataclass(frozen=True, kw_only=True)
class Tool(Record):
    """The program that ran the model, such as ``lce_benchmark_model``; its version and digest where known."""

    kind: str
    version: str = ""
    sha256: str = ""

    @property
    def is_engine(self) -> bool:
        """Whether it is this project's own engine."""
        return self.kind in (ENGINE, ENGINE_IN_APP)


@dataclass(frozen=True, kw_only=True)
class ModelFile(Record):
    """The file that was run. Its top-1 accuracy in percent, and where that is from, are the user's word."""

    name: str
    sha256: str
    bytes: int
    top1_percent: float | None = None
    accuracy_source: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings(Record):
    """How the tool is run. Equal settings of the same model on the same device are the same measurement.

    The defaults are those of ``bnext-benchmark``, which takes them from here.

    Attributes:
        threads: Threads of the interpreter.
        runs: Minimum number of measured inferences in one repetition.
        warmup_runs: Minimum number of inferences before those.
        repetitions: Number of times that the tool is started anew; a profiled start comes on top.
        flags: Further arguments of the tool, as given.
        kernels: LCE's kernels of binary convolutions: ``indirect``, or empty for its default ones. Before a
            measurement, empty leaves the choice to the session, and ``default`` does not.
        pinned_mask: Cores that it is pinned to, as taskset's hexadecimal mask; empty if it is not.
        min_seconds: Least time of the measured inferences of one repetition; None leaves it to the tool: one second.
        sustain_minutes: How long repetitions follow each other without a pause, as many as fit; None for `repetitions`
            of them, with pauses.
        clocks: ``fixed`` where Android's fixed-performance mode bounds them, or before a measurement shall do so; empty
            where they are as they are.
    """

    threads: int
    runs: int = 50
    warmup_runs: int = 1
    repetitions: int = 3
    flags: tuple[str, ...] = ()
    pinned_mask: str = ""
    kernels: str = ""
    min_seconds: float | None = None
    sustain_minutes: float | None = None
    clocks: str = ""


def measurement_key(device: Device, tool: Tool, model: ModelFile, settings: Settings) -> tuple:
    """The `Measurement.key` that a measurement will have: device, digests of tool and model, and settings."""
    return device.kind.value, device.id, tool.sha256 or tool.kind, model.sha256, settings


def hashed_serial(serial: str) -> str:
    """A serial number that can be published: the first 12 hexadecimal digits of its SHA-256.

    Example:
        >>> hashed_serial("R58M123ABC")
        'f776250ae13f'
    """
    return hashlib.sha256(serial.encode()).hexdigest()[:12]


def describe_file(path: Path, top1_percent: float | None = None, accuracy_source: str = "") -> ModelFile:
    """The record of a model file: name, digest and size.

    Raises:
        BenchmarkError: if it cannot be read, its name is no text, or the accuracy is no percentage.
    """
    check_text(path.name, "file name", "rename it")
    if top1_percent is not None and not 0 <= top1_percent <= 100:
        raise BenchmarkError(f"{path.name}: an accuracy cannot be {top1_percent:g}%; give percent from 0 to 100")
    try:
        digest, size = sha256(path), path.stat().st_size
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read ({error.strerror or error})") from error
    return ModelFile(
        name=path.name, sha256=digest, bytes=size, top1_percent=top1_percent, accuracy_source=accuracy_source
    )
