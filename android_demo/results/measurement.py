"""What was measured: every start of the tool, the temperatures around it, and the latency that follows."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from enum import Enum

from android_demo.records import Record
from android_demo.results.subjects import Device, ModelFile, Settings, Tool, measurement_key
from android_demo.results.surroundings import Energy, Surroundings
from android_demo.tools.benchmark_model import Profile, Statistics, ToolOutput

#: The rule of MLPerf's single-stream scenario: see `Measurement.single_stream_ms`.
SINGLE_STREAM_QUERIES, SINGLE_STREAM_SECONDS = 1024, 60


class State(str, Enum):
    """How a measurement ended."""

    OK = "ok"
    THROTTLED = "throttled"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, kw_only=True)
class ThermalSample(Record):
    """How hot and how fast the device was at one moment.

    Attributes:
        moment: ``before``, ``between`` or ``after`` the repetitions, ``during`` one of a sustained run, or any other
            word.
        seconds: Time since the measurement's start.
        celsius: Temperature by thermal zone.
        mhz: Current frequency by core, "cpu0".
        status: Android's thermal status, 0 (none) to 6 (shutdown).
        load: Load average of the last minute.
    """

    moment: str
    seconds: float
    celsius: dict[str, float]
    mhz: dict[str, float] | None = None
    status: int | None = None
    load: float | None = None


@dataclass(frozen=True, kw_only=True)
class Repetition(Record):
    """One start of the tool.

    Attributes:
        started_at: ISO 8601, UTC.
        after_seconds: Time from the measurement's start to this one's.
        seconds: Duration from the tool's start to its end.
        output: What it printed, as data.
        exit_code: Exit code of the process; None if it was stopped.
        profiled: Whether operators were timed too. Such a repetition is slower and does not count for the latency.
        log: The last lines that it printed, if it failed.
    """

    started_at: str
    seconds: float
    output: ToolOutput
    exit_code: int | None = None
    profiled: bool = False
    log: str = ""
    after_seconds: float | None = None


@dataclass(frozen=True)
class Latency:
    """Time of an inference in milliseconds.

    Attributes:
        mean_ms: Mean of the repetitions' means, each weighted alike.
        low_ms: The fastest inference.
        high_ms: The slowest inference.
        std_ms: Standard deviation of one inference, repetitions pooled; None if unknown.
        between_ms: Standard deviation of the repetitions' means; None with a single one.
        repetitions: Mean of each repetition.
        count: Number of inferences in all repetitions.
    """

    mean_ms: float
    low_ms: float
    high_ms: float
    std_ms: float | None
    between_ms: float | None
    repetitions: tuple[float, ...]
    count: int

    @classmethod
    def of_means(cls, means_ms: Sequence[float]) -> "Latency":
        """From the repetitions' means alone."""
        return cls(
            mean_ms=statistics.fmean(means_ms),
            low_ms=min(means_ms),
            high_ms=max(means_ms),
            std_ms=None,
            between_ms=statistics.stdev(means_ms) if len(means_ms) > 1 else None,
            repetitions=tuple(means_ms),
            count=len(means_ms),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Measurement(Record):
    """One model on one device with one set of settings.

    Attributes:
        reason: Why it failed or counts as throttled, for people.
        noise: Why its times are noisy, for people; empty if they are not. Such a measurement is marked like a throttled
            one.
        started_at: ISO 8601, UTC.
        repetitions: Every start of the tool, the profiled ones included.
        thermal: Temperatures and frequencies before, between and after them.
        surroundings: Screen, charger, battery and power-save mode before and after them.
        energy: What an inference costs the whole device, if that was measured.
        who: Who measured it, by their own word.
    """

    device: Device
    tool: Tool
    model: ModelFile
    settings: Settings
    state: State
    started_at: str
    reason: str = ""
    noise: str = ""
    repetitions: tuple[Repetition, ...] = ()
    thermal: tuple[ThermalSample, ...] = ()
    surroundings: tuple[Surroundings, ...] = ()
    energy: Energy | None = None
    who: str = ""

    def __repr__(self) -> str:
        latency = f", {self.latency.mean_ms:.2f} ms" if self.latency else ""
        return (
            f"<Measurement {self.model.name!r} on {self.device.model or self.device.id!r}: {self.state.value}{latency}>"
        )

    @property
    def key(self) -> tuple:
        """Hashable identity: measurements with equal keys repeat each other."""
        return measurement_key(self.device, self.tool, self.model, self.settings)

    @property
    def latency(self) -> Latency | None:
        """Time of an inference over all complete, unprofiled repetitions; None if there is none, or if it failed."""
        if self.state in (State.FAILED, State.TIMED_OUT):
            return None
        outputs = [entry.output for entry in self.repetitions if entry.output.complete and not entry.profiled]
        return _latency(outputs) if outputs else None

    @property
    def single_stream_ms(self) -> float | None:
        """90th percentile of an inference, ms, as MLPerf's single-stream scenario has it; the worst repetition's.

        Its rule asks for at least `SINGLE_STREAM_QUERIES` inferences, each begun when the one before ends, and for at
        least `SINGLE_STREAM_SECONDS`. None if no repetition kept to it, or the tool prints no such percentile.

        Reference:
            Reddi et al., MLPerf Inference Benchmark, https://arxiv.org/abs/1911.02549; MLPerf Inference Rules 0.5,
            section Scenarios. Results by this rule are no MLPerf results, which come from its own load generator.
        """
        if self.latency is None:
            return None
        found = [entry.output.inference for entry in self.repetitions if not entry.profiled]
        kept = [one.p90 for one in found if one and one.p90 is not None and _keeps_rule(one)]
        return max(kept) / 1000 if kept else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What around it may have slowed the device down, each once."""
        return tuple(dict.fromkeys(text for entry in self.surroundings for text in entry.warnings))

    @property
    def profile(self) -> Profile | None:
        """The last profile of the measured inferences that has operators in it."""
        profiles = [entry.output.profile for entry in self.repetitions if entry.output.profile]
        return next((profile for profile in reversed(profiles) if profile.operators or profile.summary), None)

    @property
    def kernels(self) -> str:
        """What the binary convolutions ran in: the settings' choice among LCE's kernels, or the engine's own."""
        found = (entry.output.kernels for entry in self.repetitions)
        return self.settings.kernels or next(filter(None, found), "")

    @property
    def ignored_flags(self) -> tuple[str, ...]:
        """Those of the settings' flags that the tool does not know: the times were taken without them."""
        unknown = {flag for entry in self.repetitions for flag in entry.output.unconsumed_flags}
        return tuple(flag for flag in self.settings.flags if flag in unknown)

    @property
    def memory_growth_mb(self) -> float | None:
        """Largest growth of the process until the end in any repetition, MB."""
        found = (entry.output.memory_overall_mb for entry in self.repetitions)
        return max((value for value in found if value is not None), default=None)

    @property
    def memory_peak_mb(self) -> float | None:
        """Largest size of the process in any repetition, MB, if it was watched; not to be compared with a growth."""
        found = (entry.output.memory_peak_mb for entry in self.repetitions)
        return max((value for value in found if value is not None), default=None)

    @property
    def memory_mb(self) -> float | None:
        """The watched peak, or else the growth."""
        return self.memory_growth_mb if self.memory_peak_mb is None else self.memory_peak_mb


def _keeps_rule(found: Statistics) -> bool:
    seconds = found.count * (found.avg or 0.0) / 1e6
    # The mean is printed with six digits, so that their product may be a little less than the time that it took.
    return found.count >= SINGLE_STREAM_QUERIES and seconds >= 0.999 * SINGLE_STREAM_SECONDS


def timestamp() -> str:
    """Now, in UTC: ``2026-01-31T09:30:00Z``."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _latency(outputs: Sequence[ToolOutput]) -> Latency:
    means, lows, highs, counts, squares = [], [], [], [], []
    for output in outputs:
        mean, found = (output.inference_avg_us or 0.0) / 1000, output.inference
        # A version of the tool that prints no statistics leaves the mean to stand in for them.
        means.append(mean)
        lows.append(mean if found is None or found.min is None else found.min / 1000)
        highs.append(mean if found is None or found.max is None else found.max / 1000)
        counts.append(found.count if found else 1)
        if found and found.std is not None and found.count > 0:
            squares.append((found.count, (found.std / 1000) ** 2, mean))
    center, spread = statistics.fmean(means), None
    if len(squares) == len(outputs):
        # Pooled variance: that within each repetition, and that of its mean around the mean of all.
        total = sum(count * (variance + (mean - center) ** 2) for count, variance, mean in squares)
        spread = math.sqrt(total / sum(counts))
    return replace(Latency.of_means(means), low_ms=min(lows), high_ms=max(highs), std_ms=spread, count=sum(counts))
