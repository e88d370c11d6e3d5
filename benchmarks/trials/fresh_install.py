"""Installs the wheel where there is no compiler, and measures with the engine there.

    python benchmarks/trials/fresh_install.py model.tflite

makes a virtual environment with the wheel and ``ziglang``, while TensorFlow and the other requirements are those of the
Python that runs this. There it runs ``Interpreter`` and ``bnext-benchmark --runner bnext`` with a PATH that has no
compiler on it and an empty cache: on this machine and, if QEMU is installed, on an emulated ARM64 CPU. It prints what
each step printed and the seconds that it took: most of them are for compiling a C library, once in a user's life.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What a machine without a compiler has all the same, beside Python.
TOOLS = [
    "base64",
    "cat",
    "chmod",
    "cut",
    "df",
    "env",
    "getconf",
    "grep",
    "head",
    "kill",
    "ls",
    "mkdir",
    "mv",
    "readlink",
]
TOOLS += ["rm", "sed", "sh", "sha256sum", "taskset", "tr", "uname", "wc", "qemu-aarch64-static"]

PROGRAM = """
import sys
import numpy as np
from android_demo.runner import Interpreter
engine = Interpreter(sys.argv[1])
print(engine.kernels, engine.predict(np.zeros(engine.input_shapes[0], np.float32)).shape)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a .tflite file")
    arguments = parser.parse_args()
    model = arguments.model.absolute()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = folder / "bin"
        programs.mkdir()
        for tool in TOOLS:
            if found := shutil.which(tool):
                (programs / tool).symlink_to(found)
        environment = {**os.environ, "PATH": f"{folder / 'venv/bin'}:{programs}", "HOME": name}
        # What lies in a clone is not what has been installed.
        for variable in ("CXX", "CXX_AARCH64", "PYTHONPATH", "XDG_CACHE_HOME"):
            environment.pop(variable, None)

        def step(title: str, *command: object) -> None:
            start = time.perf_counter()
            words = list(map(str, command))
            done = subprocess.run(words, cwd=folder, env=environment, text=True, capture_output=True)
            print(f"== {title}: {time.perf_counter() - start:.1f} s, exit status {done.returncode}")
            print((done.stdout + done.stderr).strip(), flush=True)
            if done.returncode:
                sys.exit(1)

        step("wheel", sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", folder, ROOT)
        step("environment", sys.executable, "-m", "venv", "venv")
        python = folder / "venv/bin/python"
        step("ziglang", python, "-m", "pip", "install", "--quiet", "ziglang")
        step("installation", python, "-m", "pip", "install", "--quiet", "--no-deps", *folder.glob("*.whl"))
        (site,) = folder.glob("venv/lib/*/site-packages")
        (site / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
        step("Interpreter", python, "-c", PROGRAM, model)
        step("Interpreter again", python, "-c", PROGRAM, model)
        quick = ("--repetitions", "1", "--no-profile", "--runner", "bnext")
        devices = ["host", *(["qemu"] if (programs / "qemu-aarch64-static").exists() else [])]
        for device in devices:
            step(device, folder / "venv/bin/bnext-benchmark", model, "--device", device, *quick)


if __name__ == "__main__":
    main()
