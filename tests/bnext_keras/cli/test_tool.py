"""What all commands have in common, each run as a user sees it: exit status, output and errors."""

import os
import signal
import subprocess
import sys
from importlib import import_module
from typing import NamedTuple

from bnext_keras import __version__
from bnext_keras.cli._tool import complain, dispatch, positive, run, silenced, tool_parser
from bnext_keras.errors import BenchmarkError, FileError, UserError, VerificationError
from bnext_keras.files import replacing

import pytest

COMMANDS = {
    "bnext-benchmark": "android_demo.cli",
    "bnext-convert": "converter.cli.convert",
    "bnext-import": "bnext_keras.cli.import_",
    "bnext-models": "bnext_keras.cli.models",
    "bnext-predict": "converter.cli.predict",
    "bnext-train": "bnext_keras.cli.train",
}


class Result(NamedTuple):
    exit_code: int
    output: str
    errors: str


@pytest.fixture
def invoke(capsys):
    """Runs a function, such as a command's ``main``, and captures what a terminal would show."""

    def invoke(function, *arguments):
        try:
            exit_code = function(*arguments)
        except SystemExit as end:
            exit_code = end.code
        return Result(exit_code, *capsys.readouterr())

    return invoke


def raising(error):
    def work(arguments):
        print("begun")
        raise error

    return work


@pytest.fixture
def arguments():
    return tool_parser("tool", "Does something.", "").parse_args([])


@pytest.mark.parametrize(
    ("error", "exit_code", "errors"),
    [
        (UserError("holds no weights", where="a.h5", remedy="name another"), 2, "a.h5: holds no weights; name another"),
        (UserError("two\n  lines"), 2, "two lines"),
        (UserError("layer '\x1b]0;title\x07'"), 2, "layer '\\x1b]0;title\\x07'"),
        (FileError("no such file", where="a.h5"), 2, "a.h5: no such file"),
        (BenchmarkError("no device"), 2, "no device"),
        (VerificationError("differs", result=None), 1, "differs"),
        (KeyboardInterrupt(), 130, "interrupted; nothing has been written"),
    ],
)
def test_an_error_of_the_user_is_one_line_and_an_exit_status(invoke, arguments, error, exit_code, errors):
    assert invoke(run, "tool", raising(error), arguments) == (exit_code, "begun\n", f"tool: {errors}\n")


def test_what_is_told_after_ctrl_c_is_the_commands_choice(invoke, arguments):
    arguments.interrupted = "interrupted; --resume continues"
    expected = (130, "begun\n", "tool: interrupted; --resume continues\n")
    assert invoke(run, "tool", raising(KeyboardInterrupt()), arguments) == expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_tidies_up_does_so_when_a_process_is_told_to_end(invoke, arguments, tmp_path, number):
    # Where the tests run under nohup, SIGHUP is ignored.
    inherited = signal.signal(number, signal.SIG_DFL)

    def work(arguments):
        with replacing(tmp_path / "model.tflite") as temporary:
            temporary.write_bytes(b"half of it")
            signal.raise_signal(number)

    expected = (128 + number, "", "tool: interrupted; nothing has been written\n")
    try:
        assert invoke(run, "tool", work, arguments) == expected
        assert list(tmp_path.iterdir()) == []
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, inherited)


def test_a_signal_that_is_ignored_stays_so(invoke, arguments):
    """nohup ignores SIGHUP."""
    inherited = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        work = lambda arguments: signal.raise_signal(signal.SIGHUP) or 7  # noqa: E731
        assert invoke(run, "tool", work, arguments) == (7, "", "")
    finally:
        signal.signal(signal.SIGHUP, inherited)


def test_other_errors_are_bugs_and_keep_their_traceback(arguments):
    with pytest.raises(ZeroDivisionError):
        run("tool", raising(ZeroDivisionError()), arguments)


def test_the_works_own_status_is_kept(invoke, arguments):
    assert invoke(run, "tool", lambda arguments: 7, arguments) == (7, "", "")


def test_a_reader_that_has_enough_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "bnext_keras.cli.models"]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, "")


def test_what_an_output_cannot_encode_becomes_visible():
    program = (
        "import sys\n"
        "from bnext_keras.cli._tool import run\n"
        "from bnext_keras.console import SafeConsole\n"
        "def work(arguments):\n"
        "    print('gr\\xf6\\xdfer')\n"
        "    SafeConsole().print('\\u732b')\n"
        "    return 0\n"
        "sys.exit(run('tool', work, None))\n"
    )
    for encoding, output in (("ascii", b"gr\\xf6\\xdfer\n\\u732b\n"), ("utf-8", "größer\n猫\n".encode())):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment)
        assert (result.returncode, result.stdout, result.stderr) == (0, output, b"")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_its_version(invoke, command):
    main = import_module(COMMANDS[command]).main
    assert invoke(main, ["--version"]) == (0, f"{command} {__version__}\n", "")


