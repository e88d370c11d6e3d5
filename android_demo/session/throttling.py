"""When a measurement counts as throttled: hot phones slow down, and their times then say nothing about the model.

It does if any of these holds, where the cores are those that it was pinned to, or all:

1. Android's thermal status was not 0 (none) at any sample;
2. the highest frequency that a core was permitted was more than 5% below the highest that it has, at any sample; where
   Android's fixed-performance mode bounds the clocks, below what it was permitted at the first sample;
3. the last repetition was more than 10% slower than the first, and a thermal zone was at least 3 degrees warmer.

On this machine, where other programs run too, it counts as noisy if the load exceeded the number of cores by more than
a half at any sample, or if the standard deviation of an inference is more than a fifth of its mean.

The samples are taken before, between and after the repetitions, never while a model runs: that would disturb it.
"""

from collections.abc import Sequence
from dataclasses import replace

from android_demo.results import Core, Measurement, State
from android_demo.targets.facts import Sample

_STATUS_NAMES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")


def throttled(
    samples: Sequence[Sample], cores: Sequence[Core], mask: str, means_us: Sequence[float], *, bounded: bool = False
) -> str:
    """Why a measurement counts as throttled; empty if it does not.

    Args:
        samples: Temperatures and frequencies in the order in which they were taken.
        cores: The device's cores.
        mask: Cores that the model was pinned to, hexadecimal; empty for all.
        means_us: Mean time of each repetition, in order.
        bounded: Whether fixed-performance mode bounds the clocks.

    Example:
        >>> core = Core(index=0, max_mhz=2800)
        >>> sample = Sample(celsius={}, mhz={}, limit_mhz={"cpu0": 1900.0}, status=None)
        >>> throttled([sample], [core], "", [1000.0])
        'cpu0 was limited to 1900 of its 2800 MHz'
    """
    worst = max((sample.status or 0 for sample in samples), default=0)
    if worst:
        return f"Android's thermal status was {worst} ({_STATUS_NAMES[min(worst, 6)]})"
    for core in cores:
        name = f"cpu{core.index}"
        limit = min((sample.limit_mhz[name] for sample in samples if name in sample.limit_mhz), default=None)
        used = not mask or int(mask, 16) >> core.index & 1
        highest = samples[0].limit_mhz.get(name) if bounded else core.max_mhz
        if used and limit is not None and highest and limit < 0.95 * highest:
            return f"{name} was limited to {limit:.0f} of its {highest:.0f} MHz"
    # Slower alone is no proof, other work may have come; warmer alone is what measuring does.
    if len(means_us) > 1 and means_us[-1] > 1.1 * means_us[0]:
        first, last = samples[0].celsius, samples[-1].celsius
        for zone in first.keys() & last.keys():
            if last[zone] >= first[zone] + 3:
                slower = means_us[-1] / means_us[0] - 1
                return (
                    f"the last repetition was {slower:.0%} slower, and {zone} {last[zone] - first[zone]:.1f} C warmer"
                )
    return ""


def noisy(loads: Sequence[float], cores: int, measurement: Measurement) -> str:
    """Why the times of a measurement are noisy; empty if they are not.

    Args:
        loads: Load averages in the order in which they were taken.
        cores: Number of cores, or of the model's threads if these are more: its own load is none of others.
        measurement: As far as it has come.
    """
    worst = max(loads, default=0.0)
    if cores and worst > cores + 0.5:
        return f"the load was {worst:.1f} on {cores} core{'s' * (cores > 1)}: other programs ran"
    latency = replace(measurement, state=State.OK).latency
    if latency and latency.std_ms is not None and latency.std_ms > 0.2 * latency.mean_ms:
        return f"an inference varied by {latency.std_ms / latency.mean_ms:.0%} of its time"
    return ""
