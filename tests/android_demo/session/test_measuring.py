"""bnext-benchmark on a phone from the first argument to the page: a real adb, ARM64 programs that really run."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from android_demo.cli import main
from android_demo.results import State, load

pytest_plugins = ["device_fixtures"]


@pytest.fixture
def benchmark(tmp_path, arm_tool, capfd):
    """Runs the command line; returns exit status, the measurements in the file and what was printed."""

    def run(*arguments):
        out = tmp_path / "out"
        common = ["--tool", arm_tool, "--out", out, "--cache", tmp_path / "cache", "--cool-down", 0, "--runs", 5]
        status = main([str(argument) for argument in (*arguments, *common)])
        printed = capfd.readouterr()
        file = out / "results.json"
        return status, load(file).measurements if file.exists() else (), printed.out + printed.err

    return run


def test_plugged_in_and_measured(phone, benchmark, binary_model, tmp_path):
    status, (measurement,), printed = benchmark(binary_model, "--top1", "binary.tflite=72.4")
    assert status == 0, printed
    assert measurement.state is State.OK
    assert measurement.device.model == "Acme Phone 1"
    assert measurement.tool.kind == "lce_benchmark_model"
    assert len(measurement.tool.sha256) == 64
    assert measurement.model.top1_percent == 72.4
    assert measurement.latency.count == 3 * 5
    assert measurement.latency.mean_ms > 1
    assert [operator.type for operator in measurement.profile.operators] == ["LceQuantize", "LceBconv2d"]
    assert [sample.moment for sample in measurement.thermal] == ["before", "between", "between", "between", "after"]
    assert measurement.thermal[0].celsius == {"cpu-big": 31.5}
    assert "binary" in printed
    assert "Acme Phone 1" in printed
    assert f"{measurement.latency.mean_ms:.2f}" in printed
    assert "Acme Phone 1" in (tmp_path / "out" / "index.html").read_text()


def test_one_thread_gets_the_prime_core_and_more_get_the_big_ones(phone, benchmark, binary_model):
    status, measurements, _ = benchmark(binary_model, "--threads", "1,4", "--repetitions", 1, "--no-profile")
    assert status == 0
    assert [(entry.settings.threads, entry.settings.pinned_mask) for entry in measurements] == [(1, "80"), (4, "f0")]
    assert (phone.root / "taskset.log").read_text().split() == ["80", "f0"]


@pytest.mark.parametrize(("pin", "masks"), [("none", []), ("0x0F", ["f"])])
def test_the_user_may_choose_the_cores(phone, benchmark, binary_model, pin, masks):
    status, (measurement,), _ = benchmark(binary_model, "--pin", pin, "--repetitions", 1, "--no-profile")
    assert status == 0
    assert measurement.settings.pinned_mask == "".join(masks)
    log = phone.root / "taskset.log"
    assert (log.read_text().split() if log.exists() else []) == masks


def test_models_and_the_tool_are_pushed_once(phone, benchmark, binary_model):
    for _ in range(2):
        benchmark(binary_model, "--repetitions", 1, "--no-profile")
    assert len(phone.pushes) == 2
    assert len(phone.files) == 3  # with the folder


def test_clean_removes_all_of_it(phone, benchmark, binary_model, capfd):
    benchmark(binary_model, "--repetitions", 1, "--no-profile")
    assert main(["--clean"]) == 0
    assert phone.files == []
    assert "removed /data/local/tmp/bnext-keras with 2 files" in capfd.readouterr().out


def test_earlier_results_are_kept(phone, benchmark, binary_model, tmp_path):
    _, before, _ = benchmark(binary_model, "--repetitions", 1, "--no-profile")
    _, after, printed = benchmark(binary_model, "--repetitions", 1, "--no-profile")
    assert len(after) == 1
    assert load(tmp_path / "out" / "results-1.json").measurements == before
    assert "results-1.json" in printed


@pytest.mark.parametrize(
    ("crash", "cpu", "words"),
    [
        ("segv", "cortex-a76", ["SIGSEGV", "try the model with --device host"]),
        ("ill", "cortex-a53", ["SIGILL", "this CPU lacks an instruction"]),
        ("fail", "cortex-a76", ["exit code 1", "Encountered unresolved custom op: LceBconv2d."]),
        ("silent", "cortex-a76", ["ended without a result"]),
    ],
)
def test_a_tool_that_crashes_is_explained(phones, benchmark, binary_model, crash, cpu, words):
    phones(cpu=cpu)
    status, (measurement,), printed = benchmark(binary_model, f"--tool-flag=--crash={crash}")
    assert status == 1
    assert measurement.state is State.FAILED
    assert len(measurement.repetitions) == 1
    assert "STARTING!" in measurement.repetitions[0].log
    for word in words:
        assert word in measurement.reason
        assert word in printed


def test_a_profile_that_fails_takes_nothing_from_the_times(phone, benchmark, binary_model):
    status, (measurement,), printed = benchmark(binary_model, "--tool-flag=--crash=profile")
    assert (status, measurement.state) == (0, State.OK)
    assert measurement.latency.count == 3 * 5
    assert measurement.profile is None
    assert measurement.reason.startswith("no profile: lce_benchmark_model ended with SIGSEGV")
    assert "no profile" in printed


def test_instructions_that_the_cpu_has_are_no_crash(phone, benchmark, binary_model):
    assert benchmark(binary_model, "--tool-flag=--crash=ill", "--repetitions", 1)[0] == 0


def test_a_tool_that_hangs_is_stopped_and_killed(phone, benchmark, binary_model):
    status, (measurement,), printed = benchmark(binary_model, "--tool-flag=--hang", "--timeout", 1)
    assert status == 1
    assert measurement.state is State.TIMED_OUT
    assert "stopped after 1 s; --timeout gives it more" in printed
    for process in phone.processes:
        process.wait(timeout=30)


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("/dumpsys/thermalservice", "Thermal Status: 3\n", "Android's thermal status was 3 (severe)"),
        (
            "/sys/devices/system/cpu/cpu7/cpufreq/scaling_max_freq",
            "1900000\n",
            "cpu7 was limited to 1900 of its 2800 MHz",
        ),
    ],
)
def test_a_throttled_phone_is_measured_and_marked(phone, benchmark, binary_model, path, content, reason):
    phone.write(path, content)
    status, (measurement,), printed = benchmark(binary_model, "--repetitions", 1, "--no-profile")
    assert status == 0
    assert measurement.state is State.THROTTLED
    assert measurement.reason == reason
    assert measurement.latency is not None
    assert reason in printed
    assert "throttled" in printed


def test_a_phone_that_slows_down_as_it_warms_is_marked(phone, benchmark, binary_model):
    """Every start of the tool heats it by 2 degrees here, and makes the next one slower."""
    phone.write("/celsius", "30")
    heat = 'echo $(($(cat "$PHONE/celsius") + 2)) > "$PHONE/celsius"\n'
    heat += 'echo "$(cat "$PHONE/celsius")000" > "$PHONE/sys/class/thermal/thermal_zone0/temp"\n'
    phone.write("/bin/taskset", f'#!/bin/sh\n{heat}shift\nexec "$@"\n')
    _, (measurement,), _ = benchmark(binary_model, "--tool-flag=--slower=5", "--no-profile")
    assert [sample.celsius["cpu-big"] for sample in measurement.thermal] == [31.5, 32, 34, 36]
    assert measurement.state is State.THROTTLED
    assert measurement.reason.endswith("cpu-big 4.5 C warmer")


def test_a_small_core_that_is_limited_does_not_matter_to_a_model_on_a_big_one(phone, benchmark, binary_model):
    phone.write("/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "900000\n")
    _, (measurement,), _ = benchmark(binary_model, "--repetitions", 1, "--no-profile")
    assert measurement.state is State.OK


def test_after_a_pulled_cable_resume_measures_what_is_missing(phone, replug, benchmark, binary_model, float_model):
    phone.faults.drop_running = "float.tflite"
    quick = ("--repetitions", 1, "--no-profile")
    status, (first, second), printed = benchmark(binary_model, float_model, *quick)
    assert status == 1
    assert (first.model.name, first.state) == ("binary.tflite", State.OK)
    assert (second.model.name, second.state) == ("float.tflite", State.FAILED)
    assert "the connection broke" in second.reason
    assert "check the cable, then run again with --resume" in printed

    phone.faults.drop_running = None
    replug(phone)
    status, resumed, _ = benchmark(binary_model, float_model, *quick, "--resume")
    assert status == 0
    assert [entry.state for entry in resumed] == [State.OK, State.OK]
    assert resumed[0] == first


def test_a_full_phone_fails_in_one_line_that_says_so(phone, benchmark, binary_model):
    phone.write("/free_kb", "10")
    status, measurements, printed = benchmark(binary_model)
    assert (status, measurements) == (2, ())
    assert "no space for lce_benchmark_model" in printed
    assert len(printed.strip().splitlines()) == 1


def test_a_phone_without_64_bits_is_refused_with_what_there_is(phone, tmp_path, binary_model, capfd):
    phone.write("/props/ro.product.cpu.abilist", "armeabi-v7a,armeabi\n")
    arguments = ["--out", tmp_path / "out", "--cache", tmp_path / "cache", binary_model]
    assert main([str(argument) for argument in arguments]) == 2
    message = capfd.readouterr().err
    assert "there is no lce_benchmark_model for Android on armeabi-v7a" in message
    assert "--tool" in message
    assert not (tmp_path / "out").exists()


def test_several_devices_are_measured_in_one_call(phones, benchmark, binary_model):
    first, second = phones(), phones()
    second.write("/props/ro.serialno", "SERIAL2\n")
    devices = ("--device", f"adb:{first.address}", "--device", f"adb:{second.address}", "--device", "qemu")
    status, measurements, printed = benchmark(binary_model, *devices, "--repetitions", 1, "--no-profile")
    assert status == 0, printed
    assert len({entry.device.id for entry in measurements}) == 3
    assert [entry.device.emulated for entry in measurements] == [False, False, True]


def test_the_emulator_runs_arm64_programs_and_says_that_times_mean_nothing(benchmark, binary_model, tmp_path):
    status, (measurement,), printed = benchmark(binary_model, "--device", "qemu:cortex-a72", "--repetitions", 1)
    assert status == 0, printed
    assert measurement.device.emulated is True
    assert measurement.device.abi == "aarch64"
    assert measurement.device.model == "cortex-a72 emulated by QEMU"
    assert measurement.settings.pinned_mask == ""
    assert measurement.profile is not None
    assert "the times say nothing about any phone or board" in printed
    assert f"{measurement.latency.mean_ms:.2f} ms, emulated" in printed
    status, (measurement,), printed = benchmark(binary_model, "--device", "qemu:cortex-a53", "--tool-flag=--crash=ill")
    assert (status, measurement.state) == (1, State.FAILED)
    assert "SIGILL" in measurement.reason


def test_ctrl_c_keeps_what_was_measured_and_kills_the_tool(phone, arm_tool, binary_model, tmp_path):
    """In a process of its own, because the signal is meant for that."""
    out = tmp_path / "out"
    common = ["--tool", arm_tool, "--out", out, "--cache", tmp_path / "cache", "--repetitions", 1, "--no-profile"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "android_demo.cli", binary_model, *common]
    assert subprocess.run(list(map(str, command)), env=environment, capture_output=True).returncode == 0
    command += ["--resume", "--tool-flag=--hang"]
    # A shell's background jobs, and all that they start, ignore Ctrl-C unless they ask for it.
    heeds_ctrl_c = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        list(map(str, command)), env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heeds_ctrl_c
    )
    while not (phone.root / "data/local/tmp/bnext-keras/hanging").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted from the keyboard; --resume goes on" in errors
    for script in phone.processes:
        script.wait(timeout=30)
    states = [entry["state"] for entry in json.loads((out / "results.json").read_text())["measurements"]]
    assert states == ["ok", "failed"]
