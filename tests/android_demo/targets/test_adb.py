"""Phones: a real adb server and client, against the device's side of the protocol on loopback."""

import os
import subprocess

from bnext_keras.errors import DeviceError, DeviceLost

import pytest
from adbutils import AdbClient, adb_path

from android_demo.targets import open_target

pytest_plugins = ["device_fixtures"]


@pytest.fixture
def target(phone, tmp_path):
    return open_target("adb", tmp_path)


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "some file.bin"
    file.write_bytes(os.urandom(300_000))
    return file


def refusal(spec, tmp_path, error=DeviceError):
    with pytest.raises(error) as caught:
        open_target(spec, tmp_path)
    return str(caught.value)


def test_the_phone_of_the_tests_convinces_the_real_adb(phone, file, tmp_path):
    def adb(*arguments):
        return subprocess.run(
            [adb_path(), "-s", phone.address, *map(str, arguments)], capture_output=True, text=True, timeout=60
        )

    done = adb("shell", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert adb("push", file, "/data/local/tmp/there").returncode == 0
    assert adb("pull", "/data/local/tmp/there", tmp_path / "back").returncode == 0
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    assert "there" in adb("ls", "/data/local/tmp").stdout


def test_a_phone_tells_what_it_is(target):
    device = target.describe()
    assert (device.model, device.soc, device.os, device.abi) == (
        "Acme Phone 1",
        "Acme AC100",
        "Android 14",
        "arm64-v8a",
    )
    assert device.memory_mb == 7680
    assert [core.max_mhz for core in device.cores] == [1800] * 4 + [2400] * 3 + [2800]
    assert [core.name for core in device.cores] == ["Cortex-A55"] * 4 + ["Cortex-A78"] * 3 + ["Cortex-X1"]
    assert {core.governor for core in device.cores} == {"schedutil"}
    assert "SERIAL1" not in device.id
    assert device.emulated is False


def test_androids_emulator_counts_as_emulated(phone, tmp_path):
    phone.write("/props/ro.kernel.qemu", "1\n")
    assert open_target("adb", tmp_path).describe().emulated is True


def test_a_phone_tells_how_hot_it_is(target, phone):
    phone.write(
        "/dumpsys/thermalservice",
        "Thermal Status: 2\nCached temperatures:\n\tTemperature{mValue=99.0, mType=3, mName=skin, mStatus=0}\n"
        "Current temperatures from HAL:\n\tTemperature{mValue=38.5, mType=3, mName=skin, mStatus=0}\n"
        "Current cooling devices from HAL:\n\tCoolingDevice{mValue=3, mType=2, mName=cpu}\n",
    )
    phone.write("/sys/devices/system/cpu/cpu7/cpufreq/scaling_max_freq", "1900000\n")
    sample = target.sample()
    assert sample.celsius == {"cpu-big": 31.5, "skin": 38.5}
    assert sample.status == 2
    assert sample.mhz["cpu7"] == 2800
    assert sample.limit_mhz["cpu7"] == 1900


def test_a_file_is_pushed_once_for_its_content(target, phone, file):
    path = target.push(file)
    assert path.startswith("/data/local/tmp/bnext-keras/")
    assert path.endswith("-some_file.bin")
    assert (phone.root / path.lstrip("/")).read_bytes() == file.read_bytes()
    assert target.push(file) == path
    assert len(phone.pushes) == 1
    file.write_bytes(b"changed")
    assert target.push(file) != path
    assert len(phone.pushes) == 2


def test_a_file_that_was_changed_on_the_phone_is_pushed_again(target, phone, file):
    path = target.push(file)
    phone.write(path, "changed")
    assert target.push(file) == path
    assert (phone.root / path.lstrip("/")).read_bytes() == file.read_bytes()


def test_cleaning_removes_our_folder_and_nothing_else(target, phone, file):
    phone.write("/data/local/tmp/theirs", "kept")
    target.push(file)
    assert target.clean() == 1
    assert phone.files == ["theirs"]
    assert target.clean() == 0


def test_a_command_has_exit_code_and_both_streams(target):
    done = target.run(["sh", "-c", "echo one; echo two >&2; exit 5"], timeout=30)
    assert (done.exit_code, done.stdout, done.stderr) == (5, "one\n", "two\n")


def test_a_command_whose_time_is_up_is_killed_on_the_phone(target, phone):
    phone.write("/data/alive", "")
    done = target.run(["sh", "-c", 'echo "$$"; while sleep 0.1; do :; done'], timeout=1)
    assert done.exit_code is None
    process = int(done.stdout)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.parametrize("features", ["cmd", ""])
def test_phones_before_android_7_have_exit_codes_too(phones, tmp_path, file, features):
    phones(features=features)
    target = open_target("adb", tmp_path)
    done = target.run(["sh", "-c", "echo one; exit 5"], timeout=30)
    assert (done.exit_code, done.stdout) == (5, "one\n")
    assert target.run(["sh", "-c", "kill -ILL $$"], timeout=30).exit_code == 132
    assert target.push(file) == target.push(file)


def test_without_a_phone_the_message_says_what_to_do(adb_server, tmp_path):
    message = refusal("adb", tmp_path)
    assert "no phone is connected" in message
    assert "USB debugging" in message
    assert "--device ssh:user@board, qemu or host" in message


def test_of_several_phones_one_has_to_be_chosen(phones, tmp_path):
    first, second = phones(), phones()
    message = refusal("adb", tmp_path)
    assert "2 phones are connected" in message
    low, high = sorted((first.address, second.address))
    assert f"--device adb:{low} or adb:{high}" in message
    assert open_target(f"adb:{second.address}", tmp_path).name == f"adb:{second.address}"


def test_an_unknown_serial_number_is_refused_with_those_there_are(phone, tmp_path):
    assert f"no such phone (connected: {phone.address})" in refusal("adb:UNKNOWN", tmp_path)


def test_a_phone_that_does_not_know_this_computer_is_named(phones, tmp_path):
    phone = phones(unauthorized=True)
    message = refusal("adb", tmp_path)
    assert f"adb:{phone.address}: is unauthorized" in message
    assert "allow USB debugging" in message


def test_a_phone_that_has_not_started_android_is_named(phones, tmp_path):
    phones(state="recovery")
    message = refusal("adb", tmp_path)
    assert "is recovery; start Android on it" in message


def test_a_phone_that_is_not_ready_does_not_hide_one_that_is(phones, tmp_path):
    phones(unauthorized=True)
    ready = phones()
    assert open_target("adb", tmp_path).name == f"adb:{ready.address}"


def test_a_full_phone_is_found_before_anything_is_pushed(target, phone, file):
    phone.write("/free_kb", "100")
    message = r"no space for some file\.bin \(0\.3 MB\).*0\.1 MB are free.*bnext-benchmark clean"
    with pytest.raises(DeviceError, match=message):
        target.push(file)
    assert phone.pushes == []


def test_the_reason_of_a_phone_that_refuses_a_file_reaches_the_user(target, phone, file):
    phone.faults.refuse_push = "couldn't create file: Read-only file system"
    with pytest.raises(DeviceError, match=r"does not take some file\.bin: couldn't create file: Read-only"):
        target.push(file)
    assert phone.files == ["bnext-keras"]


def test_a_file_that_arrives_damaged_is_removed(target, phone, file):
    phone.faults.corrupt_push = True
    with pytest.raises(DeviceError, match="arrived damaged"):
        target.push(file)
    assert phone.files == ["bnext-keras"]


def test_a_slow_phone_is_waited_for(target, phone, file):
    phone.faults.seconds_per_chunk = 0.2
    assert (phone.root / target.push(file).lstrip("/")).read_bytes() == file.read_bytes()


def test_a_cable_pulled_during_a_push_is_reported_and_the_push_repeated(target, phone, replug, file, tmp_path):
    phone.faults.drop_push_after = 100_000
    with pytest.raises(DeviceLost, match=r"the connection broke .*check the cable, then run again with --resume"):
        target.push(file)
    phone.faults.drop_push_after = None
    replug(phone)
    again = open_target("adb", tmp_path)
    assert (phone.root / again.push(file).lstrip("/")).read_bytes() == file.read_bytes()


def test_a_cable_pulled_during_a_run_is_reported(target, phone):
    phone.faults.drop_running = "sleep 60"
    with pytest.raises(DeviceLost, match="the connection broke"):
        target.run(["sleep", "60"], timeout=120)


def test_what_a_pulled_cable_left_running_is_stopped_later(target, phone, replug, tmp_path):
    phone.faults.drop_running = "while sleep"
    with pytest.raises(DeviceLost):
        target.run(["sh", "-c", "while sleep 0.1; do :; done", f"{target.folder}/model.tflite"], timeout=120)
    replug(phone)
    assert phone.processes[-1].poll() is None
    again = open_target("adb", tmp_path)
    again.stop_leftovers()
    phone.processes[0].wait(timeout=30)
    assert phone.files == ["bnext-keras"]


def test_a_phone_that_is_gone_is_reported(target, phone):
    target.describe()
    AdbClient().disconnect(phone.address)
    with pytest.raises(DeviceLost, match="the connection broke"):
        target.sample()
