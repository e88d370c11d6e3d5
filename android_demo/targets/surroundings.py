"""What a device tells of its screen, charger, battery and power-save mode, and of the power that it takes.

As in ``facts``, scripts print lines and pure functions read them; nothing is written there and no right is needed.
"""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from android_demo.results import Surroundings
from android_demo.targets.facts import READ, whole

#: Prints what `parse_surroundings` reads. Android tells by its services, a notebook by its kernel's files.
SURROUNDINGS_SCRIPT = f"""{READ}
if command -v dumpsys >/dev/null; then
  dumpsys battery 2>/dev/null | sed 's/^ */battery /'
  dumpsys power 2>/dev/null | grep -E 'mWakefulness=|Display Power: state=' | sed 's/^ */power /'
  echo "low_power=$(settings get global low_power 2>/dev/null)"
fi
for supply in /sys/class/power_supply/*; do
  show $supply/type $supply/online $supply/status $supply/capacity
done
true
"""

#: Prints what `parse_power` reads, once.
POWER_SCRIPT = f"""{READ}
show /proc/uptime
for battery in /sys/class/power_supply/*; do
  show $battery/type $battery/current_now $battery/voltage_now $battery/charge_counter
done
if command -v dumpsys >/dev/null; then
  dumpsys battery 2>/dev/null | grep -iE '^ *(charge counter|voltage):' | sed 's/^ */battery /'
fi
true
"""

_CHARGERS = {"AC": "ac", "USB": "usb", "Wireless": "wireless", "Dock": "dock"}
_SUPPLIES = {"Mains": "ac", "USB": "usb", "Wireless": "wireless"}
#: BatteryManager's numbers: charging, discharging, not charging, full.
_IS_CHARGING = {2: True, 3: False, 4: False, 5: False}
#: What no battery has.
_MOST_MICRO, _MOST_TENTHS = 10**10, 1500


def parse_surroundings(text: str, moment: str) -> Surroundings:
    """Reads what `SURROUNDINGS_SCRIPT` printed.

    A battery whose service somebody has told to lie (``dumpsys battery unplug``) tells nothing.

    Example:
        >>> found = parse_surroundings('''battery USB powered: true
        ... battery status: 2
        ... battery level: 85
        ... battery temperature: 285
        ... power mWakefulness=Awake
        ... power Display Power: state=ON
        ... low_power=0''', "before")
        >>> found.screen, found.charger, found.battery_percent, found.battery_celsius, found.power_save
        ('on', 'usb', 85.0, 28.5, False)
    """
    display = re.search(r"^power Display Power: state=(\w{1,20})", text, re.MULTILINE)
    wakefulness = re.search(r"^power mWakefulness=(\w{1,20})", text, re.MULTILINE)
    low_power = re.search(r"^low_power=([01])\s*$", text, re.MULTILINE)
    battery = _service(text) if "UPDATES STOPPED" not in text else {}
    supplies = _supplies(text)
    return Surroundings(
        moment=moment,
        screen=display[1].lower() if display else "",
        awake=wakefulness[1] == "Awake" if wakefulness else None,
        power_save=low_power[1] == "1" if low_power else None,
        **(battery if battery or "battery " in text else supplies),
    )


def _service(text):
    """What Android's battery service says."""
    values = dict(re.findall(r"^battery ([A-Za-z ]{1,40}): (\S{1,20})\s*$", text, re.MULTILINE))
    powered = {name: values.get(f"{key} powered") for key, name in _CHARGERS.items()}
    charger = ", ".join(name for name, value in powered.items() if value == "true")
    if not charger and set(powered.values()) & {"false"}:
        charger = "none"
    level, scale = whole(values.get("level", ""), 1000), whole(values.get("scale", "100"), 1000)
    tenths = whole(values.get("temperature", ""), _MOST_TENTHS)
    found = {
        "charger": charger,
        "charging": _IS_CHARGING.get(whole(values.get("status", ""), 9) or 0),
        "battery_percent": 100 * level / scale if level is not None and scale and level <= scale else None,
        "battery_celsius": tenths / 10 if tenths else None,
    }
    return {name: value for name, value in found.items() if value not in ("", None)}


