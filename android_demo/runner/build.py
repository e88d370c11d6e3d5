"""Compiles the engine's sources, once: at first use, into a cache that goes by their content.

The compiler is ``$CXX``, or clang or g++ of the machine, or, if it has none, ``python -m ziglang c++``, which
``pip install ziglang`` brings.
"""

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bnext_keras.errors import UserError

NATIVE = Path(__file__).parent / "native"
#: Options of every file. Contraction makes a multiplication and an addition one operation that rounds once.
FLAGS = [
    "-std=c++17",
    "-O3",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-math-errno",
    "-fno-strict-aliasing",
    "-ffp-contract=fast",
    "-fvisibility=hidden",
]
CORE = ["core/check.cpp", "core/engine.cpp", "kernels/reference.cpp"]
#: Kernels of one instruction set, by the machine's name, with the options that they alone are compiled with.
KERNELS: dict[str, dict[str, list[str]]] = {
    "x86_64": {"kernels/avx2.cpp": ["-mavx2", "-mfma"]},
    "aarch64": {"kernels/neon.cpp": []},
    "wasm32": {},
}
HOST = ["hosts/host.cpp"]
LIBRARY, PROGRAM = "hosts/library.cpp", "hosts/program.cpp"


class BuildError(UserError, RuntimeError):
    """The engine cannot be compiled on this machine."""


def machine() -> str:
    """This machine's name among those of `KERNELS`."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def compiler() -> list[str]:
    """The command that compiles C++.

    Raises:
        BuildError: if there is none.
    """
    if os.environ.get("CXX"):
        return shlex.split(os.environ["CXX"])
    found = shutil.which("clang++") or shutil.which("g++")
    if found:
        return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++"]
    raise BuildError("the engine needs a C++ compiler", remedy="pip install ziglang, or set CXX")


def build(
    sources: Sequence[str],
    output: Path,
    *,
    command: Sequence[str] | None = None,
    target: str | None = None,
    flags: Sequence[str] = (),
    link: Sequence[str] = (),
) -> None:
    """Compiles and links sources into a file.

    Args:
        sources: Paths below `NATIVE`, besides the core and its kernels.
        output: The file.
        command: The compiler, by default `compiler`'s.
        target: The machine's name among those of `KERNELS`, by default this one.
        flags: More options for all files.
        link: More options for linking; ``["-c"]`` keeps the objects apart: nothing is linked.

    Raises:
        BuildError: with the compiler's first message.
    """
    command = list(command or compiler())
    kernels = KERNELS.get(target or machine(), {})
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for name in [*CORE, *kernels, *sources]:
            objects.append(str(Path(folder, Path(name).stem + ".o")))
            _call([*command, *FLAGS, *flags, *kernels.get(name, []), "-c", str(NATIVE / name), "-o", objects[-1]])
        if list(link) != ["-c"]:
            part = Path(folder, "whole")
            _call([*command, *flags, *objects, *link, "-o", str(part)])
            output.parent.mkdir(parents=True, exist_ok=True)
            # Two processes may build at the same time: each moves a whole file there.
            fresh = output.with_name(f"{output.name}.{os.getpid()}")
            shutil.copy2(part, fresh)
            os.replace(fresh, output)


def _call(command):
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be started ({error.strerror})", remedy="set CXX") from error
    if result.returncode:
        message = next((line for line in result.stderr.splitlines() if "error" in line), result.stderr.strip()[-200:])
        raise BuildError(f"the engine does not compile with {command[0]}: {message}")


def library() -> Path:
    """The shared library for this machine, compiled now if it is not in the cache."""
    return _cached("librunner.so", [*HOST, LIBRARY], ["-fPIC"], ["-shared", "-lpthread"])


def program() -> Path:
    """The command line program for this machine, compiled now if it is not in the cache."""
    return _cached("runner", [*HOST, PROGRAM], [], ["-lpthread"])


def cache_folder() -> Path:
    """Where compiled engines lie: below ``$XDG_CACHE_HOME``, as a rule ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "bnext", "runner")


def _cached(name, sources, flags, link):
    command = compiler()
    digest = hashlib.sha256(repr((command, FLAGS, KERNELS, sources, flags, link, machine())).encode())
    for path in sorted(NATIVE.rglob("*.*")):
        digest.update(path.relative_to(NATIVE).as_posix().encode() + path.read_bytes())
    output = cache_folder() / digest.hexdigest()[:16] / name
    if not output.exists():
        print("Compiling the engine, once ...", file=sys.stderr, flush=True)
        build(sources, output, command=command, flags=flags, link=link)
    return output
