"""What strangers call their files and layers reaches a terminal as text, and does nothing there."""

import io
import logging
import re
from pathlib import Path

from bnext_keras.cli import import_
from bnext_keras.console import LiveLine, SafeConsole, line, plain
from bnext_keras.logs import get_logger
from bnext_keras.training.checkpoint import log as checkpoint_log

import pytest

HOSTILE = "cat[/x][red]\x1b[2J\u202egnp"
SHOWN = r"cat[/x][red]\x1b[2J\u202egnp"
ROOT = Path(__file__).parents[2]


def test_a_status_is_no_markup():
    output = io.StringIO()
    with SafeConsole(file=output, force_terminal=True, width=100, color_system=None).status(HOSTILE) as status:
        status.update(f"{HOSTILE}: reading")
    assert f"{SHOWN}: reading" in output.getvalue()
    assert "\u202e" not in output.getvalue()


def test_lines_are_put_together_of_texts_as_they_are():
    assert str(line((HOSTILE, "bold"), " and ", HOSTILE)) == f"{SHOWN} and {SHOWN}"
    assert str(plain(HOSTILE, "red")) == SHOWN


@pytest.mark.parametrize("argument", [HOSTILE, Path(HOSTILE)])
def test_log_lines_show_what_a_terminal_would_obey(argument, caplog):
    get_logger("bnext_keras.example").warning("%s: %d broken, share %.1f", argument, 3, 0.5)
    assert caplog.messages == [f"{SHOWN}: 3 broken, share 0.5"]


def test_a_runs_log_lines_too(caplog):
    checkpoint_log.warning("%s: %s; the run continues after epoch %d", Path("runs"), HOSTILE, 2)
    assert caplog.messages == [f"runs: {SHOWN}; the run continues after epoch 2"]
    assert caplog.records[0].levelno == logging.WARNING


def test_the_table_of_an_import_shows_names_as_they_are(small_bnext):
    output = io.StringIO()
    import_._print_report(small_bnext, {"file": HOSTILE}, SafeConsole(file=output, width=200))
    assert SHOWN in output.getvalue()


def modules_with(pattern):
    files = [file for room in ("bnext_keras", "converter", "android_demo") for file in (ROOT / room).rglob("*.py")]
    assert len(files) > 100
    return {file.relative_to(ROOT).as_posix() for file in files if re.search(pattern, file.read_text(encoding="utf-8"))}


def test_nothing_is_printed_or_logged_past_these():
    # A ranking of teachers may go to a console of the caller's own.
    assert modules_with(r"rich\.console") == {
        "bnext_keras/console.py",
        "bnext_keras/analysis/complexity.py",
    }
    # Larq's logger and tf2onnx's are only told to be quiet.
    assert modules_with(r"getLogger\((?!\"(?:larq|tf2onnx)\")") == {"bnext_keras/logs.py"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_line_is_written_over_and_vanishes():
    stream = Terminal()
    with LiveLine(stream) as show:
        show("reading\x1b[2J")
        show("made")
    first, *parts = stream.getvalue().split("\r")
    assert (first, [part.rstrip() for part in parts]) == ("", [r"reading\x1b[2J"] * 2 + ["made"] * 2 + ["", ""])
    assert len(parts[2]) == len(parts[0])


def test_a_notebook_shows_such_a_line_and_a_file_does_not():
    jupyters = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    for stream, expected in ((jupyters(), "half of it"), (io.StringIO(), "")):
        LiveLine(stream)("half of it")
        assert stream.getvalue().split("\r")[-1] == expected
