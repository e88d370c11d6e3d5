"""Mutates what phones and the tool say, and reads it: counts texts that were read, refused, or ended in a traceback.

    python benchmarks/trials/phone_texts.py --seconds 120 --seed 0

Prints one line for each reader. A mutation replaces or drops parts of a text, or shuffles its lines.
"""

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable

from bnext_keras.errors import UserError

from android_demo.records import decode, encode
from android_demo.results import Surroundings
from android_demo.targets.facts import fastest_cores, parse_facts, parse_sample
from android_demo.targets.surroundings import mean_power, parse_power, parse_surroundings
from android_demo.tools.benchmark_model import ToolOutput, parse

FACTS = """machine=aarch64
system=Linux 6.1.0
long_bit=64
node=board
has_taskset=1
ro.product.manufacturer=Acme
ro.product.model=Phone 1
ro.build.version.release=14
ro.product.cpu.abilist=arm64-v8a,armeabi-v7a
/proc/meminfo=MemTotal:        3886860 kB
/sys/devices/system/cpu/cpu0=1
/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq=1800000
/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor=ondemand
/sys/devices/system/cpu/cpu1=1
/sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq=2400000
processor\t: 0
CPU implementer\t: 0x41
CPU part\t: 0xd08
processor\t: 1
model name\t: Some CPU
"""
SAMPLE = """/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq=1800000
/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq=1800000
/proc/loadavg=0.52 0.58 0.59 1/389 1234
/sys/class/thermal/thermal_zone0/type=cpu-big
/sys/class/thermal/thermal_zone0/temp=41250
Thermal Status: 0
Current temperatures from HAL:
 Temperature{mValue=35.5, mType=0, mName=cpu, mStatus=0}
Current cooling devices from HAL:
"""
SURROUNDINGS = """battery Current Battery Service state:
battery USB powered: true
battery status: 2
battery level: 85
battery scale: 100
battery temperature: 285
power mWakefulness=Awake
power Display Power: state=ON
low_power=0
/sys/class/power_supply/BAT0/type=Battery
/sys/class/power_supply/BAT0/status=Discharging
/sys/class/power_supply/BAT0/capacity=81
"""
POWER = """/proc/uptime=100.50 300.00
/sys/class/power_supply/battery/type=Battery
/sys/class/power_supply/battery/current_now=-250000
/sys/class/power_supply/battery/voltage_now=4000000
/sys/class/power_supply/battery/charge_counter=2500000
battery Charge counter: 2500000
battery voltage: 4000
"""
OUTPUT = """INFO: STARTING!
WARN: Unconsumed cmdline flags: --speed=9
INFO: Explicitly applied XNNPACK delegate, and the model graph will be partially executed by the delegate w/ 63 \
delegate kernels.
INFO: The input model file size (MB): 13.9343
INFO: Initialized session in 42.185ms.
INFO: count=13 first=45401 curr=38772 min=38499 max=45401 avg=39580.3 std=1819 p5=38499 median=38894 p95=45401
INFO: count=1 curr=38726 p5=38726 median=38726 p95=38726
INFO: Inference timings in us: Init: 42185, First inference: 45401, Warmup (avg): 39580.3, Inference (avg): 38708.7
INFO: Memory footprint delta from the start of the tool (MB): init=22.0273 overall=34.8281
INFO: Overall peak memory footprint (MB) via periodic monitoring: 41.5625
INFO: Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t[node type]\t[first]\t[avg ms]\t[%]\t[cdf%]\t[mem KB]\t[times called]\t[Name]
\tCONV_2D\t4.269\t4.100\t41.000%\t41.000%\t0.000\t1\t[model/stem/Conv2D]:0
\tLceBconv2d\t5.600\t5.500\t55.000%\t100.000%\t0.000\t1\t[model/a]:2
Number of nodes executed: 2
Timings (microseconds): count=50 first=10289 curr=9997 min=9912 max=10301 avg=10000.5 std=81
Memory (bytes): count=50 curr=128366400(all same)
"""
ODD = (
    *("", "x", "-1", "0x", "1.2.3", "1e999", "nan", "9" * 20, "9" * 5000, "\u0663", "\u00b2", "\x1b[2J", "\u202e"),
    *("\x00", "\n", "=", ":", "\ufffd", "[/x]", "0xffffffffffffffffff", "cpu9999999999", " ", "\t", "1e308"),
)


def mutate(text: str, draw: random.Random) -> str:
    """A text with one to three changes."""
    for _ in range(draw.randint(1, 3)):
        start = draw.randrange(len(text) + 1)
        end = min(len(text), start + draw.choice((0, 1, 2, 5, 20)))
        kind = draw.random()
        if kind < 0.5:
            # A whole word or number.
            while end < len(text) and text[end].isalnum():
                end += 1
            text = text[:start] + draw.choice(ODD) + text[end:]
        elif kind < 0.7:
            text = text[:start] + text[end:]
        elif kind < 0.85:
            text = text[:start] + chr(draw.choice((0, 27, 127, 233, 0x202E, 0x1F600))) + text[end:]
        else:
            lines = text.splitlines(keepends=True) or [""]
            draw.shuffle(lines)
            text = "".join(lines)
    return text


def read_facts(text: str) -> None:
    """What follows from facts."""
    for threads in (1, 4):
        fastest_cores(parse_facts(text).cores, threads)


def read_output(text: str) -> None:
    """What the tool prints must come back from a file of results."""
    output = parse(text)
    assert decode(ToolOutput, encode(output), "output") == output


def read_surroundings(text: str) -> None:
    """What a phone tells must come back from a file of results, too."""
    found = parse_surroundings(text, "before")
    assert found.warnings is not None
    assert decode(Surroundings, encode(found), "surroundings") == found


def read_power(text: str) -> None:
    """What follows from two looks at a battery."""
    first, last = parse_power(POWER), parse_power(text)
    if first and last:
        mean_power([first, last])


READERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "facts": (FACTS, read_facts),
    "samples": (SAMPLE, parse_sample),
    "surroundings": (SURROUNDINGS, read_surroundings),
    "power": (POWER, read_power),
    "tool output": (OUTPUT, read_output),
}


def main() -> int:
    """Runs the trial; returns 1 if there was a traceback."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw, end = random.Random(arguments.seed), time.monotonic() + arguments.seconds
    counts = {name: Counter() for name in READERS}
    while time.monotonic() < end:
        for name, (text, read) in READERS.items():
            mutant = mutate(text, draw)
            try:
                read(mutant)
                counts[name]["read"] += 1
            except UserError:
                counts[name]["refused in a line"] += 1
            except Exception:
                counts[name]["tracebacks"] += 1
                print(f"{name}: {mutant!r}\n{traceback.format_exc()}", file=sys.stderr)
    for name, found in counts.items():
        parts = ", ".join(f"{found[kind]} {kind}" for kind in ("read", "refused in a line", "tracebacks"))
        print(f"{name}: {sum(found.values())} texts: {parts}")
    return int(any(found["tracebacks"] for found in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
