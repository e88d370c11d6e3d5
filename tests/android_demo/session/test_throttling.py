"""When a hot phone's times do not count."""

from dataclasses import replace

import pytest
from sample_results import measurement, repetition

from android_demo.results import Core
from android_demo.session.throttling import noisy, throttled
from android_demo.targets.facts import Sample

CORES = (Core(index=0, max_mhz=1800), Core(index=1, max_mhz=2800))


def sample(zones=None, status=None, **limits):
    return Sample(celsius=zones or {}, mhz={}, limit_mhz=limits, status=status)


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
    assert throttled(samples, CORES, mask, means) == reason


@pytest.mark.parametrize(
    ("loads", "std_ms", "reason"),
    [
        ([], 0.5, ""),
        ([2.4, 2.5], 0.5, ""),
        ([0.1, 9.0], 0.5, "the load was 9.0 on 2 cores: other programs ran"),
        ([0.1], 2.0, ""),
        ([0.1], 2.5, "an inference varied by 25% of its time"),
    ],
)
def test_when_a_measurement_counts_as_noisy(loads, std_ms, reason):
    assert noisy(loads, 2, replace(measurement(10.0), repetitions=(repetition(10.0, std_ms=std_ms),))) == reason


def test_clocks_that_are_bounded_are_compared_with_what_they_were_at_first():
    bounded, lower = sample(cpu1=1400.0), sample(cpu1=1200.0)
    assert throttled([bounded, bounded], CORES, "", [1000], bounded=True) == ""
    assert throttled([bounded, lower], CORES, "", [1000], bounded=True) == "cpu1 was limited to 1200 of its 1400 MHz"
    assert throttled([bounded, bounded], CORES, "", [1000]) == "cpu1 was limited to 1400 of its 2800 MHz"
