"""What the tests of devices have in common: a private adb server, a phone, an ARM64 program, models.

They need Debian's packages qemu-user-static, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and, for ssh, openssh-server;
without them they are skipped and say so.
"""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import bnext_keras

import pytest
import tensorflow as tf
from adb_device import Phone
from adbutils import AdbClient, adb_path

from android_demo.runner.build import cache_folder
from converter import convert

SOURCE = Path(__file__).with_name("fake_tool.c")


@pytest.fixture(scope="session")
def need():
    """Finds a program, or skips the test."""

    def find(program, package):
        path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
        if path is None:
            pytest.skip(f"{program} is not installed (Debian package {package})")
        return path

    return find


@pytest.fixture(scope="session")
def arm_tool(need, tmp_path_factory):
    """The stand-in for lce_benchmark_model, built for ARM64."""
    need("qemu-aarch64-static", "qemu-user-static")
    need("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
    program = tmp_path_factory.mktemp("arm64") / "lce_benchmark_model"
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-O2", SOURCE, "-o", program, "-lm"], check=True)
    return program


@pytest.fixture(scope="session")
def native_tool(need, tmp_path_factory):
    """The stand-in for lce_benchmark_model, built for this machine."""
    need("gcc", "gcc")
    program = tmp_path_factory.mktemp("native") / "lce_benchmark_model"
    subprocess.run(["gcc", "-O2", SOURCE, "-o", program, "-lm"], check=True)
    return program


@pytest.fixture(scope="session")
def binary_model(tmp_path_factory):
    """A converted BNext: a .tflite file with LCE's operators."""
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
    file = tmp_path_factory.mktemp("binary") / "binary.tflite"
    file.write_bytes(convert(model).content)
    return file


@pytest.fixture(scope="session")
def float_model(tmp_path_factory):
    """A .tflite file without LCE's operators."""
    image = tf.keras.Input((4,), batch_size=1)
    model = tf.keras.Model(image, tf.keras.layers.Dense(2)(image))
    file = tmp_path_factory.mktemp("float") / "float.tflite"
    file.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return file


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory):
    """A real adb server of the tests' own: its port, its keys."""
    with pytest.MonkeyPatch.context() as patch:
        # What is compiled is found again all the same.
        patch.setenv("XDG_CACHE_HOME", str(cache_folder().parents[1]))
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        # Somebody else may take a free port before adb does.
        for _ in range(3):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                patch.setenv("ANDROID_ADB_SERVER_PORT", str(free.getsockname()[1]))
            started = subprocess.run([adb_path(), "start-server"], capture_output=True, text=True)
            if started.returncode == 0:
                break
        assert started.returncode == 0, started.stderr
        yield
        subprocess.run([adb_path(), "kill-server"], check=True, env=dict(os.environ))


@pytest.fixture
def phones(adb_server, tmp_path):
    """Connects a phone for each call; takes the arguments of Phone, and of its faults."""
    connected = []

    def connect(unauthorized=False, state="device", **options):
        phone = Phone(tmp_path / f"phone{len(connected)}", banner=state, **options)
        phone.faults.unauthorized = unauthorized
        phone.__enter__()
        connected.append(phone)
        client = AdbClient()
        client.connect(phone.address, timeout=30)
        if not unauthorized:
            client.wait_for(phone.address, state=state, timeout=30)
        return phone

    yield connect
    for phone in connected:
        AdbClient().disconnect(phone.address)
        phone.__exit__()


@pytest.fixture
def replug():
    """Puts a phone's cable in again."""

    def connect(phone):
        client = AdbClient()
        client.disconnect(phone.address)
        client.connect(phone.address, timeout=30)
        client.wait_for(phone.address, timeout=30)

    return connect


@pytest.fixture
def phone(phones):
    """The only phone that is connected."""
    return phones()
