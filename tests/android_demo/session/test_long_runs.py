"""Runs that go on for minutes, energy, and what is around a measurement: on a phone that tells it."""

import pytest

from android_demo.cli import main
from android_demo.results import State, load

pytest_plugins = ["device_fixtures"]

BATTERY = """\
Current Battery Service state:
  AC powered: false
  USB powered: {usb}
  status: {status}
  level: 80
  scale: 100
  temperature: 300
"""


@pytest.fixture
def benchmark(phone, tmp_path, arm_tool, binary_model, capfd):
    """Runs the command line; returns exit status, the measurement in the file and what was printed."""

    def run(*arguments):
        out = tmp_path / "out"
        common = [binary_model, "--tool", arm_tool, "--out", out, "--cache", tmp_path, "--no-profile", "--cool-down", 0]
        status = main([str(argument) for argument in (*common, *arguments)])
        (measurement,) = load(out / "results.json").measurements
        return status, measurement, capfd.readouterr()

    return run


def battery(phone, usb="true", status=2):
    phone.write("/dumpsys/battery", BATTERY.format(usb=usb, status=status))


def test_a_sustained_run_is_a_curve(phone, benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr("android_demo.cli.arguments._SLICE", 0.1)
    phone.write("/bin/taskset", '#!/bin/sh\nsleep 0.3\nshift\nexec "$@"\n')
    status, measurement, printed = benchmark("--sustain", 0.02)
    assert status == 0, printed
    assert measurement.state is State.OK
    assert measurement.settings.sustain_minutes == 0.02
    assert len(measurement.repetitions) >= 2
    assert measurement.repetitions[0].after_seconds < measurement.repetitions[1].after_seconds
    moments = [sample.moment for sample in measurement.thermal]
    assert (moments[0], moments[-1], set(moments[1:-1])) == ("before", "after", {"during"})
    assert "for 0.02 min without a pause" in printed.out
    page = (tmp_path / "out/index.html").read_text()
    assert "Over the minutes" in page
    assert page.count('class="scatter curve"') == 3


def test_a_tool_that_prints_no_percentiles_is_told_of(phone, benchmark, monkeypatch):
    for module in ("android_demo.cli.arguments", "android_demo.session.job"):
        monkeypatch.setattr(f"{module}.SINGLE_STREAM_QUERIES", 5)
    status, measurement, printed = benchmark("--mlperf", "--runs", 5)
    assert (status, measurement.state, len(measurement.repetitions)) == (0, State.OK, 1)
    assert measurement.reason == "no 90th percentile: lce_benchmark_model does not print one"
    assert "5 runs and 60 s or more" in " ".join(printed.err.split())


def test_what_is_around_a_measurement_is_noted_and_told(phone, benchmark, tmp_path):
    battery(phone)
    phone.write("/dumpsys/power", "Power Manager State:\n  mWakefulness=Asleep\nDisplay Power: state=OFF\n")
    phone.write("/settings/low_power", "1\n")
    _, measurement, printed = benchmark("--repetitions", 1, "--runs", 2, "--who", "Ana")
    assert [entry.moment for entry in measurement.surroundings] == ["before", "after"]
    assert measurement.warnings == ("the screen was off", "power-save mode was on", "it was being charged (usb)")
    assert "power-save mode was on, in 1 of 1 measurements" in printed.out
    assert "the screen was off (1); power-save mode was on (1)" in (tmp_path / "out/index.html").read_text()
    assert measurement.who == "Ana"


def test_a_phone_cools_down_to_a_temperature(phone, benchmark, monkeypatch):
    """Asking this phone makes it cooler by 2 degrees."""
    monkeypatch.setattr("android_demo.session.cooling._LOOK", 0)
    phone.write("/celsius", "38")
    file = '"$PHONE/sys/class/thermal/thermal_zone0/temp"'
    cooler = f'echo $(($(cat "$PHONE/celsius") - 2)) > "$PHONE/celsius"; echo "$(cat "$PHONE/celsius")000" > {file}'
    phone.write("/sys/class/thermal/thermal_zone0/temp", "38000\n")
    phone.write("/bin/dumpsys", f'#!/bin/sh\n[ "$1" = thermalservice ] && {{ {cooler}; }}\n').chmod(0o755)
    _, measurement, _ = benchmark("--cool-to", 35, "--repetitions", 1, "--runs", 2)
    assert (measurement.state, measurement.reason) == (State.OK, "")
    assert measurement.thermal[0].celsius["cpu-big"] <= 35


@pytest.fixture
def metered(phone, monkeypatch):
    """The phone's battery gives 200 mA at 4 V, and 600 mA while the tool runs."""
    for name, value in (("SECONDS", 0.5), ("_EVERY", 0.1), ("_START", 0.0)):
        monkeypatch.setattr(f"android_demo.session.energy.{name}", value)
    for name, text in (("type", "Battery"), ("current_now", "-200000"), ("voltage_now", "4000000")):
        phone.write(f"/sys/class/power_supply/battery/{name}", text + "\n")
    file = '"$PHONE/sys/class/power_supply/battery/current_now"'
    run = f'echo -600000 > {file}; sleep 1.5; shift; exec "$@"'
    phone.write("/bin/taskset", f"#!/bin/sh\ntrap 'echo -200000 > {file}' EXIT\n({run})\n")


@pytest.mark.usefixtures("metered")
def test_energy_is_what_a_run_takes_beyond_idling(phone, benchmark, tmp_path):
    battery(phone, usb="false", status=3)
    status, measurement, printed = benchmark("--energy", "--repetitions", 1, "--runs", 2)
    assert status == 0, printed
    assert measurement.reason == ""
    found = measurement.energy
    assert (found.idle_mw, found.busy_mw, found.source) == (800.0, 2400.0, "current_now")
    assert found.millijoules == pytest.approx(1.6 * found.inference_ms)
    assert f"{found.millijoules:.1f} mJ an inference of the whole device" in printed.out
    assert "mJ of the whole device" in (tmp_path / "out/index.html").read_text()


@pytest.mark.usefixtures("metered")
@pytest.mark.parametrize(
    ("usb", "why"), [("true", "it is on the charger (usb)"), (None, "it does not tell whether it is charged")]
)
def test_energy_is_refused_on_the_charger(phone, benchmark, usb, why):
    if usb:
        battery(phone, usb)
    status, measurement, _ = benchmark("--energy", "--repetitions", 1, "--runs", 2)
    assert (status, measurement.state, measurement.energy) == (0, State.OK, None)
    assert measurement.reason.startswith(f"no energy: {why}; unplug it and reach it over Wi-Fi")


@pytest.mark.usefixtures("metered")
def test_a_battery_that_tells_nothing_is_no_error(phone, benchmark):
    battery(phone, usb="false", status=3)
    phone.write("/sys/class/power_supply/battery/voltage_now", "9" * 400 + "\n")
    _, measurement, _ = benchmark("--energy", "--repetitions", 1, "--runs", 2)
    assert measurement.reason == "no energy: it does not tell the current and the voltage of a battery"
