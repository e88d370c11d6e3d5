"""What a machine tells about itself, over any shell: Android, Linux, or as little as another Unix has.

A script prints ``key=value`` lines; a pure function reads them. Nothing is written there and no right is needed.
"""

import re
from dataclasses import dataclass

from android_demo.results import Core

#: Defines `show`, which prints the first lines of files that can be read.
READ = """
show() {
  for file in "$@"; do
    value=
    { read -r value < "$file"; } 2>/dev/null
    [ -n "$value" ] && echo "$file=$value"
  done
}
"""

#: Prints what `parse_facts` reads.
FACTS_SCRIPT = f"""{READ}
echo "machine=$(uname -m)"
echo "system=$(uname -sr)"
echo "long_bit=$(getconf LONG_BIT 2>/dev/null)"
echo "node=$(uname -n)"
for tool in sha256sum taskset; do command -v $tool >/dev/null && echo "has_$tool=1"; done
if command -v getprop >/dev/null; then
  for key in ro.product.manufacturer ro.product.model ro.soc.manufacturer ro.soc.model ro.board.platform ro.hardware \\
      ro.build.version.release ro.product.cpu.abilist ro.product.cpu.abi ro.serialno \\
      ro.kernel.qemu ro.boot.qemu; do
    echo "$key=$(getprop $key)"
  done
fi
grep PRETTY_NAME /etc/os-release 2>/dev/null
show /proc/device-tree/model /sys/class/dmi/id/product_name /proc/meminfo
for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
  echo "$cpu=1"
  show $cpu/cpufreq/cpuinfo_max_freq $cpu/cpufreq/scaling_governor
done
grep -E '^(processor|CPU implementer|CPU part|model name)' /proc/cpuinfo 2>/dev/null
true
"""

#: Prints what `parse_sample` reads.
SAMPLE_SCRIPT = f"""{READ}
show /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq
show /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_max_freq
show /proc/loadavg
show /sys/class/thermal/thermal_zone*/type /sys/class/thermal/thermal_zone*/temp
command -v dumpsys >/dev/null && dumpsys thermalservice 2>/dev/null
true
"""

#: Arm's designs by the part number in /proc/cpuinfo (Linux: arch/arm64/include/asm/cputype.h).
_ARM_PARTS = {
    **{0xD03: "Cortex-A53", 0xD04: "Cortex-A35", 0xD05: "Cortex-A55", 0xD07: "Cortex-A57", 0xD08: "Cortex-A72"},
    **{0xD09: "Cortex-A73", 0xD0A: "Cortex-A75", 0xD0B: "Cortex-A76", 0xD0C: "Neoverse-N1", 0xD0D: "Cortex-A77"},
    **{0xD40: "Neoverse-V1", 0xD41: "Cortex-A78", 0xD44: "Cortex-X1", 0xD46: "Cortex-A510", 0xD47: "Cortex-A710"},
    **{0xD48: "Cortex-X2", 0xD49: "Neoverse-N2", 0xD4B: "Cortex-A78C", 0xD4D: "Cortex-A715", 0xD4E: "Cortex-X3"},
    **{0xD4F: "Neoverse-V2", 0xD80: "Cortex-A520", 0xD81: "Cortex-A720", 0xD82: "Cortex-X4", 0xD85: "Cortex-X925"},
    0xD87: "Cortex-A725",
}


#: What no machine has: more cores, a higher clock, more memory, more heat.
_MOST_CORES, _MOST_KHZ, _MOST_KB, _MOST_MILLICELSIUS = 1023, 10**8, 2**40, 10**6


@dataclass(frozen=True)
class Facts:
    """What `FACTS_SCRIPT` found; empty where the machine says nothing. ``emulator`` means Android's own."""

    model: str
    soc: str
    os: str
    abis: tuple[str, ...]
    android: bool
    emulator: bool
    cores: tuple[Core, ...]
    memory_mb: float | None
    serial: str
    has_sha256sum: bool
    has_taskset: bool


