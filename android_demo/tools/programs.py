"""The programs that run models on a device.

A tool is any program that takes the arguments of `benchmark_model.command` and prints what `benchmark_model.parse`
reads: LCE's ``lce_benchmark_model``, TensorFlow Lite's own ``benchmark_model`` for models without LCE's operators, and
LCE's interpreter on this machine. The engine of `android_demo.runner` is another, in ``engine``; one more joins them
with a class like these.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bnext_keras.errors import BenchmarkError, DeviceError
from bnext_keras.files import sha256

import android_demo
from android_demo import results
from android_demo.results import Kind
from android_demo.targets import Target
from android_demo.tools.downloads import Downloads
from android_demo.tools.elf import read_elf

#: Version of Larq Compute Engine that the converter writes for, and whose tool is fetched.
LCE_VERSION = "0.16.0"

#: Machine numbers in ELF files, by the names that devices give.
_ELF_MACHINES = {"arm64-v8a": 183, "aarch64": 183, "armeabi-v7a": 40, "armv7l": 40, "x86_64": 62, "x86": 3}

#: LCE's release files, by Android or not and the device's own name for its machine.
_RELEASE_FILES = {
    (True, "arm64-v8a"): "lce_benchmark_model_android_arm64",
    (False, "aarch64"): "lce_benchmark_model_aarch64",
    (False, "armv7l"): "lce_benchmark_model_aarch32",
}


@dataclass(frozen=True)
class InstalledTool:
    """A tool that is ready on a device.

    Attributes:
        record: What results say of it.
        program: Words that start it there.
        profiles: Whether it can time every operator.
        answers: Whether it can run images of the user's.
    """

    record: results.Tool
    program: tuple[str, ...]
    profiles: bool = True
    answers: bool = False


class Tool(Protocol):
    """A program for some kinds of models and devices.

    Attributes:
        kind: Its name in results.
    """

    kind: str

    def install(self, target: Target) -> InstalledTool:
        """Brings it to a device, unless it is there already.

        Raises:
            BenchmarkError: if there is none for this device.
        """


@dataclass(frozen=True)
class LceTool:
    """LCE's ``lce_benchmark_model``: a file of the user's, or the one of LCE's release for the device.

    Args:
        downloads: Where the release's files are kept.
        file: The user's own; None for the release's.
        expected_sha256: Digest that the file must have, whoever brought it; empty for any.
    """

    downloads: Downloads
    file: Path | None = None
    expected_sha256: str = ""
    kind = "lce_benchmark_model"

    def install(self, target: Target) -> InstalledTool:
        """Brings it to a device."""
        file = self.file or self.downloads.fetch(self._release_file(target), self.expected_sha256)
        return install_file(self.kind, file, target, LCE_VERSION if self.file is None else "", self.expected_sha256)

    def _release_file(self, target):
        android, abi = target.facts.android, target.describe().abi
        name = _RELEASE_FILES.get((android, abi))
        if name is None:
            system = "Android" if android else "Linux"
            raise DeviceError(
                f"{target.name}: there is no lce_benchmark_model for {system} on {abi or 'an unknown CPU'} in LCE's "
                "release (64-bit Android, 64-bit and 32-bit ARM Linux only); build one and give it with --tool"
            )
        return name


@dataclass(frozen=True)
class TfliteTool:
    """TensorFlow Lite's ``benchmark_model``, which has no LCE operators: for float and int8 rivals."""

    file: Path
    kind = "benchmark_model"

    def install(self, target: Target) -> InstalledTool:
        """Brings it to a device."""
        return install_file(self.kind, self.file, target)


class HostInterpreter:
    """LCE's interpreter from its Python package, on this machine only."""

    kind = "lce_interpreter"

    def install(self, target: Target) -> InstalledTool:
        """Finds it."""
        from importlib.metadata import PackageNotFoundError, version

        if target.kind is not Kind.HOST:
            raise DeviceError(f"{target.name}: LCE's Python package runs on this machine only, --device host")
        try:
            record = results.Tool(kind=self.kind, version=version("larq-compute-engine"))
        except PackageNotFoundError as error:
            raise DeviceError("host: LCE's Python package is missing; pip install larq-compute-engine") from error
        folder = Path(android_demo.__file__).parent.parent
        program = ("env", f"PYTHONPATH={folder}", sys.executable, "-m", "android_demo.tools.host_interpreter")
        return InstalledTool(record, program)


def fits(file: Path, target: Target) -> bool:
    """Whether a program is for a device's kind of machine; true if that cannot be known."""
    try:
        _check_machine(file, target)
    except BenchmarkError:
        return False
    return True


def install_file(kind: str, file: Path, target: Target, version: str = "", expected_sha256: str = "") -> InstalledTool:
    """Brings a program's file to a device.

    Raises:
        BenchmarkError: if it cannot be read, is not the expected one, or is for another machine.
    """
    try:
        digest = sha256(file)
    except OSError as error:
        raise BenchmarkError(f"{file}: cannot be read ({error.strerror or error})") from error
    if expected_sha256 and digest != expected_sha256.lower():
        raise BenchmarkError(f"{file}: its SHA-256 is {digest}, not the expected {expected_sha256}; do not run it")
    _check_machine(file, target)
    record = results.Tool(kind=kind, version=version, sha256=digest)
    return InstalledTool(record, (target.push(file),))


def _check_machine(file, target):
    expected = {_ELF_MACHINES[abi] for abi in target.abis if abi in _ELF_MACHINES}
    if not expected:
        return
    elf = read_elf(file)
    if elf is None:
        raise BenchmarkError(f"{file}: is no program (no ELF file); a web page saved instead of it, perhaps")
    if elf.end > file.stat().st_size:
        raise BenchmarkError(f"{file}: is cut off, at least {elf.end:,} bytes belong to it; copy it again")
    if elf.machine not in expected:
        names = [name for name, number in _ELF_MACHINES.items() if number == elf.machine]
        raise BenchmarkError(
            f"{file}: is a program for {' or '.join(names) or f'machine {elf.machine}'}, "
            f"but {target.name} is {' or '.join(target.abis)}"
        )
