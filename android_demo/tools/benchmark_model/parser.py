"""The grammar of the tool's output, of TensorFlow Lite 1.x to LiteRT.

Every line stands for itself but the tables', whose columns are those of the header row above them. What is not
understood is passed over, so that an output cut off anywhere gives what had arrived until then.
"""

import re
from typing import Any

from android_demo.records import MOST
from android_demo.tools.benchmark_model.output import Delegate, NodeType, Operator, Profile, Statistics, ToolOutput

# What goes to standard error comes line by line, while standard output is flushed in blocks that end anywhere: where
# both share one stream, the former is found in the middle of lines of the latter.
_ASIDE = re.compile(
    r"(?:(?P<level>ERROR|FATAL|WARNING|VERBOSE): |INFO: (?:Created|Initialized) TensorFlow Lite )"
    r"(?P<message>[^\r\n]*)\r*\n?"
)
_PREFIX = re.compile(r"^(?P<level>[A-Z]+): (?:\[[^\]]*:\d+\] )?")
_FAILURE = "Benchmarking failed"

_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_PAIR = re.compile(rf"(\w+)=({_NUMBER})")
_TIMING = re.compile(rf"([A-Z][^:,]*): ({_NUMBER})")
_SESSION = re.compile(rf"Initialized session in ({_NUMBER})ms")
_MODEL_SIZE = re.compile(rf"The input model file size \(MB\): ({_NUMBER})")
_FOOTPRINT = re.compile(r"(?:Memory footprint delta .*|Peak memory footprint) \(MB\): (.*)")
_PEAK = re.compile(rf"Overall peak memory footprint \(MB\) .*: ({_NUMBER})")
_APPLIED = re.compile(
    r"Explicitly applied (.+) delegate, and the model graph will be "
    r"(?:(completely) executed|partially executed by the delegate w/ (\d+) delegate kernels)"
)
_NOT_APPLIED = re.compile(r"Though (.+) delegate is explicitly applied, the model graph will not be executed")
_KERNELS = re.compile(r"Kernels: (\w+)$")
_UNCONSUMED = "Unconsumed cmdline flags:"
_TITLE = re.compile(r"=+ (.+?) =+$")

_TIMINGS = {  # newer and older builds
    "Init": "init_us",
    "First inference": "first_inference_us",
    "Warmup (avg)": "warmup_avg_us",
    "Inference (avg)": "inference_avg_us",
    "Warmup": "warmup_avg_us",
    "Inference": "inference_avg_us",
}
_COLUMNS = {
    "nodetype": "type",
    "name": "name",
    "start": "start_ms",
    "first": "first_ms",
    "avgms": "avg_ms",
    "%": "percent",
    "avg%": "percent",
    "cdf%": "cdf_percent",
    "memkb": "memory_kb",
    "timescalled": "times_called",
    "count": "count",
}
_TABLES = {"Run Order": ("operators", Operator), "Summary by node type": ("summary", NodeType)}


def parse(stdout: str, stderr: str = "") -> ToolOutput:
    """Reads what the tool printed, of any version, whole or cut off anywhere; unknown lines are passed over.

    A last line of ``stdout`` without a line end counts as cut off: ``avg=15`` may be the beginning of ``avg=1520.5``.

    Args:
        stdout: Standard output as it came, or both streams in one.
        stderr: Standard error, if it was kept apart.
    """
    whole, _, _ = stdout.rpartition("\n")
    text = f"{whole}\n{stderr}"
    reader = _Reader()
    for aside in _ASIDE.finditer(text):
        reader.read_aside(aside["level"], aside["message"])
    for line in _ASIDE.sub("", text).splitlines():
        reader.read(line)
    return reader.output()