@dataclass(frozen=True)
class Sample:
    """Temperatures by zone, current and permitted frequencies by core, Android's thermal status, 0 to 6, and load."""

    celsius: dict[str, float]
    mhz: dict[str, float]
    limit_mhz: dict[str, float]
    status: int | None
    load: float | None = None


def parse_facts(text: str) -> Facts:
    """Reads what `FACTS_SCRIPT` printed."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def get(*keys):
        return next((values[key].strip() for key in keys if values.get(key, "").strip()), "")

    android = "ro.build.version.release" in values
    memory = re.match(r"MemTotal:\s*(\d+) kB", get("/proc/meminfo"))
    memory_kb = whole(memory[1], _MOST_KB) if memory else None
    model = get("/proc/device-tree/model", "/sys/class/dmi/id/product_name").strip("\0")
    if android:
        model = f"{get('ro.product.manufacturer')} {get('ro.product.model')}".strip()
    return Facts(
        model=model,
        soc=f"{get('ro.soc.manufacturer')} {get('ro.soc.model', 'ro.board.platform', 'ro.hardware')}".strip(),
        os=f"Android {get('ro.build.version.release')}" if android else get("PRETTY_NAME", "system").strip('"'),
        abis=_abis(get("ro.product.cpu.abilist", "ro.product.cpu.abi"), get("machine"), get("long_bit")),
        android=android,
        emulator="1" in (get("ro.kernel.qemu"), get("ro.boot.qemu")),
        cores=_cores(values, text),
        memory_mb=None if memory_kb is None else memory_kb // 1024,
        serial=get("ro.serialno", "node"),
        has_sha256sum="has_sha256sum" in values,
        has_taskset="has_taskset" in values,
    )


def _abis(android_abis, machine, long_bit):
    if android_abis:
        return tuple(android_abis.split(","))
    # A 64-bit kernel under 32-bit programs: Raspberry Pi OS, for one.
    return ("armv7l",) if machine in ("aarch64", "armv8l") and long_bit == "32" else (machine,)


def _cores(values, text):
    names = _core_names(text)
    numbers = (whole(found[1], _MOST_CORES) for key in values if (found := re.fullmatch(r".*/cpu/cpu(\d+)", key)))
    cores = []
    for index in sorted({number for number in numbers if number is not None}):
        folder = f"/sys/devices/system/cpu/cpu{index}/cpufreq"
        khz = whole(values.get(f"{folder}/cpuinfo_max_freq", ""), _MOST_KHZ)
        governor = values.get(f"{folder}/scaling_governor", "")
        cores.append(
            Core(index=index, max_mhz=khz / 1000 if khz else None, name=names.get(index, ""), governor=governor)
        )
    return tuple(cores)


def _core_names(text):
    names, index, implementer = {}, None, 0
    for key, value in re.findall(r"^(processor|CPU implementer|CPU part|model name)\s*:\s*(.*)$", text, re.MULTILINE):
        if key == "processor":
            index = whole(value, _MOST_CORES)
        elif key == "CPU implementer":
            implementer = whole(value, 0xFF) or 0
        elif key == "model name":
            names[index] = value.strip()
        elif (part := whole(value, 0xFFF)) is not None:
            unknown = f"implementer {implementer:#04x}, part {part:#05x}"
            names[index] = _ARM_PARTS.get(part, unknown) if implementer == 0x41 else unknown
    return names


def parse_sample(text: str) -> Sample:
    """Reads what `SAMPLE_SCRIPT` printed.

    Example:
        >>> sample = parse_sample('''/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq=1800000
        ... /sys/class/thermal/thermal_zone0/type=cpu-big
        ... /sys/class/thermal/thermal_zone0/temp=41250
        ... Thermal Status: 0''')
        >>> sample.mhz, sample.celsius, sample.status
        ({'cpu0': 1800.0}, {'cpu-big': 41.25}, 0)
    """
    frequencies: dict[str, dict[str, float]] = {"cur": {}, "max": {}}
    for core, kind, value in re.findall(r"^/sys/.*/(cpu\d+)/cpufreq/scaling_(cur|max)_freq=(\d+)$", text, re.MULTILINE):
        khz = whole(value, _MOST_KHZ)
        if khz is not None:
            frequencies[kind][core] = khz / 1000
    kinds = dict(re.findall(r"/(thermal_zone\d+)/type=(.+)$", text, re.MULTILINE))
    zones = [
        (kinds.get(zone, zone), _celsius(whole(value, _MOST_MILLICELSIUS) or 0))
        for zone, value in re.findall(r"/(thermal_zone\d+)/temp=(\d+)$", text, re.MULTILINE)
    ]
    # Newer Androids hide the zones but print what their thermal HAL reads; what they print before that is a cache.
    current = text.rpartition("Current temperatures from HAL:")[2].partition("Current cooling devices")[0]
    zones += [
        (name, float(value))
        for value, name in re.findall(r"mValue=(\d{1,6}(?:\.\d*)?), mType=-?\d+, mName=([^,}]+)", current)
    ]
    status = re.search(r"Thermal Status: (\d)", text)
    # Zones that are switched off answer 0, or values far off, some of them below 0.
    celsius = {name: value for name, value in zones if 0 < value < 150}
    load = re.search(r"^/proc/loadavg=(\d{1,6}\.\d{1,2}) ", text, re.MULTILINE)
    return Sample(
        celsius,
        frequencies["cur"],
        frequencies["max"],
        whole(status[1], 9) if status else None,
        float(load[1]) if load else None,
    )


def whole(text: str, most: int) -> int | None:
    """A number from 0 to `most` in what a device says, decimal or hexadecimal; None where it says something else.

    Devices say odd things, and may be somebody else's. What is too large to be true would be large enough to fill this
    machine's memory: cpu9999999999 as a bit of a mask, for one.

    Example:
        >>> whole("1800000", 10**8), whole(" 0x41 ", 0xFF), whole("x", 9), whole("9999999999", 1023)
        (1800000, 65, None, None)
    """
    found = re.fullmatch(r"\s*(?:0x(?P<hex>[0-9a-f]{1,16})|(?P<decimal>[0-9]{1,18}))\s*", text, re.IGNORECASE)
    if found is None:
        return None
    number = int(found["hex"], 16) if found["hex"] else int(found["decimal"])
    return number if number <= most else None


def _celsius(value):
    """Kernels answer in thousandths of a degree; some vendors in tenths, or in whole ones."""
    return value / 1000 if abs(value) >= 1000 else value / 10 if abs(value) >= 150 else float(value)


def fastest_cores(cores: tuple[Core, ...], threads: int) -> str:
    """The cores to pin to, as taskset's hexadecimal mask; empty if all are alike, or their frequencies unknown.

    Whole clusters, fastest first, until there is a core for every thread: one thread has the prime core to itself; more
    threads than big cores get the small ones too, rather than share.

    Example:
        >>> mhz = [1800] * 4 + [2400] * 3 + [2800]
        >>> cores = tuple(Core(index=i, max_mhz=f) for i, f in enumerate(mhz))
        >>> fastest_cores(cores, 1), fastest_cores(cores, 4), fastest_cores(cores, 8)
        ('80', 'f0', '')
    """
    clocks = {core.max_mhz for core in cores if core.max_mhz is not None}
    if any(core.max_mhz is None for core in cores):
        return ""
    chosen: list[int] = []
    for mhz in sorted(clocks, reverse=True):
        if len(chosen) >= threads:
            break
        chosen += [core.index for core in cores if core.max_mhz == mhz]
    return "" if len(chosen) == len(cores) else f"{sum(1 << index for index in chosen):x}"
