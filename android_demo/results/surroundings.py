"""What was around a measurement: screen, charger, battery, power-save mode and heat, and the energy that it took."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from android_demo.records import Record

#: Where a battery is so empty, or so warm, that many phones slow down.
_LOW_PERCENT, _WARM_CELSIUS = 20, 40


#: What zones are called that warm up with a processor. Others, such as power amplifiers' or chargers', may stay hot.
_ZONES = re.compile(r"cpu|soc|pkg|core|cluster|big|little|mid|gold|silver|prime|skin|battery|tsens", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Surroundings(Record):
    """The state of a device at one moment, as far as it tells; what it does not tell is empty or None.

    Attributes:
        moment: ``before`` or ``after`` the repetitions.
        screen: ``on``, ``off``, ``doze``, ... as Android calls the display's state.
        awake: Whether Android counts the device as awake.
        charger: What it is plugged into: ``usb``, ``ac``, ``wireless``, ``dock``, several of them, or ``none``.
        charging: Whether the battery is being charged; a full one is not.
        battery_percent: How full the battery is.
        battery_celsius: How warm it is.
        power_save: Whether power-save mode is on.

    Example:
        >>> Surroundings(moment="before", screen="off", charger="none", battery_percent=15.0).warnings
        ('the screen was off', 'the battery was at 15%')
    """

    moment: str
    screen: str = ""
    awake: bool | None = None
    charger: str = ""
    charging: bool | None = None
    battery_percent: float | None = None
    battery_celsius: float | None = None
    power_save: bool | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of it makes a device slower than its users know it."""
        found = []
        if self.screen and self.screen != "on":
            found.append("the screen was off" if self.screen == "off" else f"the screen's state was {self.screen}")
        elif self.awake is False:
            found.append("the device was asleep")
        if self.power_save:
            found.append("power-save mode was on")
        if self.charging:
            found.append(f"it was being charged{f' ({self.charger})' if self.charger else ''}")
        if self.battery_percent is not None and self.battery_percent <= _LOW_PERCENT:
            found.append(f"the battery was at {self.battery_percent:.0f}%")
        if self.battery_celsius is not None and self.battery_celsius >= _WARM_CELSIUS:
            found.append(f"the battery had {self.battery_celsius:.0f} C")
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Energy(Record):
    """What an inference costs the whole device, beyond what it takes when it idles.

    Attributes:
        millijoules: Energy of one inference above idling, of the whole device: screen, radios and losses are in both.
        idle_mw: Mean power of the idle device, before and after.
        busy_mw: Mean power while inferences followed each other.
        seconds: How long the power of the busy device was watched.
        source: What told it: ``current_now``, or ``charge_counter`` where only that can be read.
        inference_ms: Mean time of an inference meanwhile.
    """

    millijoules: float
    idle_mw: float
    busy_mw: float
    seconds: float
    source: str
    inference_ms: float


def hottest_zone(celsius: Mapping[str, float]) -> tuple[float, str]:
    """The temperature that counts, and its zone: the hottest that tells of processors, skin or battery.

    Where none is called like that, the hottest of all.

    Example:
        >>> hottest_zone({"cpu-big": 41.0, "charger": 60.0, "battery": 33.0})
        (41.0, 'cpu-big')
    """
    known = {name: value for name, value in celsius.items() if _ZONES.search(name)} or celsius
    return max((value, name) for name, value in known.items())
