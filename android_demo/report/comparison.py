"""Two files of results against each other: ratios with their uncertainty, and no verdict where there is none.

The tool's repetitions are what varies honestly: inferences of one start share its memory layout, its cores and its
temperature. So the ratio of two latencies gets a 95% confidence interval from the repetitions' means (Welch's, of the
logarithm's first order); with one repetition on either side there is none, and no verdict.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from bnext_keras.errors import BenchmarkError

from android_demo.results import Latency, Measurement, Results

# 97.5% quantiles of Student's t distribution for 1, 2, ... degrees of freedom.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
_T_MORE = ((20, 2.086), (25, 2.060), (30, 2.042), (60, 2.000), (math.inf, 1.980))


#: Means below, a picosecond, are no times: the tool rounds that of a tiny model to 0 microseconds.
LEAST_MS = 1e-9
#: Margin of a ratio's logarithm beyond which the interval says nothing any more.
_MOST_MARGIN = 300.0


class Verdict(str, Enum):
    """What can be said of a ratio."""

    FASTER = "faster"
    SLOWER = "slower"
    NOISE = "within noise"
    UNKNOWN = "too few repetitions"


@dataclass(frozen=True)
class Ratio:
    """A latency divided by another, with its 95% confidence interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether the interval lies on one side of 1."""
        if self.low is None or self.high is None:
            return Verdict.UNKNOWN
        if self.high < 1:
            return Verdict.FASTER
        return Verdict.SLOWER if self.low > 1 else Verdict.NOISE


@dataclass(frozen=True)
class Comparison:
    """What two files have in common, and what not.

    Attributes:
        pairs: Measurements of both files that belong together.
        only_before: Measurements of the first file alone.
        only_after: Measurements of the second file alone.
        differences: In words, what distinguishes the files as a whole: ``device: Pixel 6, Pixel 8``.
    """

    pairs: tuple[tuple[Measurement, Measurement], ...]
    only_before: tuple[Measurement, ...]
    only_after: tuple[Measurement, ...]
    differences: tuple[str, ...]

    def ratios(self) -> list[tuple[Measurement, Measurement, Ratio]]:
        """The pairs that both have a latency above 0, with the second one's divided by the first one's."""
        found = []
        for old, new in self.pairs:
            before, after = old.latency, new.latency
            if before and after and min(before.mean_ms, after.mean_ms) >= LEAST_MS:
                found.append((old, new, latency_ratio(before, after)))
        return found


def latency_ratio(before: Latency, after: Latency) -> Ratio:
    """``after / before``: below 1 is faster. Both means must be at least `LEAST_MS`.

    Example:
        >>> def measured(*means):
        ...     return Latency.of_means(means)
        >>> ratio = latency_ratio(measured(10.0, 10.2, 9.8), measured(5.0, 5.1, 4.9))
        >>> f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}): {ratio.verdict.value}"
        '0.50 (0.48 to 0.52): faster'
    """
    value = after.mean_ms / before.mean_ms
    parts = []
    for one in (before, after):
        if one.between_ms is None:
            return Ratio(value)
        count = len(one.repetitions)
        parts.append(((one.between_ms / one.mean_ms) ** 2 / count, count - 1))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return Ratio(value, value, value)
    freedom = variance**2 / sum(part**2 / count for part, count in parts)
    margin = min(_quantile(freedom) * math.sqrt(variance), _MOST_MARGIN)
    return Ratio(value, value * math.exp(-margin), value * math.exp(margin))


def compare(before: Results, after: Results) -> Comparison:
    """Finds what belongs together: same device, model, settings and tool, as far as both files share them.

    Where the files have nothing in common in one of these, but each has a single one, that is what is being compared:
    two devices, two versions of a model, two tools.
    """
    aspects = {
        "device": lambda entry: entry.device.model or entry.device.id,
        "model": lambda entry: entry.model.name,
        "runner": lambda entry: "engine" if entry.tool.is_engine else "LCE",
        "threads": lambda entry: str(entry.settings.threads),
        "kernels": lambda entry: entry.settings.kernels or "default",
        "flags": lambda entry: " ".join(entry.settings.flags),
        "cores": lambda entry: entry.settings.pinned_mask,
    }
    used, differences = [], []
    for name, aspect in aspects.items():
        ours, theirs = ({aspect(entry) for entry in one.measurements} for one in (before, after))
        if ours and theirs and not ours & theirs and len(ours) == len(theirs) == 1:
            differences.append(f"{name}: {ours.pop() or 'none'}, {theirs.pop() or 'none'}")
        else:
            used.append(aspect)

    def key(entry):
        return tuple(aspect(entry) for aspect in used)

    partners = {key(entry): entry for entry in after.measurements}
    pairs = tuple((entry, partners[key(entry)]) for entry in before.measurements if key(entry) in partners)
    differences += _inner_differences(pairs)
    known = {key(entry) for entry in before.measurements}
    return Comparison(
        pairs=pairs,
        only_before=tuple(entry for entry in before.measurements if key(entry) not in partners),
        only_after=tuple(entry for entry in after.measurements if key(entry) not in known),
        differences=tuple(differences),
    )


def by_runner(measurements: Sequence[Measurement]) -> list[tuple[Measurement, Measurement, Ratio]]:
    """What the engine and another tool both ran: the other's fastest measurement, the engine's, and their ratio.

    Pairs have the same device, model, threads and cores.
    """
    timed = [entry for entry in measurements if entry.latency and entry.latency.mean_ms >= LEAST_MS]
    fastest: dict[tuple, Measurement] = {}
    for entry in sorted(timed, key=lambda entry: -entry.latency.mean_ms):  # type: ignore[union-attr]
        settings = entry.settings
        key = entry.device.id, entry.model.sha256, settings.threads, settings.pinned_mask, entry.tool.is_engine
        fastest[key] = entry
    pairs = [
        (fastest[key], fastest[(*key[:-1], True)]) for key in fastest if (*key[:-1], True) in fastest and not key[-1]
    ]
    pairs.sort(key=lambda pair: measurements.index(pair[1]))
    return [(old, new, latency_ratio(old.latency, new.latency)) for old, new in pairs if old.latency and new.latency]


def only_model(results: Results, name: str, where: str) -> Results:
    """The measurements of one model, so that `compare` finds it to be what differs.

    Args:
        results: Those of several models.
        name: The model's file, with or without ``.tflite``.
        where: The file of results, for the message.

    Raises:
        BenchmarkError: if there is no such model.
    """
    name = name.removesuffix(".tflite")
    found = tuple(entry for entry in results.measurements if entry.model.name.removesuffix(".tflite") == name)
    if not found:
        known = sorted({entry.model.name for entry in results.measurements})
        raise BenchmarkError(f"no model {name}", where=where, remedy=f"there are {', '.join(known) or 'none'}")
    return replace(results, measurements=found)


def _inner_differences(pairs: Sequence[tuple[Measurement, Measurement]]) -> list[str]:
    found = []
    changed = sorted(
        {
            old.model.name
            for old, new in pairs
            if old.model.name == new.model.name and old.model.sha256 != new.model.sha256
        }
    )
    if changed:
        found.append(f"the content of {', '.join(changed)}")
    if any((old.tool.version, old.tool.sha256) != (new.tool.version, new.tool.sha256) for old, new in pairs):
        found.append("the tool")
    counts = [[(one.settings.runs, one.settings.warmup_runs) for one in pair] for pair in pairs]
    if any(old != new for old, new in counts):
        found.append("the number of runs")
    return found


def _quantile(freedom: float) -> float:
    whole = max(1, math.floor(freedom + 1e-9))
    if whole <= len(_T):
        return _T[whole - 1]
    # The next smaller entry of the table: rather too wide an interval than too narrow.
    return next(
        (value for (_, value), (end, _) in zip(((15, _T[-1]), *_T_MORE), _T_MORE, strict=False) if whole < end),
        _T_MORE[-1][1],
    )
