"""Mutates a file of results, and compares and shows it: counts files that were shown, refused, or ended in a traceback.

    python benchmarks/trials/results_files.py --seconds 120 --seed 0

Every value in the file is replaced in turn by odd numbers, texts and structures, one to three at a time.
"""

import argparse
import copy
import io
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from bnext_keras.console import SafeConsole
from bnext_keras.errors import UserError

from android_demo.report import render, render_comparison
from android_demo.report.board import render_board
from android_demo.report.comparison import compare
from android_demo.report.table import print_comparison, print_table
from android_demo.results import load, save

ODD = (
    *(None, True, 0, -1, 1, 10**17, 10**400, -(10**400), 1e308, -1e308, 1e-320, 1e17, -1e17, 0.1, float("nan")),
    *(
        "",
        "x",
        "[/x]",
        "[red]",
        "\x1b]0;x\x07",
        "\u202e",
        "\ud800",
        "9" * 5000,
        "<script>",
        "a\nb",
        "ok",
        "host",
        "indirect",
    ),
    *([], {}, [[]], [1], {"a": 1}, [{}]),
)


def sample() -> dict:
    """A file with all kinds of content."""

    def measurement(name, threads, *means):
        statistics = {"count": 50, "first": 9e3, "curr": 9e3, "min": 8e3, "max": 2e4, "avg": 1e4, "std": 300.0}
        profile = {"operators": [{"type": "LceBconv2d", "name": "a:0", "avg_ms": 6.0}, {"type": "ADD", "avg_ms": 3.0}]}
        output = {"inference": statistics, "init_us": 2e4, "memory_overall_mb": 30.0, "unconsumed_flags": ["--a"]}
        entry = {"started_at": "2026-01-31T09:30:00Z", "seconds": 4.5}
        runs = [{**entry, "output": {**output, "inference_avg_us": mean}} for mean in means]
        runs.append({**entry, "profiled": True, "output": {"inference_avg_us": 1e4, "profile": profile}})
        cores = [{"index": 0, "max_mhz": 1800.0, "name": "Cortex-A55", "governor": "schedutil"}]
        return {
            "device": {"kind": "adb", "id": "0123", "model": "Phone", "soc": "S", "cores": cores, "os": "Android 14"},
            "tool": {"kind": "lce_benchmark_model", "version": "0.16.0", "sha256": "70" * 32},
            "model": {"name": name, "sha256": name * 4, "bytes": 2**20, "top1_percent": 72.4},
            "settings": {"threads": threads, "repetitions": len(means), "flags": ["--a"], "pinned_mask": "f0"},
            "state": "ok",
            "noise": "busy",
            "started_at": "2026-01-31T09:30:00Z",
            "repetitions": runs,
            "thermal": [{"moment": "before", "seconds": 0.0, "celsius": {"cpu": 31.0}}],
            "surroundings": [{"moment": "before", "screen": "off", "battery_percent": 15.0, "charging": True}],
            "energy": {
                **{"millijoules": 16.0, "idle_mw": 800.0, "busy_mw": 2400.0, "seconds": 60.0},
                **{"source": "current_now", "inference_ms": 10.0},
            },
            "who": "Ana",
        }

    entries = [measurement("tiny.tflite", 1, 9.8e3, 1e4), measurement("small.tflite", 4, 2e4, 2.1e4)]
    sustained = measurement("tiny.tflite", 2, 9.8e3, 1e4, 1.1e4)
    sustained["settings"] |= {"sustain_minutes": 0.5, "min_seconds": 10.0, "clocks": "fixed"}
    for number, run in enumerate(sustained["repetitions"]):
        run["after_seconds"] = 10.0 * number
        during = {"moment": "during", "celsius": {"cpu": 31.0 + number}, "mhz": {"cpu4": 2400.0}}
        sustained["thermal"].append({**during, "seconds": 10.0 * number + 5})
    single = measurement("small.tflite", 1, 6e4)
    single["repetitions"][0]["output"]["inference"] |= {"count": 1024, "avg": 6e4, "p90": 6.1e4}
    return {"schema_version": "1.3", "measurements": [*entries, sustained, single]}


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The paths of everything in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [] if not path else [path]
    for key, item in items:
        found += places(item, (*path, key))
    return found


def mutate(content: dict, draw: random.Random) -> dict:
    """A copy with one to three values replaced, removed or renamed."""
    content = copy.deepcopy(content)
    for _ in range(draw.randint(1, 3)):
        *parents, last = draw.choice(places(content))
        holder = content
        for key in parents:
            holder = holder[key]
        kind = draw.random()
        if kind < 0.8:
            holder[last] = draw.choice(ODD)
        elif kind < 0.9 and isinstance(holder, dict):
            holder[draw.choice(("x", "\ud800", "\x1b[2J"))] = holder.pop(last)
        else:
            del holder[last]
    return content


def show(file: Path, other: Path) -> None:
    """All that is done with files of results."""
    one, two = load(file), load(other)
    render(one)
    render_board([("one", one), ("two", two)], "Board")
    for before, after in ((one, two), (two, one), (one, one)):
        render_comparison(before, after)
        found = compare(before, after)
        print_comparison(found.ratios(), found.differences, SafeConsole(file=io.StringIO(), width=80))
    print_table(one.measurements, SafeConsole(file=io.StringIO(), width=80))
    save(one, file)


def main() -> int:
    """Runs the trial; returns 1 if there was a traceback."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw, end, counts = random.Random(arguments.seed), time.monotonic() + arguments.seconds, Counter()
    content = sample()
    with tempfile.TemporaryDirectory() as folder:
        file, other = Path(folder, "results.json"), Path(folder, "other.json")
        other.write_text(json.dumps(content))
        show(other, other)
        while time.monotonic() < end:
            mutant = mutate(content, draw)
            file.write_text(json.dumps(mutant))
            try:
                show(file, other)
                counts["shown"] += 1
            except UserError as error:
                counts["refused in a line"] += 1
                str(error).encode(errors="backslashreplace")
            except Exception:
                counts["tracebacks"] += 1
                print(f"{json.dumps(mutant)[:300]}\n{traceback.format_exc()}", file=sys.stderr)
    parts = ", ".join(f"{counts[kind]} {kind}" for kind in ("shown", "refused in a line", "tracebacks"))
    print(f"{sum(counts.values())} files: {parts}")
    return int(counts["tracebacks"] > 0)


if __name__ == "__main__":
    sys.exit(main())
