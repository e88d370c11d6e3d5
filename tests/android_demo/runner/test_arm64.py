"""The engine's kernels of ARM64, on emulated CPUs."""

import re
import shutil
import subprocess
from pathlib import Path

from bnext_keras.layers import BinaryConv2D

import numpy as np
import pytest
import tensorflow as tf

from android_demo.runner import build, compile_plan
from converter import convert


@pytest.fixture(scope="module")
def runner():
    if not shutil.which("qemu-aarch64-static"):
        pytest.skip("qemu-aarch64-static is not installed (Debian package qemu-user-static)")
    return build.program("aarch64")


@pytest.fixture
def answer(runner, tmp_path):
    """What a plan makes of an image on a CPU that QEMU emulates."""

    def run(plan, image, cpu, *flags, runner=runner, kernels="neon", system="/"):
        (tmp_path / "plan").write_bytes(plan)
        image.tofile(tmp_path / "image")
        command = ["qemu-aarch64-static", "-cpu", cpu, "-L", system, runner, f"--graph={tmp_path / 'plan'}", *flags]
        files = [f"--input={tmp_path / 'image'}", f"--output={tmp_path / 'answer'}"]
        done = subprocess.run([*map(str, command), *files], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert re.search("Kernels: (.*)", done.stdout)[1] == kernels
        return np.fromfile(tmp_path / "answer", np.float32)

    return run


@pytest.fixture
def phone(tmp_path):
    """Files of a system with these processors, one after the other, by what they call themselves."""

    def folder(*processors):
        for number, processor in enumerate(processors):
            file = Path(tmp_path, f"sys/devices/system/cpu/cpu{number}/regs/identification/midr_el1")
            file.parent.mkdir(parents=True)
            file.write_text(f"0x{processor:016x}\n")
        return tmp_path

    return folder


@pytest.mark.parametrize("network", ["bnext", "melius", "mixed"])
def test_answers_are_those_of_lce(request, answer, network):
    sample = request.getfixturevalue(network)
    plan, largest = compile_plan(sample.content), np.abs(sample.expected).max()
    found = answer(plan, sample.image, "cortex-a53")
    np.testing.assert_allclose(found, sample.expected.ravel(), atol=1e-4 * largest)
    np.testing.assert_array_equal(answer(plan, sample.image, "cortex-a53", "--num_threads=3"), found)


def test_threads_share_work_by_atomic_operations_of_its_own(answer, runner, bnext, plan, tmp_path):
    """Those of a library that is linked with nothing stand in a program here, before the compiler's."""
    program = tmp_path / "program"
    sources = [*build.HOST, *build.PROGRAM, "hosts/freestanding.cpp"]
    options = {"hosts/freestanding.cpp": ["-fno-builtin"]}
    link = ["-static", "-lpthread"]
    build.build(sources, program, target="aarch64", flags=["-fPIC"], link=link, options=options)
    found = answer(plan, bnext.image, "cortex-a76", "--num_threads=3", runner=program)
    np.testing.assert_array_equal(found, answer(plan, bnext.image, "cortex-a76"))


@pytest.mark.parametrize("cpu", ["cortex-a72", "cortex-a76", "max"])
def test_every_cpu_gives_the_same_bits(answer, bnext, plan, cpu):
    np.testing.assert_array_equal(answer(plan, bnext.image, cpu), answer(plan, bnext.image, "cortex-a53"))


#: Cortex-A55, A78 and X1 as processors say it; the last digit is a revision.
A55, A78, X1 = 0x411FD050, 0x411FD410, 0x411FD442


@pytest.mark.parametrize(
    ("cpu", "processors", "kernels"),
    [
        ("cortex-a76", [A55] * 4 + [A78] * 3 + [X1], "dotprod"),
        ("cortex-a76", [A55] * 11 + [X1], "dotprod"),
        ("cortex-a76", [A55] * 4 + [A78] * 4, "neon"),
        ("cortex-a72", [X1], "neon"),  # A system that does not let processes use the instruction.
    ],
)
def test_bits_are_counted_where_that_is_faster(answer, phone, bnext, plan, cpu, processors, kernels):
    images = np.repeat(bnext.image, 6, axis=0)  # Two of each way, and then what is faster here.
    found = answer(plan, images, cpu, kernels=kernels, system=phone(*processors))
    np.testing.assert_array_equal(found, np.tile(answer(plan, bnext.image, cpu), 6))


#: Prints whether the CPU has dot products.
DOT_PRODUCTS = """
#include <stdio.h>
#include "hosts/host.h"
#include "kernels/kernels.h"
int main() { puts(cpu_features() & runner::CPU_DOTPROD ? "yes" : "no"); }
"""


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("fp asimd evtstrm aes atomics asimdrdm lrcpc dcpop asimddp", "yes"),
        ("fp asimd asimddp ssbs", "yes"),
        ("fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid", "no"),
        ("fp asimd asimddpx xasimddp", "no"),
        (None, "no"),
    ],
)
def test_dot_products_are_found_where_an_app_may_not_ask_the_kernel(runner, tmp_path, features, expected):
    """QEMU makes up such files: here they are looked for elsewhere."""
    source, cpuinfo = (build.NATIVE / "hosts" / "cpu.cpp").read_text(), tmp_path / "cpuinfo"
    for place, other in {"/proc/self/auxv": tmp_path / "no auxv", "/proc/cpuinfo": cpuinfo}.items():
        assert place in source
        source = source.replace(place, str(other))
    (tmp_path / "cpu.cpp").write_text(source)
    (tmp_path / "main.cpp").write_text(DOT_PRODUCTS)
    if features:
        cpuinfo.write_text(f"processor\t: 0\nBogoMIPS\t: 49.15\nFeatures\t: {features}\nCPU implementer\t: 0x41\n")
    program = tmp_path / "program"
    command = [*build.compiler("aarch64", static=True), "-std=c++17", "-static"]
    command += [f"-I{build.NATIVE}", f"-I{build.NATIVE / 'hosts'}", tmp_path / "cpu.cpp", tmp_path / "main.cpp"]
    subprocess.run([*map(str, command), "-o", program], check=True)
    found = subprocess.run(["qemu-aarch64-static", "-cpu", "max", program], capture_output=True, text=True)
    assert found.stdout == f"{expected}\n"


