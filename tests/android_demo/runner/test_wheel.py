"""The package that ``pip install`` makes: whether the engine's sources are in it, and run."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from android_demo.runner.build import NATIVE, library

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what is in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    # In a copy: setuptools leaves things beside what it packs, and packs what it finds there the next time.
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("bnext_keras", "converter", "android_demo"):
        shutil.copytree(ROOT / package, folder / "source" / package, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", folder, folder / "source"]
    done = subprocess.run(command, capture_output=True, text=True)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("there is no connection to fetch setuptools from")
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


def test_the_engine_runs_from_what_is_installed(installed, bnext, tmp_path):
    (tmp_path / "model.tflite").write_bytes(bnext.content)
    compiled = library()
    program = (
        "import sys; from android_demo.runner import Interpreter, build\n"
        "import numpy as np\n"
        "engine = Interpreter('model.tflite')\n"
        "engine.predict(np.zeros(engine.input_shapes[0], np.float32))\n"
        "print(build.NATIVE); print(build.library())"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    # The same content: what was compiled for the sources in the clone is taken.
    assert done.stdout.splitlines() == [str(installed / NATIVE.relative_to(ROOT)), str(compiled)]


def test_who_installs_it_gets_a_compiler_and_the_readme(installed):
    (metadata,) = installed.glob("*.dist-info/METADATA")
    assert "Requires-Dist: ziglang" in metadata.read_text()
    assert (installed / "android_demo/runner/README.md").is_file()
    assert (installed / "android_demo/report/templates/runners.html").is_file()
    assert (installed / "android_demo/export/web/assets/worker.js").is_file()
    assert (installed / "android_demo/export/aar/java/bnext/engine/Interpreter.java").is_file()
    for name in ("AndroidManifest.xml", "assets/more.js", "res/drawable/icon.xml", "smali/bnext/app/Main.smali"):
        assert (installed / "android_demo/export/apk" / name).is_file()
    assert (installed / "android_demo/tools/app.sh").is_file()
