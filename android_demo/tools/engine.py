"""The engine of this project on a device: its program, built for the device's machine, and plans of models."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from bnext_keras._version import __version__
from bnext_keras.errors import BenchmarkError, DeviceError
from bnext_keras.files import file_errors_as, write_atomically

from android_demo import results
from android_demo.runner import build
from android_demo.targets import Target
from android_demo.tools.programs import InstalledTool, install_file

#: Machines that the program is built for, by the names that devices give.
_MACHINES = {
    "arm64-v8a": "aarch64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "x86_64": "x86_64",
    "amd64": "x86_64",
}


@dataclass(frozen=True)
class Engine:
    """The engine's own program, which is compiled here and needs nothing there."""

    kind = results.ENGINE

    def install(self, target: Target) -> InstalledTool:
        """Brings it to a device."""
        return replace(install_file(self.kind, program_for(target), target, __version__), answers=True)


def program_for(target: Target) -> Path:
    """The program for a device's machine, compiled now if it is not in the cache.

    Raises:
        DeviceError: if it is another machine.
        BuildError: if it cannot be compiled.
    """
    found = [_MACHINES[abi] for abi in target.abis if abi in _MACHINES]
    if not found:
        raise DeviceError(
            f"the engine has no program for {' or '.join(target.abis) or 'an unknown CPU'}",
            where=target.name,
            remedy="64-bit ARM and x86-64 are what it runs on",
        )
    return build.program(found[0])


def write_plan(model: Path, folder: Path) -> Path:
    """Compiles a ``.tflite`` file; returns the plan's file in a folder, which is made if need be.

    Raises:
        UnsupportedOperator: if the engine lacks one of its operators.
        BenchmarkError: if a file cannot be read or written.
    """
    from android_demo.runner.compiler import compile_plan

    try:
        content = model.read_bytes()
    except OSError as error:
        raise BenchmarkError(f"{model}: cannot be read ({error.strerror or error})") from error
    file = folder / f"{model.stem}-{hashlib.sha256(content).hexdigest()[:16]}.plan"
    with file_errors_as(BenchmarkError):
        write_atomically(file, compile_plan(content))
    return file
