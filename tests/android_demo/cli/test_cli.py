"""bnext-benchmark's command line where no phone is needed."""

import os
import platform
import subprocess
import sys

import pytest

from android_demo.cli import main
from android_demo.cli.arguments import read_arguments
from android_demo.results import State, load
from android_demo.tools.benchmark_model import command

pytest_plugins = ["device_fixtures"]


@pytest.fixture
def refused(refused_by):
    return refused_by(main)


def test_help_needs_nothing_but_the_standard_library():
    code = (
        "import sys; from android_demo.cli import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n    print(sorted({'tensorflow', 'numpy', 'adbutils', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    assert "bnext-benchmark model.tflite" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["model.tflite", "--threads", "0"],
        ["model.tflite", "--threads", "1,x"],
        ["model.tflite", "--pin", "all"],
        ["model.tflite", "--cool-down", "-1"],
        ["model.tflite", "--tool-sha256", "abc"],
        ["model.tflite", "--top1", "model.tflite=101"],
        ["model.tflite", "--sustain", "0"],
        ["model.tflite", "--sustain", "1", "--mlperf"],
        ["model.tflite", "--sustain", "1", "--repetitions", "2"],
        ["model.tflite", "--cool-to", "-5"],
        ["board"],
        ["compare", "one.json"],
        ["compare", "one.json", "--models", "a"],
    ],
)
def test_commands_that_make_no_sense_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--threads", "1,x", "'1,x' is no number of threads, nor several such as 1,4"),
        ("--top1", "M=523", "'M=523' is no file and its accuracy, such as model.tflite=72.4 (percent)"),
        ("--top1", "72", "'72' is no file and its accuracy"),
    ],
)
def test_a_value_of_another_kind_is_told_what_is_meant(option, value, message, capsys):
    with pytest.raises(SystemExit):
        read_arguments(["model.tflite", option, value])
    assert f"argument {option}: {message}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "runs", "seconds", "repetitions"),
    [
        ([], 50, None, 3),
        (["--mlperf"], 1024, 60.0, 1),
        (["--mlperf", "--runs", "5000", "--repetitions", "2"], 5000, 60.0, 2),
        (["--sustain", "10"], 1, 10.0, 1),
    ],
)
def test_what_options_ask_of_a_repetition(options, runs, seconds, repetitions):
    (settings,) = read_arguments(["model.tflite", *options]).settings
    assert (settings.runs, settings.min_seconds, settings.repetitions) == (runs, seconds, repetitions)
    expected = [] if seconds is None else [f"--min_secs={seconds:g}", "--max_secs=86400"]
    assert [word for word in command("tool", "model", settings) if "_secs" in word] == expected


def test_what_cannot_be_measured_is_refused_in_one_line(refused, tmp_path, binary_model):
    assert "No such file" in refused(tmp_path / "missing.tflite", "--device", "host", "--out", tmp_path / "out")
    (tmp_path / "model.tflite").write_bytes(binary_model.read_bytes()[:5000])
    assert "cut off or damaged" in refused(tmp_path / "model.tflite", "--device", "host", "--out", tmp_path / "out")
    assert "no such kind of device" in refused(binary_model, "--device", "toaster", "--out", tmp_path / "out")
    assert "other.tflite is none of" in refused(binary_model, "--device", "host", "--top1", "other.tflite=70")
    assert "no such file" in refused(binary_model, "--device", "host", "--tool", tmp_path / "missing")
    assert "no such CPU" in refused(binary_model, "--device", "qemu:m68k", "--out", tmp_path / "out")


def test_offline_the_message_says_what_to_download(refused, need, tmp_path, binary_model):
    need("qemu-aarch64-static", "qemu-user-static")
    out = ["--out", tmp_path / "out", "--cache", tmp_path / "cache"]
    message = refused(binary_model, "--device", "qemu", *out, "--release-url", "http://127.0.0.1:9/v0")
    assert "download http://127.0.0.1:9/v0/lce_benchmark_model_aarch64" in message
    assert "--tool FILE" in message


def test_this_machine_measures_with_lces_package(binary_model, float_model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    out = ["--out", "out", "--cache", "a cache", "--runner", "lce"]
    quick = ["--runs", "3", "--repetitions", "2", "--cool-down", "0"]
    models = [str(binary_model), str(float_model)]
    assert main([*models, "--device", "host", *out, *quick]) == 0, capsys.readouterr().err
    binary, other = load(tmp_path / "out" / "results.json").measurements
    for measurement in (binary, other):
        assert measurement.state in (State.OK, State.THROTTLED)
        assert measurement.tool.kind == "lce_interpreter"
        assert measurement.tool.version.startswith("0.16")
        assert measurement.device.kind.value == "host"
        assert measurement.latency.count >= 2 * 3
        assert all(entry.output.unconsumed_flags == () for entry in measurement.repetitions)
        assert measurement.memory_growth_mb > 0
    indirect = "indirect" if platform.machine() == "x86_64" else ""
    assert (binary.settings.kernels, other.settings.kernels) == (indirect, "")
    assert {"LceBconv2d", "LceQuantize"} < {operator.type for operator in binary.profile.operators}
    assert "tensorflow" not in (tmp_path / "out" / "results.json").read_text()


def test_a_failure_on_this_machine_keeps_the_last_lines(binary_model, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), "--runner", "lce"]
    code = ["--tool-flag=--num_threads=0x", "--repetitions", "1"]
    assert main([str(binary_model), "--device", "host", *out, *code]) == 1
    (measurement,) = load(tmp_path / "out" / "results.json").measurements
    assert measurement.state is State.FAILED
    assert "exit code 2" in measurement.reason
    assert "invalid int value: '0x'" in measurement.repetitions[0].log


def test_two_files_are_compared(binary_model, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    main([str(binary_model), "--device", "host", *out, "--runs", "3", "--repetitions", "2", "--cool-down", "0"])
    capsys.readouterr()
    file, page = str(tmp_path / "out" / "results.json"), tmp_path / "page.html"
    assert main(["compare", file, file, "--html", str(page), "--fail-if-slower"]) == 0
    printed = capsys.readouterr().out
    assert "within noise" in printed
    assert main(["compare", str(tmp_path / "out"), "--models", "binary", "binary.tflite"]) == 0
    assert "within noise" in capsys.readouterr().out
    assert "1.000" in printed
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_files_that_cannot_be_compared_are_refused(refused, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    assert "is no file of results" in refused("compare", tmp_path / "broken.json", tmp_path / "broken.json")
    (tmp_path / "empty.json").write_text('{"schema_version": "1.0", "measurements": []}')
    assert "no measurement in common" in refused("compare", tmp_path / "empty.json", tmp_path / "empty.json")


def test_a_comparison_never_replaces_what_it_compares(refused, tmp_path):
    (tmp_path / "a.json").write_text("measured for a day")
    assert "a.json: is an input" in refused("compare", *[tmp_path / "a.json"] * 2, "--html", tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == "measured for a day"
