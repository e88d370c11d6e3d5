"""What all commands have in common: parser, exit status, errors, Ctrl-C, broken pipes, and a quiet start.

A command is a parser and a function of its arguments. It imports nothing heavy at its top: `--help` and bad arguments
are answered before TensorFlow starts.

    def main(argv=None):
        return run("bnext-convert", _convert, _parser().parse_args(argv))
"""

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bnext_keras._version import __version__
from bnext_keras.errors import UserError
from bnext_keras.text import one_line, printable

if TYPE_CHECKING:
    from bnext_keras.preprocessing import Normalization

#: Exit status after Ctrl-C, as shells have it: 128 and the number of the signal.
INTERRUPTED = 130

#: What ends a process at once unless it says otherwise: ``kill``, a container that is stopped; a terminal that is gone.
_ENDING = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class Ended(KeyboardInterrupt):
    """A signal has asked the process to end; what tidies up after Ctrl-C does so after this, too."""

    def __init__(self, number: int):
        super().__init__(number)
        self.exit_code = 128 + number


def run(tool: str, work: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Does a command's work and returns its exit status, whichever way the work ends.

    A `UserError` becomes one line on standard error and its exit status; Ctrl-C one line and 130, SIGTERM the same
    and 143: temporary files are removed after either. A reader that has enough, `head` say, is no error, and neither is
    a terminal or a file that cannot show a character: it gets the character's escape.

    Args:
        tool: The command's name, which begins each of these lines.
        work: Returns the exit status.
        arguments: Of the command line. ``interrupted`` among them is what is told after Ctrl-C.
    """
    try:
        _escape_output()
        with _signals_as_interrupts():
            return work(arguments)
    except UserError as error:
        complain(tool, error)
        return error.exit_code
    except KeyboardInterrupt as error:
        complain(tool, getattr(arguments, "interrupted", "interrupted; nothing has been written"))
        return getattr(error, "exit_code", INTERRUPTED)
    except BrokenPipeError:
        _discard_output()
        return 0


def complain(tool: str, message: object) -> None:
    """Writes a line to standard error. What a terminal would obey in it becomes visible."""
    print(f"{tool}: {printable(one_line(message))}", file=sys.stderr)


def dispatch(commands: Mapping[str, Callable[[list[str]], int]], argv: Sequence[str] | None) -> int:
    """Runs the subcommand that the command line begins with, or else the one that goes without saying.

    Args:
        commands: Functions of the remaining arguments by the names of subcommands; that of "" is the default.
        argv: The command line, by default the process's own.

    Example:
        >>> dispatch({"": lambda argv: len(argv), "show": lambda argv: 10 * len(argv)}, ["show", "a", "b"])
        20
    """
    argv = _files_behind_dashes(sys.argv[1:] if argv is None else argv)
    name = argv[0] if argv and argv[0] in commands else ""
    return commands[name](argv[1:] if name else argv)


def _files_behind_dashes(argv: Sequence[str]) -> list[str]:
    """The command line without ``--``: a file behind it that begins with a dash becomes ./-x, which is no option.

    Some ways of argparse read the rest of a line twice, and the second time without the ``--``.
    """
    argv = list(argv)
    if "--" not in argv:
        return argv
    at = argv.index("--")
    return [*argv[:at], *(f"./{text}" if text.startswith("-") else text for text in argv[at + 1 :])]


def renamed(tool: str, old: str, new: str) -> None:
    """Tells that a spelling is going to vanish with the next version."""
    complain(tool, f"{old} is now spelled {new}; the old spelling goes with the next version")


def tool_parser(name: str, description: str, epilog: str, **options: Any) -> argparse.ArgumentParser:
    """A parser whose help keeps the line breaks of its texts, with ``--version``."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog=name, description=description, epilog=epilog, formatter_class=formatter, **options
    )
    parser.add_argument("--version", action="version", version=f"{name.split()[0]} {__version__}")
    return parser


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
    group.add_argument(
        "--input-size",
        type=positive,
        metavar="N",
        help="height and width (default 224); also for a whole model that takes images of any size",
    )
    group.add_argument("--num-classes", type=positive, default=1000, metavar="N", help="classes (default 1000)")


def add_trust_argument(parser: argparse.ArgumentParser) -> None:
    """Adds ``--trust``, without which nothing that a model's file brings is run."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run code that a Keras model brings, such as Lambda layers; only for files that you made yourself",
    )


def add_normalization_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``--mean``, ``--std`` and ``--scale``, which say how a model wants its images: see `normalization`."""
    group = parser.add_argument_group(
        "how images are normalized, (value - mean) / std",
        "for a model whose file does not say so, or not right; whichever is given, all three count",
    )
    group.add_argument("--mean", type=_numbers, metavar="M[,M,M]", help="mean, of each channel or of all (default 0)")
    group.add_argument("--std", type=_numbers, metavar="S[,S,S]", help="standard deviation, likewise (default 1)")
    group.add_argument(
        "--scale",
        type=float,
        metavar="N",
        help="what white is before that: 1, or 255 for pixels as they are (default 1)",
    )


def normalization(arguments: argparse.Namespace) -> "Normalization | None":
    """What ``--mean``, ``--std`` and ``--scale`` say; None if none of them is given.

    Raises:
        UserError: if it makes no sense.
    """
    if arguments.mean is arguments.std is arguments.scale is None:
        return None
    from bnext_keras.preprocessing import Normalization

    scale = 1.0 if arguments.scale is None else arguments.scale
    try:
        return Normalization.of_scale(scale, arguments.mean or 0.0, arguments.std or 1.0)
    except ValueError as error:
        raise UserError(f"--mean, --std, --scale: {error}") from error


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, nor three such as 0.5,0.5,0.5") from None


def quiet_tensorflow(gpu: bool = False) -> None:
    """Keeps TensorFlow's log out of a tool's answers, and TensorFlow from looking for a GPU that a tool does not need.

    Must come before TensorFlow is imported, which `silenced` then keeps quiet.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not gpu:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@contextmanager
def silenced() -> Iterator[None]:
    """Sends what native code writes to standard error to nowhere: for imports, and compilers that tell of their work.

    TensorFlow and LCE greet with half a page before their log levels take effect, so that no environment variable can
    stop them. Python's exceptions still get through. A process without a standard error has nothing to be silenced.

    Example:
        >>> from bnext_keras.cli._tool import silenced
        >>> with silenced():
        ...     import bnext_keras
    """
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    _flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        _flush()
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def _flush():
    if sys.stderr is not None:
        sys.stderr.flush()


@contextmanager
def _signals_as_interrupts():
    def end(number, _):
        signal.signal(number, signal.SIG_DFL)  # a second one does not wait for anything
        raise Ended(number)

    # Who ignores a signal, as nohup does, or sees to it alone, knows why; and only the main thread may do this.
    is_main = threading.current_thread() is threading.main_thread()
    ours = [number for number in _ENDING if is_main and signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _escape_output():
    """Has standard output write what its encoding lacks as an escape, as standard error does already."""
    # Streams of notebooks have no encoding to be changed. It stays so: changing it back would write what is buffered,
    # whose failure would hide how the work ended.
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _discard_output():
    # What is still buffered must not fail once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
