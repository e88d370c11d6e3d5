"""Waiting until a device has cooled down: to a temperature, for phones take between seconds and many minutes.

What counts is the `hottest_zone`. Where it no longer gets cooler, in a warm room say, waiting ends.
"""

import time
from collections.abc import Callable

from android_demo.results import hottest_zone
from android_demo.targets.facts import Sample

#: Seconds between two looks; after which it no longer gets cooler; after which waiting ends anyway.
_LOOK, _STALE, _MOST = 5.0, 120.0, 900.0
#: Degrees that count as cooler.
_COOLER = 0.5


def wait_until_cool(celsius: float, look: Callable[[], Sample], progress: Callable[[str], None]) -> str:
    """Waits until a device is no warmer than that; returns why it is, or nothing.

    Args:
        celsius: The temperature to come down to.
        look: Asks the device for its temperatures.
        progress: Takes a line about how far it has come.
    """
    start = time.monotonic()
    lowest, lowered = float("inf"), start
    while True:
        zones, now = look().celsius, time.monotonic()
        if not zones:
            return "it tells no temperature"
        value, zone = hottest_zone(zones)
        if value <= celsius:
            return ""
        if value <= lowest - _COOLER:
            lowest, lowered = value, now
        if now - lowered > _STALE or now - start > _MOST:
            return f"{zone} stayed at {value:.1f} C for {now - lowered:.0f} s, above the {celsius:g} C to cool down to"
        progress(f"cooling down, {zone} has {value:.1f} C")
        time.sleep(_LOOK)
