"""The machines that a wheel is made for, and the engine's library compiled for each of them, on any machine."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Platform:
    """A kind of machine.

    Attributes:
        machine: Its name among those of `build.KERNELS`.
        target: Its name for zig's compiler, with the oldest system that it is compiled for.
        library: File name of its shared library.
        tag: Its name in names of wheels: the oldest system that pip installs it on.
        link: Options for linking the library.
    """

    machine: str
    target: str
    library: str
    tag: str
    link: tuple[str, ...] = ("-s",)


def _linux(machine):
    # glibc 2.17 is of 2012; Raspberry Pi OS of 64 bits began with 2.31.
    tag = f"manylinux_2_17_{machine}.manylinux2014_{machine}"
    return Platform(machine, f"{machine}-linux-gnu.2.17", "librunner.so", tag)


def _macos(machine, tag):
    # Otherwise the library would name the folder that it was linked in.
    name = ("-s", "-install_name", "@rpath/librunner.dylib")
    return Platform(machine, f"{machine}-macos.11.0", "librunner.dylib", f"macosx_11_0_{tag}", name)


#: By the names that commands give them.
PLATFORMS = {
    "aarch64": _linux("aarch64"),
    "x86_64": _linux("x86_64"),
    "macos-arm64": _macos("aarch64", "arm64"),
    "macos-x86_64": _macos("x86_64", "x86_64"),
    "windows-x86_64": Platform("x86_64", "x86_64-windows-gnu", "runner.dll", "win_amd64"),
}


def compile_library(platform: Platform) -> Path:
    """The engine's shared library for a kind of machine, compiled now if it is not in the cache.

    Raises:
        BuildError: if it cannot be compiled.
    """
    # A command lists the platforms without NumPy, which the engine's package imports.
    from android_demo.runner import build

    if importlib.util.find_spec("ziglang") is None:
        raise build.BuildError("wheels for other machines are compiled by ziglang", remedy="pip install ziglang")
    # This machine's own compiler would bind the library to this machine's own C library.
    command = [sys.executable, "-m", "ziglang", "cc", "-target", platform.target]
    return build.library(platform.machine, platform.library, command, platform.link)
