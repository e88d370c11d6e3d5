"""The core as it is, for machines without a C library or of another kind."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alike import with_more

from android_demo.runner.build import CORE, FLAGS, JNI, KERNELS, NATIVE

#: What links alone: with nothing else, so a call of the C library would be an error. The host of Java does, too.
ALONE = ["-nostdlib", "-shared", "-Wl,--no-undefined"]
WASM = ["-nostdlib", "-Wl,--no-entry", "-Wl,--export=runner_check", "-Wl,--export=runner_run"]


def link(compiler, machine, options, output, alone):
    """The core, its kernels and, where it stands alone, what compilers take for granted; for phones, their host."""
    objects = []
    kernels = KERNELS[machine]
    hosts = JNI if "-shared" in options else ["hosts/freestanding.cpp"]
    for name in [*CORE, *kernels, *(hosts if alone else [])]:
        objects.append(output.with_name(f"{Path(name).stem}.o"))
        own = [*kernels.get(name, []), *(["-ffreestanding", "-fno-builtin"] if alone else [])]
        subprocess.run([*compiler, *FLAGS, "-O1", *own, "-fPIC", "-c", NATIVE / name, "-o", objects[-1]], check=True)
    subprocess.run([*compiler, *objects, *options, "-o", output], check=True)
    return output.read_bytes()


@pytest.mark.parametrize(
    ("machine", "compiler"), with_more([("x86_64", "g++")], [("aarch64", "aarch64-linux-gnu-g++")])
)
def test_it_needs_no_c_library(tmp_path, machine, compiler):
    found = shutil.which(f"{machine}-linux-gnu-g++") or shutil.which(compiler)
    if found is None or (machine == "x86_64" and not Path("/lib64/ld-linux-x86-64.so.2").exists()):
        pytest.skip(f"no compiler for {machine} here")
    # The compiler's own library, which counts bits where the CPU has no instruction for it, is no C library.
    assert link([found], machine, [*ALONE, "-lgcc"], tmp_path / "core.so", alone=True)[:4] == b"\x7fELF"


@pytest.mark.parametrize(
    ("target", "machine", "options", "magic"),
    [
        ("wasm32-freestanding", "wasm32", WASM, b"\0asm"),
        ("aarch64-linux-android", "aarch64", ALONE, b"\x7fELF"),
        ("aarch64-macos", "aarch64", ["-shared"], b"\xcf\xfa\xed\xfe"),
        ("x86_64-macos", "x86_64", ["-shared"], b"\xcf\xfa\xed\xfe"),
    ],
)
@pytest.mark.exhaustive  # Pages and Android's libraries are this core, too, and made in every test run.
def test_it_compiles_unchanged_for(tmp_path, target, machine, options, magic):
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", target]
    assert link(compiler, machine, options, tmp_path / "core", alone="macos" not in target)[:4] == magic
