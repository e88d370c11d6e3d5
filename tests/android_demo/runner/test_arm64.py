"""The engine's NEON kernels, on emulated ARM64 CPUs."""

import shutil
import subprocess

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

    def run(plan, image, cpu, *flags, runner=runner):
        (tmp_path / "plan").write_bytes(plan)
        image.tofile(tmp_path / "image")
        command = ["qemu-aarch64-static", "-cpu", cpu, runner, f"--graph={tmp_path / 'plan'}", *flags]
        files = [f"--input={tmp_path / 'image'}", f"--output={tmp_path / 'answer'}"]
        done = subprocess.run([*command, *files], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "Kernels: neon" in done.stdout
        return np.fromfile(tmp_path / "answer", np.float32)

    return run


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


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((8, 5, 64), {"kernel_size": 3, "strides": 2}),
        ((9, 9, 32), {"kernel_size": 3, "dilation_rate": 2}),
        ((9, 4, 40), {"kernel_size": 5, "pad_values": 1.0}),
        ((5, 4, 480), {"kernel_size": 1}),
        ((7, 3, 33), {"kernel_size": 3}),
        ((1, 1, 64), {"kernel_size": 3}),
    ],
)
def test_binary_convolutions_are_exact(answer, shape, options):
    model = tf.keras.Sequential([tf.keras.Input(shape), BinaryConv2D(37, **options)])
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    found = answer(compile_plan(convert(model).content), image, "cortex-a76")
    np.testing.assert_allclose(found, np.ravel(model(image)), rtol=1e-6, atol=1e-4)