class _Reader:
    """Collects the fields of a ToolOutput, line by line."""

    def __init__(self):
        self.fields: dict[str, Any] = {"delegates": [], "unconsumed_flags": [], "warnings": [], "errors": []}
        self.statistics: list[Statistics] = []
        self.profiles: dict[str, dict[str, Any]] = {}
        self.profile = "profile"
        self.table = self.columns = None

    def read_aside(self, level, message):
        if level in ("ERROR", "FATAL"):
            self.fields["errors"].append(message)
        elif level == "WARNING":
            self.fields["warnings"].append(message)
        if _FAILURE in message:
            self.fields["failed"] = True

    def read(self, line):
        prefix = _PREFIX.match(line)
        message = line[prefix.end() :] if prefix else line
        if prefix and prefix["level"] == "WARN":
            self.fields["warnings"].append(message)
        if not (self._read_timing(message) or self._read_note(message) or self._read_heading(message)):
            self._read_row(line)

    def _read_timing(self, message):
        if message.startswith("count="):
            self.statistics.append(_statistics(message))
        elif match := _SESSION.match(message):
            self.fields.setdefault("init_us", _number(match[1], lambda value: 1000 * value))
        elif "nference timings in us:" in message:
            _, _, timings = message.partition("in us:")
            for name, value in _TIMING.findall(timings):
                if name in _TIMINGS:
                    self.fields[_TIMINGS[name]] = _number(value)
        else:
            return False
        return True

    def _read_note(self, message):
        if message == "STARTING!":
            self.fields["started"] = True
        elif message.startswith(_FAILURE):
            self.fields["failed"] = True
        elif message.startswith(_UNCONSUMED):
            self.fields["unconsumed_flags"] += message.removeprefix(_UNCONSUMED).split()
        elif match := _APPLIED.match(message):
            kernels = None if match[3] is None else _number(match[3], int)
            self.fields["delegates"].append(Delegate(name=match[1], complete=bool(match[2]), kernels=kernels))
        elif match := _NOT_APPLIED.match(message):
            self.fields["delegates"].append(Delegate(name=match[1], complete=False, kernels=0))
        elif match := _MODEL_SIZE.match(message):
            self.fields["model_size_mb"] = _number(match[1])
        elif match := _FOOTPRINT.match(message):
            for name, value in _pairs(match[1]).items():
                if name in ("init", "overall"):
                    self.fields[f"memory_{name}_mb"] = value
        elif match := _KERNELS.match(message):
            self.fields["kernels"] = match[1]
        elif match := _PEAK.match(message):
            self.fields["memory_peak_mb"] = _number(match[1])
        else:
            return False
        return True

    def _read_heading(self, message):
        if message.startswith("Profiling Info for Benchmark Initialization"):
            self.profile, self.table = "init_profile", None
        elif message.startswith("Operator-wise Profiling Info for Regular"):
            self.profile, self.table = "profile", None
        elif match := _TITLE.match(message.strip()):
            # A second table of the same title belongs to another subgraph, or to the inside of a delegate.
            known = _TABLES.get(match[1])
            self.table = known if known and known[0] not in self._profile() else None
            self.columns = None
            if self.table:
                self._profile()[self.table[0]] = []
        elif message.startswith("Number of nodes executed:"):
            self._set("nodes_executed", _number(message.partition(":")[2], int))
        elif message.startswith("Timings (microseconds):"):
            self._set("timings_us", _statistics(message))
        elif message.startswith("Memory (bytes):"):
            self._set("memory_bytes", _statistics(message))
        else:
            return False
        return True

    def _read_row(self, line):
        if self.table is None:
            return
        cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else re.split(r" {2,}", line))]
        if "[node type]" in line.lower():
            self.columns = [_COLUMNS.get(re.sub(r"[\[\] ]", "", cell).lower()) for cell in cells]
        elif self.columns and len(cells) >= len(self.columns):
            name, kind = self.table
            row = _row(kind, dict(zip(self.columns, cells, strict=False)))
            if row is not None:
                self._profile()[name].append(row)

    def _profile(self):
        return self.profiles.setdefault(self.profile, {})

    def _set(self, name, value):
        self._profile().setdefault(name, value)

    def output(self):
        """Everything that was read."""
        # The first series is the warm-up's; an output that was cut off has one or none.
        warmup, inference = (*self.statistics[:2], None, None)[:2]
        profiles: dict[str, Any] = {name: Profile(**_frozen(found)) for name, found in self.profiles.items()}
        return ToolOutput(warmup=warmup, inference=inference, **profiles, **_frozen(self.fields))


def _frozen(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}


def _number(text, kind=float):
    """The number in a cell, None if there is none."""
    match = re.fullmatch(rf"({_NUMBER})%?", text.strip())
    # Larger ones are cut off or mixed up, and could not be stored.
    return kind(float(match[1])) if match and abs(float(match[1])) < MOST else None


def _pairs(message):
    pairs = ((name, _number(value)) for name, value in _PAIR.findall(message))
    return {name: value for name, value in pairs if value is not None}


def _statistics(message):
    """``count=N first=... std=...``, or ``count=N curr=X`` of equal values, or ``count=0``; percentiles may follow."""
    values = _pairs(message)
    known = ("first", "curr", "min", "max", "avg", "std", "p5", "median", "p90", "p95")
    given = {name: values[name] for name in known if name in values}
    if "curr" in given and "first" not in given:
        given.update(dict.fromkeys(("first", "min", "max", "avg"), given["curr"]), std=0.0)
    return Statistics(count=int(values.get("count", 0)), **given)


def _row(kind, cells):
    """A row of a table, None of a line that is none."""
    texts = {"type", "name"}
    counts = {"count", "times_called"}
    values = {
        column: cell if column in texts else _number(cell, int if column in counts else float)
        for column, cell in cells.items()
        if column in kind.__dataclass_fields__
    }
    return kind(**values) if values.get("type") and values.get("avg_ms") is not None else None