def _supplies(text):
    """What Linux says of power supplies."""
    found: dict[str, dict[str, str]] = {}
    for name, key, value in re.findall(r"^/sys/class/power_supply/([^/]+)/(\w+)=(.{1,40})$", text, re.MULTILINE):
        found.setdefault(name, {})[key] = value.strip()
    batteries = [one for one in found.values() if one.get("type") == "Battery"]
    if not batteries:
        return {}
    online = {
        _SUPPLIES[one["type"]] for one in found.values() if one.get("type") in _SUPPLIES and one.get("online") == "1"
    }
    percent, status = whole(batteries[0].get("capacity", ""), 100), batteries[0].get("status", "")
    known = {"Charging": True, "Discharging": False, "Not charging": False, "Full": False}
    return {
        "charger": ", ".join(sorted(online)) or ("none" if status == "Discharging" else ""),
        "charging": known.get(status),
        "battery_percent": None if percent is None else float(percent),
    }


@dataclass(frozen=True)
class PowerSample:
    """What a battery told at one moment: microamperes without their sign, microvolts, microampere-hours."""

    seconds: float
    current: float | None
    voltage: float | None
    charge: float | None


@dataclass(frozen=True)
class Power:
    """The mean power over some seconds, and what told it: ``current_now`` or ``charge_counter``."""

    milliwatts: float
    seconds: float
    source: str


def parse_power(text: str) -> PowerSample | None:
    """Reads what `POWER_SCRIPT` printed; None if there is no clock in it.

    Kernels count in microamperes and microvolts; some vendors in milliamperes, which are told by being too small.

    Example:
        >>> parse_power('''/proc/uptime=100.50 300.00
        ... /sys/class/power_supply/battery/type=Battery
        ... /sys/class/power_supply/battery/current_now=-250000
        ... battery voltage: 4000''')
        PowerSample(seconds=100.5, current=250000.0, voltage=4000000.0, charge=None)
    """
    uptime = re.search(r"^/proc/uptime=([0-9]{1,9}(?:\.[0-9]{1,3})?)\s", text, re.MULTILINE)
    if uptime is None:
        return None
    kinds = dict(re.findall(r"^/sys/class/power_supply/([^/]+)/type=(.+)$", text, re.MULTILINE))

    def file(name):
        for battery, value in re.findall(rf"^/sys/class/power_supply/([^/]+)/{name}=-?(\d+)\s*$", text, re.MULTILINE):
            number = whole(value, _MOST_MICRO)
            if kinds.get(battery) == "Battery" and number:
                return float(number)
        return None

    def service(name):
        found = re.search(rf"^battery {name}: (\d+)\s*$", text, re.MULTILINE | re.IGNORECASE)
        number = whole(found[1], _MOST_MICRO) if found else None
        return float(number) if number else None

    voltage = file("voltage_now") or service("voltage")
    current = file("current_now")
    return PowerSample(
        seconds=float(uptime[1]),
        current=current * 1000 if current is not None and current < 10_000 else current,
        voltage=voltage * 1000 if voltage is not None and voltage < 100_000 else voltage,
        charge=file("charge_counter") or service("charge counter"),
    )


def mean_power(samples: Sequence[PowerSample]) -> Power | None:
    """The mean power between the first sample and the last; None if they do not tell it.

    The current counts where it is told. Otherwise it is the charge that is gone, which counters give in steps: that is
    worth something over a minute or so only.

    Example:
        >>> samples = [PowerSample(0.0, 500_000.0, 4e6, None), PowerSample(60.0, 700_000.0, 4e6, None)]
        >>> mean_power(samples)
        Power(milliwatts=2400.0, seconds=60.0, source='current_now')
        >>> samples = [PowerSample(0.0, None, 4e6, 3_000_000.0), PowerSample(60.0, None, 4e6, 2_990_000.0)]
        >>> mean_power(samples)
        Power(milliwatts=2400.0, seconds=60.0, source='charge_counter')
    """
    voltages = [sample.voltage for sample in samples if sample.voltage is not None]
    if len(samples) < 2 or len(voltages) < len(samples):
        return None
    seconds = samples[-1].seconds - samples[0].seconds
    currents = [sample.current for sample in samples if sample.current is not None]
    if seconds <= 0:
        return None
    if len(currents) == len(samples):
        watts = statistics.fmean(a * v for a, v in zip(currents, voltages, strict=True)) / 1e12
        return Power(1000 * watts, seconds, "current_now")
    first, last = samples[0].charge, samples[-1].charge
    if first is None or last is None or last >= first:
        return None
    watts = (first - last) * 3600 / seconds * statistics.fmean(voltages) / 1e12
    return Power(1000 * watts, seconds, "charge_counter")
