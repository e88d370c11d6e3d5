"""Runs Python programs in processes of their own that have TensorFlow imported already.

Python needs five seconds of processor time for that import, and dozens of tests run a command as its users do. A
server, of which `multiprocessing` takes care, imports it once; each program is a fork of it. TensorFlow has computed
nothing there, so that its threads start in the fork. How a command starts, and what it prints before TensorFlow is
there, is for `subprocess` to show.
"""

import multiprocessing
import multiprocessing.forkserver
import os
import resource
import runpy
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["forked_imports"])


def run(*command, **options):
    """Like `start`, and waits for the end."""
    return start(*command, **options).finish()


def start(*command, cwd=None, environment=None, largest_file=None):
    """Starts a program: ``start("-m", "converter.cli.convert", "model.h5")`` or ``start("program.py", "argument")``.

    Args:
        command: What stands behind ``python`` on a command line.
        cwd: The folder to work in.
        environment: Variables beside those of this process.
        largest_file: Size in bytes beyond which the system lets no file grow.
    """
    return _Program([str(part) for part in command], cwd, environment or {}, largest_file)


class _Program:
    def __init__(self, command, cwd, environment, largest_file):
        self.command = command
        self._folder = tempfile.TemporaryDirectory()
        outputs = [Path(self._folder.name) / name for name in ("stdout", "stderr")]
        arguments = (command, cwd, {**os.environ, **environment}, largest_file, outputs)
        self._process = _context.Process(target=_main, args=arguments, daemon=True)
        with _python_path():
            self._process.start()
        self._outputs = outputs

    def finish(self, timeout=600):
        """Waits for the end and returns what `subprocess.run` would."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            raise subprocess.TimeoutExpired(self.command, timeout)
        stdout, stderr = (path.read_text() if path.exists() else "" for path in self._outputs)
        self._folder.cleanup()
        return subprocess.CompletedProcess(self.command, code, stdout, stderr)


@contextmanager
def _python_path():
    """The server, which starts with the first program, imports from where this process does."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _main(command, cwd, environment, largest_file, outputs):
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY), number)
    os.environ.clear()
    os.environ.update(environment)
    if cwd is not None:
        os.chdir(cwd)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        runpy.run_path(command[0], run_name="__main__")
