"""What the command line tools have in common: arguments, and what reaches the terminal.

Nothing heavy is imported here: the tools answer `--help` and bad arguments before they start TensorFlow.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def tool_parser(name: str, description: str, epilog: str, **options) -> argparse.ArgumentParser:
    """A parser whose help keeps the line breaks of its texts."""
    formatter = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(
        prog=name, description=description, epilog=epilog, formatter_class=formatter, **options
    )


def positive(text: str) -> int:
    """A type of argument: whole numbers above 0."""
    value = int(text)
    if value <= 0:
        raise ValueError(text)
    return value


def add_architecture_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``--model``, ``--input-size`` and ``--num-classes``, which say what a file of weights belongs to."""
    group = parser.add_argument_group("for files that hold weights only")
    group.add_argument(
        "--model", metavar="NAME", help="architecture, as bnext-models lists them: BNextTiny, ..., MeliusNetC"
    )
    group.add_argument("--input-size", type=positive, default=224, metavar="N", help="height and width (default 224)")
    group.add_argument("--num-classes", type=positive, default=1000, metavar="N", help="classes (default 1000)")


def quiet_tensorflow() -> None:
    """Keeps TensorFlow's log out of a tool's answers, and TensorFlow from looking for a GPU that no tool needs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@contextmanager
def silenced() -> Iterator[None]:
    """Sends what native code writes to standard error to nowhere; for imports only.

    TensorFlow and LCE greet with half a page before their log levels take effect, so that no environment variable can
    stop them. Python's exceptions still get through.

    Example:
        >>> from converter.command_line import silenced
        >>> with silenced():
        ...     import bnext_keras
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def discard_output() -> None:
    """After a BrokenPipeError: whoever reads, `head` say, has enough, and what is buffered must not fail at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