@pytest.mark.parametrize(
    ("command", "subcommand"),
    [
        ("bnext-benchmark", "clean"),
        ("bnext-benchmark", "compare"),
        ("bnext-convert", "advise"),
        ("bnext-models", "compare"),
        ("bnext-models", "energy"),
        ("bnext-models", "show"),
        ("bnext-train", "list"),
        ("bnext-train", "show"),
    ],
)
def test_every_subcommand_has_a_help_and_a_version_of_its_own(invoke, command, subcommand):
    main = import_module(COMMANDS[command]).main
    assert invoke(main, [subcommand, "--version"]) == (0, f"{command} {__version__}\n", "")
    result = invoke(main, [subcommand, "--help"])
    assert (result.exit_code, result.errors) == (0, "")
    assert f"usage: {command} {subcommand}" in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_option_is_the_users_error(invoke, command):
    result = invoke(import_module(COMMANDS[command]).main, ["something", "--no-such-option"])
    assert (result.exit_code, result.output) == (2, "")
    assert result.errors.startswith(f"usage: {command}")
    assert f"{command}: error: " in result.errors.splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "old", "hint", "exit_code"),
    [
        ("bnext-train", ["--list"], "--list is now spelled bnext-train list", 0),
        ("bnext-train", ["digits", "--show"], "--show is now spelled bnext-train show RECIPE", 0),
        ("bnext-convert", ["missing.h5", "--advise"], "--advise is now spelled bnext-convert advise MODEL", 2),
        ("bnext-benchmark", ["--clean"], "--clean without a model is now spelled bnext-benchmark clean", 0),
    ],
)
def test_old_spellings_work_and_tell_the_new_one(invoke, monkeypatch, tmp_path, command, old, hint, exit_code):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("android_demo.cli.measure.clean", lambda arguments: 0)
    result = invoke(import_module(COMMANDS[command]).main, old)
    first, *rest = result.errors.splitlines()
    assert first == f"{command}: {hint}; the old spelling goes with the next version"
    assert result.exit_code == exit_code
    assert len(rest) == (1 if exit_code else 0)


def test_a_subcommand_gets_what_follows_its_name(monkeypatch):
    commands = {"": lambda argv: ("default", argv), "show": lambda argv: ("show", argv)}
    assert dispatch(commands, ["show", "a"]) == ("show", ["a"])
    assert dispatch(commands, ["a", "show"]) == ("default", ["a", "show"])
    assert dispatch(commands, []) == ("default", [])
    monkeypatch.setattr(sys, "argv", ["tool", "show", "b"])
    assert dispatch(commands, None) == ("show", ["b"])


def test_files_behind_two_dashes_are_no_options():
    assert dispatch({"": list}, ["-o", "x", "--", "-a.h5", "b"]) == ["-o", "x", "./-a.h5", "b"]
    assert dispatch({"": list, "show": list}, ["show", "--", "--a"]) == ["./--a"]


@pytest.mark.parametrize(
    "command", ["bnext-benchmark", "bnext-convert", "bnext-import", "bnext-predict", "bnext-train"]
)
def test_a_file_whose_name_begins_with_a_dash_can_be_named(invoke, monkeypatch, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    more = {"bnext-import": ["-o", "x.h5"], "bnext-predict": ["photo.png"], "bnext-train": ["--out", "run"]}
    arguments = [*more.get(command, []), "--", "-m.tflite"]
    if command == "bnext-predict":
        arguments = ["--", "-m.tflite", "photo.png"]
    exit_code, _, errors = invoke(import_module(COMMANDS[command]).main, arguments)
    assert exit_code == 2
    assert "-m.tflite" in errors
    assert "unrecognized arguments" not in errors


def test_a_complaint_is_one_line(invoke):
    assert invoke(complain, "tool", "shapes differ:\n  a,\n  b").errors == "tool: shapes differ: a, b\n"


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many"])
def test_positive_numbers(text):
    assert positive("3") == 3
    with pytest.raises(ValueError, match=text):
        positive(text)


def test_native_greetings_are_silenced_and_exceptions_are_not(capfd):
    with silenced():
        os.write(2, b"Welcome!\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"
    with pytest.raises(ImportError), silenced():
        raise ImportError("of the library")