@pytest.mark.parametrize("network", ["bnext", "melius", "mixed"])
def test_bits_that_are_counted_give_the_same_answers(request, answer, network):
    sample = request.getfixturevalue(network)
    plan = compile_plan(sample.content)
    expected = answer(plan, sample.image, "cortex-a76")
    for flags in [(), ("--num_threads=3",)]:
        found = answer(plan, sample.image, "cortex-a76", "--kernels=dotprod-only", *flags, kernels="dotprod-only")
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kernels", ["neon", "dotprod-only"])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((8, 5, 64), {"kernel_size": 3, "strides": 2}),
        ((9, 9, 32), {"kernel_size": 3, "dilation_rate": 2}),
        ((9, 4, 40), {"kernel_size": 5, "pad_values": 1.0}),
        ((5, 4, 480), {"kernel_size": 1}),
        ((6, 5, 256), {"kernel_size": 3, "strides": 2, "pad_values": 1.0}),
        ((4, 3, 96), {"kernel_size": 3}),
        ((5, 5, 160), {"kernel_size": 2}),
        ((7, 3, 33), {"kernel_size": 3}),
        ((1, 1, 64), {"kernel_size": 3}),
    ],
)
def test_binary_convolutions_are_exact(answer, shape, options, kernels):
    model = tf.keras.Sequential([tf.keras.Input(shape), BinaryConv2D(37, **options)])
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    plan = compile_plan(convert(model).content)
    found = answer(plan, image, "cortex-a76", f"--kernels={kernels}", kernels=kernels)
    np.testing.assert_allclose(found, np.ravel(model(image)), rtol=1e-6, atol=1e-4)
