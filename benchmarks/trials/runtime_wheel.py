"""The wheels of bnext-runtime where they shall run: in a fresh environment here, and in an ARM64 Python under QEMU.

    python benchmarks/trials/runtime_wheel.py model.tflite --folder /tmp/wheels

makes both wheels, installs that for x86-64 with pip into a virtual environment without TensorFlow, unpacks that for
ARM64 beside Debian's Python and NumPy for ARM64, which apt fetches into the folder without touching this machine's
packages, and has all of them answer the same random images. It prints what was installed, which kernels ran, and the
largest difference to the answers of the engine here. It needs Debian, qemu-user-static and a connection; ``--folder``
keeps what was fetched.
"""

import argparse
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from android_demo.export.wheel import PLATFORMS, make_wheel
from android_demo.runner import Interpreter

#: Debian's ARM64 packages that a Python with NumPy is made of; apt adds what they depend on.
PACKAGES = ("python3-minimal", "python3-numpy")
#: Run by each Python: the folder of the model, and whether the package lies there unpacked.
PROGRAM = """
import sys, platform, numpy as np
folder = sys.argv[1]
sys.path.insert(0, folder + "/unpacked") if len(sys.argv) > 2 else None
import bnext_runtime
engine = bnext_runtime.Interpreter(folder + "/model.tflite", num_threads=2)
np.save(folder + "/answers.npy", engine.predict(np.load(folder + "/images.npy")))
print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, {engine.kernels} kernels, "
      f"TensorFlow {'there' if 'tensorflow' in sys.modules else 'not there'}")
"""


def main() -> None:
    """Runs the trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.tflite").write_bytes(arguments.model.read_bytes())
        engine = Interpreter(arguments.model)
        shape = (3, *engine.input_shapes[0][1:])
        images = np.random.default_rng(arguments.seed).standard_normal(shape).astype(np.float32)
        np.save(folder / "images.npy", images)
        expected = engine.predict(images)
        for name, try_out in (("x86_64", in_fresh_environment), ("aarch64", in_arm64_python)):
            file, content = make_wheel(PLATFORMS[name])
            (folder / file).write_bytes(content)
            told = try_out(folder, folder / file)
            difference = np.abs(np.load(folder / "answers.npy") - expected).max()
            print(f"{file}, {len(content) / 1e6:.2f} MB: {told}; largest difference {difference:.3g}")


def in_fresh_environment(folder, wheel):
    """Installs a wheel with pip, with what it asks for; returns what the program says."""
    python = folder / "environment/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "environment"], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
    installed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    return f"{', '.join(installed.stdout.split())}: {_told([python, '-c', PROGRAM, folder])}"


def in_arm64_python(folder, wheel):
    """Unpacks a wheel for ARM64 beside Debian's Python for it; returns what the program says under QEMU."""
    root = folder / "arm64"
    if not (root / "usr/bin/python3").exists():
        fetch(folder, root)
    zipfile.ZipFile(io.BytesIO(wheel.read_bytes())).extractall(folder / "unpacked")
    (python,) = root.glob("usr/bin/python3.[0-9]*[0-9]")
    libraries = root / "usr/lib/aarch64-linux-gnu"
    # Debian chooses among BLAS libraries by links that its packages' scripts make, which have not run.
    chosen = f"LD_LIBRARY_PATH={libraries / 'blas'}:{libraries / 'lapack'}"
    return _told(["qemu-aarch64-static", "-L", root, "-E", chosen, python, "-c", PROGRAM, folder, "unpacked"])


def fetch(folder, root):
    """Has apt fetch ARM64 packages and all that they need, with lists of its own, and unpacks them."""
    state = folder / "apt"
    for name in ("lists/partial", "archives/partial", "dpkg"):
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "dpkg/status").touch()
    options = [
        *("-o", "APT::Architecture=arm64", "-o", "APT::Architectures::=arm64", "-o", "APT::Install-Recommends=false"),
        *("-o", f"Dir::State={state}", "-o", f"Dir::State::Lists={state}/lists"),
        *("-o", f"Dir::State::status={state}/dpkg/status", "-o", f"Dir::Cache={state}"),
        *("-o", f"Dir::Cache::archives={state}/archives", "-o", "Debug::NoLocking=true"),
    ]
    subprocess.run(["apt-get", *options, "--quiet=2", "update"], check=True)
    subprocess.run(["apt-get", *options, "--quiet=2", "--yes", "--download-only", "install", *PACKAGES], check=True)
    for package in sorted((state / "archives").glob("*.deb")):
        subprocess.run(["dpkg", "--extract", package, root], check=True)


def _told(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
