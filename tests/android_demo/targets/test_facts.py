"""What machines tell about themselves, and what follows from it; texts as phones and boards print them."""

import pytest

from android_demo.results import Core
from android_demo.session.throttling import throttled
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


def sample(zones=None, status=None, **limits):
    return Sample(celsius=zones or {}, mhz={}, limit_mhz=limits, status=status)


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
    ("samples", "mask", "means", "reason"),
    [
        ([sample(cpu0=1800.0, cpu1=2800.0)] * 2, "", [1000, 1000], ""),
        ([sample(status=0), sample(status=1)], "", [1000], "Android's thermal status was 1 (light)"),
        ([sample(cpu1=2800.0), sample(cpu1=2600.0)], "", [1000], "cpu1 was limited to 2600 of its 2800 MHz"),
        ([sample(cpu1=2800.0), sample(cpu1=2700.0)], "", [1000], ""),
        ([sample(cpu0=900.0)], "2", [1000], ""),
        ([sample(cpu0=900.0)], "1", [1000], "cpu0 was limited to 900 of its 1800 MHz"),
        ([sample({"cpu": 30.0}), sample({"cpu": 33.0})], "", [1000, 1050, 1000], ""),
        ([sample({"cpu": 30.0}), sample({"cpu": 32.0})], "", [1000, 1200], ""),
        (
            [sample({"cpu": 30.0, "skin": 30.0}), sample({"cpu": 34.5, "skin": 30.0})],
            "",
            [1000, 1100, 1250],
            "the last repetition was 25% slower, and cpu 4.5 C warmer",
        ),
    ],
)
def test_when_a_measurement_counts_as_throttled(samples, mask, means, reason):
    assert throttled(samples, cores(1800, 2800), mask, means) == reason
