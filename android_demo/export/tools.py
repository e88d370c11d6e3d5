"""Programs of Debian that make applications for Android. Google's SDK and NDK are not needed."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bnext_keras.errors import UserError

#: What Android calls the machines that applications are made for: by that name, the engine's.
ABIS = {"arm64-v8a": "aarch64", "x86_64": "x86_64"}


class ToolError(UserError, RuntimeError):
    """A program that makes an application is not installed, or fails."""


def find(program: str, package: str) -> str:
    """A program's path.

    Raises:
        ToolError: if it is not installed; it names Debian's package.

    Example:
        >>> find("no-such-compiler", "default-jdk-headless")
        Traceback (most recent call last):
        ...
        android_demo.export.tools.ToolError: no-such-compiler is not installed; apt install default-jdk-headless
    """
    path = shutil.which(program)
    if path is None:
        raise ToolError(f"{program} is not installed", remedy=f"apt install {package}")
    return path


def call(command: Sequence[object], **options: Any) -> str:
    """Runs a program and returns what it prints.

    Args:
        command: The program and its arguments, texts and paths.
        **options: What `subprocess.run` takes besides.

    Raises:
        ToolError: if it fails, with the first line that says why.
    """
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode:
        lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower() or "exception" in line.lower()]
        why = next(iter(errors or lines), f"status {done.returncode}")
        raise ToolError(f"{Path(str(command[0])).name} fails: {why}")
    return done.stdout
