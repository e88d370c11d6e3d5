"""What devices tell of screen, charger and battery, as phones and notebooks print it; and what strangers print."""

import pytest

from android_demo.results import Surroundings, hottest_zone
from android_demo.targets.surroundings import PowerSample, mean_power, parse_power, parse_surroundings

PHONE = """\
battery Current Battery Service state:
battery AC powered: false
battery USB powered: true
battery Wireless powered: false
battery Max charging current: 500000
battery Charge counter: 2500000
battery status: 2
battery present: true
battery level: 15
battery scale: 100
battery voltage: 4200
battery temperature: 412
power mWakefulness=Asleep
power Display Power: state=OFF
low_power=1
"""
NOTEBOOK = """\
/sys/class/power_supply/AC/type=Mains
/sys/class/power_supply/AC/online=1
/sys/class/power_supply/BAT0/type=Battery
/sys/class/power_supply/BAT0/status=Charging
/sys/class/power_supply/BAT0/capacity=81
"""


def test_a_phone_tells_all_of_it():
    found = parse_surroundings(PHONE, "before")
    assert found == Surroundings(
        moment="before",
        screen="off",
        awake=False,
        charger="usb",
        charging=True,
        battery_percent=15.0,
        battery_celsius=41.2,
        power_save=True,
    )
    assert found.warnings == (
        "the screen was off",
        "power-save mode was on",
        "it was being charged (usb)",
        "the battery was at 15%",
        "the battery had 41 C",
    )


def test_a_phone_off_the_charger_with_its_screen_on_is_no_reason_to_warn():
    text = PHONE.replace("USB powered: true", "USB powered: false").replace("status: 2", "status: 3")
    text = text.replace("level: 15", "level: 80").replace("412", "285").replace("OFF", "ON").replace("low_power=1", "")
    found = parse_surroundings(text.replace("Asleep", "Awake"), "before")
    assert (found.charger, found.charging, found.warnings) == ("none", False, ())


def test_a_notebook_tells_it_in_files():
    found = parse_surroundings(NOTEBOOK, "after")
    assert (found.charger, found.charging, found.battery_percent) == ("ac", True, 81.0)
    on_battery = NOTEBOOK.replace("online=1", "online=0").replace("=Charging", "=Discharging")
    assert parse_surroundings(on_battery, "after").charger == "none"


def test_a_machine_without_a_battery_tells_nothing():
    assert parse_surroundings("low_power=null\n", "before") == Surroundings(moment="before")
    mains = "/sys/class/power_supply/AC/type=Mains\n/sys/class/power_supply/AC/online=1\n"
    assert parse_surroundings(mains, "before") == Surroundings(moment="before")


def test_a_battery_service_that_was_told_to_lie_tells_nothing():
    frozen = PHONE.replace("state:", "state: (UPDATES STOPPED -- use 'reset' to restart)")
    found = parse_surroundings(frozen.replace("state: (", "state:\nbattery   (", 1), "before")
    assert (found.charger, found.charging, found.battery_percent, found.screen) == ("", None, None, "off")


@pytest.mark.parametrize(
    ("told", "instead"),
    [
        ("level: 15", "level: " + "9" * 5000),
        ("level: 15", "level: 101"),
        ("scale: 100", "scale: 0"),
        ("level: 15", "level: \u0661\u0665"),
        ("temperature: 412", "temperature: -99999"),
        ("status: 2", "status: charging"),
        ("low_power=1", "low_power=yes"),
        ("state=OFF", "state=" + "X" * 5000),
    ],
)
def test_what_a_phone_cannot_mean_is_left_out(told, instead):
    assert told in PHONE
    before, after = parse_surroundings(PHONE, "before"), parse_surroundings(PHONE.replace(told, instead), "before")
    different = [
        name
        for name in ("battery_percent", "battery_celsius", "charging", "power_save", "screen")
        if getattr(before, name) != getattr(after, name)
    ]
    assert len(different) == 1
    assert getattr(after, different[0]) in (None, "x" * 20)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/proc/uptime=\u0661 1",
        "/proc/uptime=" + "9" * 5000 + " 1",
    ],
)
def test_power_without_a_clock_is_none(text):
    assert parse_power(text) is None


def test_power_is_told_in_several_units():
    files = "/proc/uptime=10.5 1\n/sys/class/power_supply/{}/type={}\n/sys/class/power_supply/{}/current_now=-250\n"
    battery = files.format("bms", "Battery", "bms") + "battery voltage: 3900\nbattery Charge counter: 2500000\n"
    assert parse_power(battery) == PowerSample(10.5, 250_000.0, 3_900_000.0, 2_500_000.0)
    assert parse_power(files.format("usb", "USB", "usb")) == PowerSample(10.5, None, None, None)
    assert parse_power("/proc/uptime=1.0 1\nbattery voltage: " + "9" * 400) == PowerSample(1.0, None, None, None)


@pytest.mark.parametrize(
    "samples",
    [
        [],
        [PowerSample(0.0, 1e5, 4e6, None)],
        [PowerSample(5.0, 1e5, 4e6, None)] * 2,
        [PowerSample(0.0, 1e5, 4e6, None), PowerSample(9.0, 1e5, None, None)],
        [PowerSample(0.0, None, 4e6, 1000.0), PowerSample(9.0, None, 4e6, 1000.0)],
        [PowerSample(0.0, None, 4e6, 1000.0), PowerSample(9.0, None, 4e6, 2000.0)],
    ],
)
def test_power_that_is_not_told_is_none(samples):
    assert mean_power(samples) is None


def test_zones_of_chargers_do_not_count_where_others_tell():
    assert hottest_zone({"chg-therm": 70.0, "cpu-0-0": 40.0}) == (40.0, "cpu-0-0")
    assert hottest_zone({"zone9": 50.0, "zone8": 40.0}) == (50.0, "zone9")
