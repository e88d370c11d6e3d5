"""This machine: LCE's interpreter on its own CPU, or ARM64 programs on an emulated one."""

import shutil
from pathlib import Path

from bnext_keras.errors import DeviceError

from android_demo.results import Kind
from android_demo.targets.shell import Completed, run_process
from android_demo.targets.target import Target

#: A phone's big core of 2018: with the dot products that older ones lack.
DEFAULT_CPU = "cortex-a76"

#: Where Debian keeps the ARM64 C library that programs need if they were not linked statically.
_SYSROOT = Path("/usr/aarch64-linux-gnu")


def open_host(folder: Path) -> Target:
    """This machine itself; `folder` takes the models."""
    return Target(Kind.HOST, LocalShell("host"), str(folder))


def open_qemu(folder: Path, cpu: str = DEFAULT_CPU) -> Target:
    """An ARM64 CPU that QEMU emulates on this machine: programs run, their times mean nothing.

    Raises:
        DeviceError: if QEMU is not installed or does not know the CPU.
    """
    program = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if program is None:
        raise DeviceError("qemu: qemu-aarch64-static is not installed; Debian and Ubuntu: apt install qemu-user-static")
    cpus = run_process([program, "-cpu", "help"], timeout=30).stdout.split()[2:]
    if cpu not in cpus:
        raise DeviceError(f"qemu:{cpu}: no such CPU; {program} has {', '.join(cpus)}")
    libraries = ("-L", str(_SYSROOT)) if _SYSROOT.is_dir() else ()
    wrapper = (program, "-cpu", cpu, *libraries)
    return Target(Kind.QEMU, LocalShell(f"qemu:{cpu}"), str(folder), wrapper, name=f"{cpu} emulated by QEMU")


class LocalShell:
    """Shell of this machine."""

    def __init__(self, name: str):
        self.name = name

    def run(self, script: str, timeout: float = 30) -> Completed:
        """Runs a script of sh."""
        return run_process(["sh", "-c", script], timeout)

    def copy(self, source: Path, destination: str) -> None:
        """Copies a file."""
        try:
            shutil.copyfile(source, destination)
        except OSError as error:
            raise DeviceError(f"{self.name}: does not take {source.name}: {error.strerror or error}") from error
