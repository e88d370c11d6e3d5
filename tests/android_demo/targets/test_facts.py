"""What machines tell about themselves, and what follows from it; texts as phones and boards print them."""

import pytest

from android_demo.results import Core
from android_demo.targets.facts import Sample, fastest_cores, parse_facts, parse_sample

RASPBERRY_PI = """\
machine=aarch64
system=Linux 6.1.0-rpi7-rpi-v8
long_bit=64
node=raspberrypi
has_sha256sum=1
has_taskset=1
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
/proc/device-tree/model=Raspberry Pi 4 Model B Rev 1.4
/proc/meminfo=MemTotal:        3886860 kB
/sys/devices/system/cpu/cpu0=1
/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq=1800000
/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor=ondemand
/sys/devices/system/cpu/cpu1=1
/sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq=1800000
/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor=ondemand
processor\t: 0
CPU implementer\t: 0x41
CPU part\t: 0xd08
processor\t: 1
CPU implementer\t: 0x41
CPU part\t: 0xd08
"""


def cores(*mhz):
    return tuple(Core(index=index, max_mhz=value) for index, value in enumerate(mhz))


def test_a_board_tells_what_it_is():
    facts = parse_facts(RASPBERRY_PI)
    assert facts.model == "Raspberry Pi 4 Model B Rev 1.4"
    assert facts.os == "Debian GNU/Linux 12 (bookworm)"
    assert facts.abis == ("aarch64",)
    assert facts.android is False
    assert facts.memory_mb == 3795
    assert facts.cores == tuple(
        Core(index=index, max_mhz=1800, name="Cortex-A72", governor="ondemand") for index in (0, 1)
    )
    assert facts.has_taskset
    assert facts.has_sha256sum


def test_32_bit_programs_under_a_64_bit_kernel_are_noticed():
    assert parse_facts(RASPBERRY_PI.replace("long_bit=64", "long_bit=32")).abis == ("armv7l",)


def test_a_core_of_an_unknown_design_keeps_its_numbers():
    facts = parse_facts(RASPBERRY_PI.replace("0x41", "0x51"))
    assert facts.cores[0].name == "implementer 0x51, part 0xd08"


def test_a_machine_that_tells_nothing_is_no_error():
    facts = parse_facts("machine=arm64\nsystem=Darwin 23.1.0\nlong_bit=64\nnode=mac\n")
    assert (facts.os, facts.abis, facts.cores, facts.memory_mb) == ("Darwin 23.1.0", ("arm64",), (), None)


@pytest.mark.parametrize(("raw", "celsius"), [(45123, 45.123), (451, 45.1), (45, 45.0)])
def test_zones_answer_in_different_units(raw, celsius):
    text = f"/sys/class/thermal/thermal_zone3/type=cpu\n/sys/class/thermal/thermal_zone3/temp={raw}\n"
    assert parse_sample(text).celsius == {"cpu": celsius}


@pytest.mark.parametrize("raw", [0, -40000, 200000])
def test_zones_that_are_switched_off_are_left_out(raw):
    assert parse_sample(f"/sys/class/thermal/thermal_zone3/temp={raw}\n").celsius == {}


@pytest.mark.parametrize(
    ("mhz", "threads", "mask"),
    [
        ([1800] * 4 + [2400] * 3 + [2800], 1, "80"),
        ([1800] * 4 + [2400] * 3 + [2800], 2, "f0"),
        ([1800] * 6 + [2200] * 2, 2, "c0"),
        ([1800] * 6 + [2200] * 2, 4, ""),
        ([2400] * 4, 1, ""),
        ([1800, None], 1, ""),
        ([], 1, ""),
    ],
)
def test_whole_clusters_of_the_fastest_cores_are_chosen(mhz, threads, mask):
    assert fastest_cores(cores(*mhz), threads) == mask


@pytest.mark.parametrize(
    ("told", "instead"),
    [
        ("CPU part\t: 0xd08", "CPU part\t: x"),
        ("CPU implementer\t: 0x41", "CPU implementer\t: "),
        ("cpuinfo_max_freq=1800000", "cpuinfo_max_freq=<unknown>"),
        ("cpuinfo_max_freq=1800000", "cpuinfo_max_freq=" + "9" * 5000),
        ("MemTotal:        3886860 kB", f"MemTotal: {'9' * 5000} kB"),
        ("processor\t: 0", "processor\t: " + "9" * 5000),
        ("processor\t: 0", "processor\t: \u00b2"),
        ("cpu/cpu1=1", "cpu/cpu9999999999=1"),
    ],
)
def test_what_a_machine_cannot_mean_is_left_out(told, instead):
    assert told in RASPBERRY_PI
    facts = parse_facts(RASPBERRY_PI.replace(told, instead))
    assert [core.index for core in facts.cores] in ([0, 1], [0])
    assert fastest_cores(facts.cores, 1) == ""


@pytest.mark.parametrize(
    "text",
    [
        "/sys/class/thermal/thermal_zone3/temp=" + "9" * 5000,
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq=" + "9" * 5000,
        "Current temperatures from HAL:\n Temperature{mValue=1.2.3, mType=0, mName=cpu, mStatus=0}",
        "Thermal Status: \u0663",
    ],
)
def test_a_sample_of_nonsense_is_empty(text):
    assert parse_sample(text) == Sample({}, {}, {}, None)
