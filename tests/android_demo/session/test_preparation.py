"""What is changed on a phone is changed back, however a session ends."""

import os
import signal

import pytest

from android_demo.cli import main
from android_demo.results import State, load
from android_demo.session.preparation import prepared
from android_demo.session.procedure import Procedure
from android_demo.targets import open_target

pytest_plugins = ["device_fixtures"]

FIX = "cmd power set-fixed-performance-mode-enabled true"
RELEASE = "cmd power set-fixed-performance-mode-enabled false"


@pytest.fixture
def target(phone, tmp_path):
    return open_target("adb", tmp_path)


@pytest.fixture
def warnings():
    return []


def stays_on(phone):
    return (phone.root / "settings/stay_on_while_plugged_in").read_text().strip()


def undone(phone):
    return not [name for name in phone.files if name.endswith(".undo")]


def test_clocks_are_bounded_meanwhile(phone, target, warnings):
    with prepared(target, Procedure(), True, warnings.append) as is_fixed:
        assert is_fixed
        assert phone.changes == [FIX]
    assert phone.changes == [FIX, RELEASE]
    assert undone(phone)
    assert warnings == []


def test_nothing_is_changed_that_was_not_asked_for(phone, target, warnings):
    with prepared(target, Procedure(), False, warnings.append) as is_fixed:
        assert not is_fixed
    assert phone.changes == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_also_after_an_exception(phone, target, warnings, error):
    with pytest.raises(error), prepared(target, Procedure(stay_on=True), True, warnings.append):
        raise error
    assert phone.changes == ["svc power stayon usb", FIX, RELEASE]


@pytest.mark.parametrize(("before", "after"), [("3", "3"), (None, "0"), ("$(reboot)", "0")])
def test_the_screen_goes_back_to_what_it_did(phone, target, warnings, before, after):
    if before is not None:
        phone.write("/settings/stay_on_while_plugged_in", before + "\n")
    with prepared(target, Procedure(stay_on=True), False, warnings.append):
        assert stays_on(phone) == "2"
    assert stays_on(phone) == after


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'Failed to set FIXED_PERFORMANCE mode' >&2; exit 255", "Failed to set FIXED_PERFORMANCE mode"),
        ("echo 'Unknown command: set-fixed-performance-mode-enabled'", "Unknown command"),
        ("exit 20", "exit code 1"),
    ],
)
def test_a_phone_without_such_a_mode_is_told_of(phone, target, warnings, script, why):
    phone.write("/bin/cmd", f"#!/bin/sh\n{script}\n").chmod(0o755)
    with prepared(target, Procedure(), True, warnings.append) as is_fixed:
        assert not is_fixed
    (line,) = warnings
    assert "this phone has no fixed-performance mode" in line
    assert why in line
    assert undone(phone)


def test_other_machines_have_no_such_mode(tmp_path, warnings):
    with prepared(open_target("host", tmp_path), Procedure(stay_on=True), True, warnings.append) as is_fixed:
        assert not is_fixed
    assert [line.split("(")[1].split(")")[0] for line in warnings] == [
        "only Android has such a setting",
        "only Android has a fixed-performance mode",
    ]


def test_after_a_pulled_cable_the_next_session_changes_it_back(phone, replug, target, warnings, tmp_path):
    with prepared(target, Procedure(), True, warnings.append):
        phone.unplug()
    (line,) = warnings
    assert "what was changed there is not changed back: the next bnext-benchmark there" in line
    assert phone.changes == [FIX]
    replug(phone)
    with prepared(open_target("adb", tmp_path), Procedure(), False, warnings.append):
        assert phone.changes == [FIX, RELEASE]
    assert len(warnings) == 1


def test_cleaning_changes_it_back_too(phone, target, warnings):
    target.change("fixed-clocks", FIX, RELEASE)
    assert main(["clean"]) == 0
    assert phone.changes == [FIX, RELEASE]
    assert phone.files == []


@pytest.fixture
def heeds_ctrl_c():
    """A shell's background jobs, and all that they start, ignore Ctrl-C unless they ask for it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_signal_in_the_middle_of_a_measurement(phone, arm_tool, binary_model, tmp_path, capfd, name):
    """The phone sends it when the tool starts."""
    phone.write("/bin/taskset", f"#!/bin/sh\nkill -{name} {os.getpid()}\nsleep 5\n")
    arguments = [binary_model, "--tool", arm_tool, "--out", tmp_path / "out", "--cache", tmp_path, "--fixed-clocks"]
    assert main([str(argument) for argument in arguments]) == 1
    assert "interrupted" in capfd.readouterr().err
    assert phone.changes == [FIX, RELEASE]
    (measurement,) = load(tmp_path / "out/results.json").measurements
    assert measurement.settings.clocks == "fixed"
    assert measurement.state is State.FAILED
