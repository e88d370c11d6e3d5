"""A POSIX shell somewhere: the one thing that a target needs to have."""

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class Completed:
    """What became of a command.

    Attributes:
        exit_code: 128 + n if signal n ended it, None if it was stopped because its time was up.
        stdout: What it printed; if it was stopped, what had come until then.
        stderr: What it wrote to standard error, likewise.
    """

    exit_code: int | None
    stdout: str
    stderr: str

    @classmethod
    def of(cls, exit_code: int | None, stdout: bytes, stderr: bytes) -> "Completed":
        """From both streams as they came; bytes that are no UTF-8 do no harm."""
        return cls(exit_code, stdout.decode(errors="replace"), stderr.decode(errors="replace"))


class Shell(Protocol):
    """Runs scripts and takes files, on this machine or another.

    Attributes:
        name: What the user would type after ``--device``; every message begins with it.
    """

    name: str

    def run(self, script: str, timeout: float = 30) -> Completed:
        """Runs a script of sh, for so many seconds at most.

        Raises:
            DeviceLost: if the connection breaks.
        """

    def copy(self, source: Path, destination: str) -> None:
        """Puts a file there, executable.

        Raises:
            DeviceError: if it does not fit or may not be written.
            DeviceLost: if the connection breaks.
        """


def run_process(command: Sequence[str], timeout: float, stdin: BinaryIO | None = None) -> Completed:
    """Runs a command on this machine; if its time is up or Ctrl-C is pressed, it and its children are killed.

    Raises:
        OSError: if it cannot be started.
    """
    with subprocess.Popen(
        command,
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A group of its own: children die with it, and a terminal's Ctrl-C reaches us alone.
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            # A second call gives all that came since the start.
            stdout, stderr = process.communicate()
            return Completed.of(None, stdout, stderr)
    exit_code = process.returncode
    return Completed.of(exit_code if exit_code >= 0 else 128 - exit_code, stdout, stderr)
