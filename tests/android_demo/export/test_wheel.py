"""bnext-runtime: the engine as a Python package without TensorFlow."""

import base64
import hashlib
import importlib.util
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from android_demo.cli.export import main
from android_demo.export.wheel import PLATFORMS, archive, make_wheel
from android_demo.export.wheel.platforms import compile_library
from android_demo.export.wheel.sources import collect
from android_demo.runner import Interpreter, build


@pytest.fixture(scope="module")
def wheel(request, tmp_path_factory):
    """A wheel for this machine: its name, its content, and a folder that it is unpacked into."""
    with pytest.MonkeyPatch.context() as patch:
        # The library that other tests have compiled already.
        patch.setattr(archive, "compile_library", lambda platform: build.library())
        name, content = make_wheel(PLATFORMS["x86_64"])
        assert make_wheel(PLATFORMS["x86_64"]) == (name, content)
    folder = tmp_path_factory.mktemp("wheel")
    zipfile.ZipFile(io.BytesIO(content)).extractall(folder)
    return name, content, folder


def run_alone(folder, program, *arguments):
    """Runs Python with the package and NumPy, and nothing else that is installed."""
    found = Path(np.__file__).parent
    (folder / "numpy").symlink_to(found)
    if found.with_name("numpy.libs").exists():
        (folder / "numpy.libs").symlink_to(found.with_name("numpy.libs"))
    start = f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    command = [sys.executable, "-I", "-S", "-c", start + program, *map(str, arguments)]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=120)
    finally:
        for link in folder.glob("numpy*"):
            link.unlink()


def test_it_answers_as_the_engine_does_where_only_numpy_is(wheel, colour, tmp_path):
    image = np.random.default_rng(0).standard_normal((1, 32, 48, 3)).astype(np.float32)
    np.save(tmp_path / "image.npy", image)
    program = """
import numpy as np, bnext_runtime
engine = bnext_runtime.Interpreter(sys.argv[2], num_threads=2)
np.save(sys.argv[1] + "/answer.npy", engine.predict(np.load(sys.argv[1] + "/image.npy")))
strangers = {"tensorflow", "flatbuffers", "bnext_keras", "converter", "android_demo"} & set(sys.modules)
print(engine.kernels, sorted(strangers))
"""
    done = run_alone(wheel[2], program, tmp_path, colour.file)
    own = Interpreter(colour.file)
    assert (done.stdout, done.stderr) == (f"{own.kernels} []\n", "")
    np.testing.assert_array_equal(np.load(tmp_path / "answer.npy"), own.predict(image))


def test_a_file_that_is_none_is_refused_there_too(wheel):
    program = """
import bnext_runtime
from bnext_runtime.bnext_keras.errors import ConversionError
try:
    bnext_runtime.Interpreter(b"no model")
except ConversionError as error:
    print(error)
"""
    done = run_alone(wheel[2], program)
    assert "not a .tflite file" in done.stdout, done.stderr


def test_pip_finds_in_it_what_it_wants_to_know(wheel):
    name, content, folder = wheel
    assert re.fullmatch(r"bnext_runtime-[\w.]+-py3-none-manylinux_2_17_x86_64\.manylinux2014_x86_64\.whl", name)
    (info,) = folder.glob("bnext_runtime-*.dist-info")
    assert "Tag: py3-none-manylinux_2_17_x86_64\n" in (info / "WHEEL").read_text()
    assert "Root-Is-Purelib: false\n" in (info / "WHEEL").read_text()
    requirements = re.findall("Requires-Dist: (.*)", (info / "METADATA").read_text())
    assert requirements == ["numpy>=1.24"]
    assert "Apache License" in (info / "licenses/LICENSE").read_text()
    assert "flatbuffers" in (info / "licenses/NOTICE").read_text()
    rows = [line.rsplit(",", 2) for line in (info / "RECORD").read_text().splitlines()]
    assert sorted(path for path, _, _ in rows) == sorted(zipfile.ZipFile(io.BytesIO(content)).namelist())
    for path, digest, size in rows:
        file = (folder / path).read_bytes()
        expected = base64.urlsafe_b64encode(hashlib.sha256(file).digest()).rstrip(b"=").decode()
        assert path == f"{info.name}/RECORD" or (digest, size) == (f"sha256={expected}", str(len(file)))


def test_modules_are_those_of_the_engine_and_what_they_import():
    files = collect()
    assert "bnext_runtime/android_demo/runner/compiler/emit.py" in files
    assert "bnext_runtime/converter/tflite/parsing.py" in files
    # Where TensorFlow would be started, or a device reached.
    assert files["bnext_runtime/bnext_keras/__init__.py"] == b""
    rooms = {"/".join(path.split("/")[:3]) for path in files if "/" in path}
    assert not {name for name in rooms if "session" in name or "targets" in name or "models" in name}


@pytest.fixture
def compiled_quickly(monkeypatch):
    """Has the engine compiled without optimization, which takes a tenth of the time."""
    monkeypatch.setattr(build, "FLAGS", [*build.FLAGS, "-O0"])


@pytest.mark.exhaustive
@pytest.mark.usefixtures("compiled_quickly")
def test_a_library_for_a_raspberry_pi():
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    content = compile_library(PLATFORMS["aarch64"]).read_bytes()
    assert (content[:4], content[18:20]) == (b"\x7fELF", b"\xb7\x00")
    for name in (b"session_open", b"session_run", b"session_step_name"):
        assert name in content
    # What the oldest system of the tag has: versions of the C library that are asked for stand in the file as texts.
    versions = {tuple(map(int, found.split(b"."))) for found in re.findall(rb"GLIBC_([0-9.]+)", content)}
    assert max(versions, default=(0,)) <= (2, 17)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["windows-x86_64", "macos-x86_64"])
def test_threads_and_memory_compile_for_another_system(name, tmp_path):
    """What is the system's own is in this file; the rest of the library is the same on all."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    command = [sys.executable, "-m", "ziglang", "cc", "-target", PLATFORMS[name].target, "-std=c++17"]
    command += ["-c", str(build.NATIVE / "hosts" / "host.cpp"), "-o", str(tmp_path / "host.o")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.exhaustive
@pytest.mark.usefixtures("compiled_quickly")
def test_the_command_writes_a_wheel(tmp_path, capsys):
    assert main(["wheel", "--arch", "x86_64", "-o", str(tmp_path / "dist")]) == 0
    (file,) = (tmp_path / "dist").iterdir()
    assert capsys.readouterr().out.startswith(f"{file}: ")


def test_no_wheel_is_made_where_it_cannot_be_written(tmp_path, capsys):
    (tmp_path / "dist").write_text("")
    assert main(["wheel", "--arch", "aarch64", "-o", str(tmp_path / "dist")]) == 2
    assert "dist" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["dist"]
