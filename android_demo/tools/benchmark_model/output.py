"""What the tool printed, as data."""

from dataclasses import dataclass

from android_demo.records import Record


@dataclass(frozen=True, kw_only=True)
class Statistics(Record):
    """What the tool prints of a series of values, in the series' unit: microseconds or bytes.

    Where all values of a series are equal the tool prints one, which then is min, max and avg; std is 0.
    """

    count: int
    first: float | None = None
    curr: float | None = None
    min: float | None = None
    max: float | None = None
    avg: float | None = None
    std: float | None = None
    p5: float | None = None
    median: float | None = None
    p90: float | None = None
    p95: float | None = None


@dataclass(frozen=True, kw_only=True)
class Operator(Record):
    """One row of a profile's run order: one operator of the graph, times in milliseconds."""

    type: str
    name: str = ""
    start_ms: float | None = None
    first_ms: float | None = None
    avg_ms: float | None = None
    percent: float | None = None
    cdf_percent: float | None = None
    memory_kb: float | None = None
    times_called: int | None = None


@dataclass(frozen=True, kw_only=True)
class NodeType(Record):
    """One row of a profile's summary: all operators of one type together, times in milliseconds."""

    type: str
    count: int | None = None
    avg_ms: float | None = None
    percent: float | None = None
    cdf_percent: float | None = None
    memory_kb: float | None = None
    times_called: int | None = None


@dataclass(frozen=True, kw_only=True)
class Profile(Record):
    """Where the time goes, operator by operator.

    Attributes:
        operators: The graph's operators in the order in which they ran.
        summary: Their times summed by type, largest first.
        nodes_executed: Number of operators that ran.
        timings_us: Statistics over the inferences: time of all operators together.
        memory_bytes: Statistics over the inferences: memory of all operators together.
    """

    operators: tuple[Operator, ...] = ()
    summary: tuple[NodeType, ...] = ()
    nodes_executed: int | None = None
    timings_us: Statistics | None = None
    memory_bytes: Statistics | None = None


@dataclass(frozen=True, kw_only=True)
class Delegate(Record):
    """A delegate that took over the graph or parts of it.

    Attributes:
        name: XNNPACK, NNAPI, ...
        complete: Whether it runs the whole graph.
        kernels: Number of parts that it runs, if it does not run the whole graph.
    """

    name: str
    complete: bool
    kernels: int | None = None


@dataclass(frozen=True, kw_only=True)
class ToolOutput(Record):
    """All that the tool printed between one start and its end. What it did not print is None or empty.

    Attributes:
        started: Whether it greeted with ``STARTING!``.
        failed: Whether it ended with ``Benchmarking failed.``
        init_us: Time to load the model and to make it ready, microseconds.
        first_inference_us: Time of the very first inference.
        warmup_avg_us: Mean time of the inferences before the measured ones.
        inference_avg_us: Mean time of the measured inferences.
        warmup: Statistics of the inferences before the measured ones.
        inference: Statistics of the measured inferences.
        model_size_mb: Size of the file, 10^6 or 2^20 bytes as the tool's version has it.
        memory_init_mb: Growth of the process until the model was ready.
        memory_overall_mb: Growth of the process until the end.
        memory_peak_mb: Largest size of the process, if that was asked for.
        kernels: Instruction set of the kernels that the engine chose: ``neon``, ``avx2``, ...
        delegates: What was delegated.
        unconsumed_flags: Arguments that this version of the tool does not know.
        warnings: All ``WARN:`` lines.
        errors: All ``ERROR:`` and ``FATAL:`` lines.
        init_profile: Profile of the initialization, with profiling only.
        profile: Profile of the measured inferences, with profiling only.
    """

    started: bool = False
    failed: bool = False
    init_us: float | None = None
    first_inference_us: float | None = None
    warmup_avg_us: float | None = None
    inference_avg_us: float | None = None
    warmup: Statistics | None = None
    inference: Statistics | None = None
    model_size_mb: float | None = None
    memory_init_mb: float | None = None
    memory_overall_mb: float | None = None
    memory_peak_mb: float | None = None
    kernels: str = ""
    delegates: tuple[Delegate, ...] = ()
    unconsumed_flags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    init_profile: Profile | None = None
    profile: Profile | None = None

    @property
    def complete(self) -> bool:
        """Whether the benchmark came to its end and measured something."""
        return self.inference_avg_us is not None and not self.failed
