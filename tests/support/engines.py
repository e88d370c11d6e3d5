"""The engine with kernels that this machine's CPU may lack."""

import sys
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from unittest import mock

import pytest

from android_demo.runner import EngineError, Interpreter, build, interpreter

#: What is linked with the engine for a CPU with AMX, and the options of the file that it stands in for.
AMX_EMULATOR = Path(__file__).with_name("amx_emulator.cpp")
AMX_OPTIONS = {"hosts/cpu.cpp": ["-Dcpu_features=features_of_this_cpu"]}
#: What kernels there are besides the reference, by the machine that they are compiled for.
KERNELS_OF = {"x86_64": ["avx2", "avx512", "amx-only"], "aarch64": ["neon", "dotprod-only"]}
#: Those of this machine, the reference first. AMX is for Linux alone, and emulated on other CPUs.
KERNELS = ["reference", *KERNELS_OF.get(build.machine(), [])]
if sys.platform != "linux" and "amx-only" in KERNELS:
    KERNELS.remove("amx-only")


def opened(*arguments, kernels, **options):
    """An interpreter with these kernels, on an emulated CPU where they are AMX's."""
    with emulated_amx() if kernels.startswith("amx") else nullcontext():
        return Interpreter(*arguments, kernels=kernels, **options)


def engine_or_skip(*arguments, **options):
    """Likewise; the test is skipped if there are no such kernels for this CPU."""
    try:
        return opened(*arguments, **options)
    except EngineError as error:
        if "no such kernels" not in str(error):
            raise
        pytest.skip("this CPU lacks them")


@contextmanager
def emulated_amx():
    """Interpreters that are made meanwhile see a CPU with AMX, if it has AVX-512."""
    with mock.patch.object(interpreter, "_load", _library_with_amx):
        yield


@cache
def _library_with_amx():
    output = Path(mkdtemp()) / "librunner.so"
    build.build(
        [*build.HOST, *build.LIBRARY],
        output,
        flags=["-fPIC"],
        options=AMX_OPTIONS,
        link=["-shared", "-lpthread", "-std=c++17", "-O2", f"-I{build.NATIVE}", str(AMX_EMULATOR)],
    )
    return interpreter.bind(output)
