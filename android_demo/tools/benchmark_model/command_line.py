"""The tool's arguments."""

from bnext_keras.errors import BenchmarkError


def command(
    tool: str,
    graph: str,
    *,
    num_threads: int = 1,
    num_runs: int = 50,
    warmup_runs: int = 1,
    min_secs: float | None = None,
    max_secs: float | None = None,
    warmup_min_secs: float | None = None,
    use_xnnpack: bool | None = None,
    use_reference_bconv: bool = False,
    use_indirect_bgemm: bool = False,
    profiling: bool = False,
    peak_memory: bool = False,
    extra: tuple[str, ...] = (),
) -> list[str]:
    """The tool's command line, one argument an item, unquoted.

    Args:
        tool: Path of the tool on the device.
        graph: Path of the model on the device.
        num_threads: Threads of the interpreter.
        num_runs: Inferences to measure at least.
        warmup_runs: Inferences before that at least.
        min_secs: Seconds to measure at least; None leaves the tool's default, 1.
        max_secs: Seconds after which it stops in any case; None leaves the tool's default, 150.
        warmup_min_secs: Seconds to warm up at least; None leaves the tool's default, 0.5.
        use_xnnpack: Whether XNNPACK runs the float operators; None leaves it to the tool.
        use_reference_bconv: LCE's portable, slow binary convolution.
        use_indirect_bgemm: LCE's binary convolution without im2col.
        profiling: Times every operator, which slows the run down.
        peak_memory: Watches the size of the process, which may disturb the times.
        extra: Further arguments, as they are.

    Raises:
        BenchmarkError: if a number is out of its range, or both kinds of binary convolution are asked for.
    """
    for name, value, least in (
        ("num_threads", num_threads, 1),
        ("num_runs", num_runs, 1),
        ("warmup_runs", warmup_runs, 0),
    ):
        if value < least:
            raise BenchmarkError(f"{name} is {value}, but must be at least {least}")
    if use_reference_bconv and use_indirect_bgemm:
        raise BenchmarkError(
            "use_reference_bconv and use_indirect_bgemm exclude each other; the tool would take the first"
        )
    flags = {
        "graph": graph,
        "num_threads": num_threads,
        "num_runs": num_runs,
        "warmup_runs": warmup_runs,
        "min_secs": min_secs,
        "max_secs": max_secs,
        "warmup_min_secs": warmup_min_secs,
        "use_xnnpack": use_xnnpack,
        "use_reference_bconv": use_reference_bconv or None,
        "use_indirect_bgemm": use_indirect_bgemm or None,
        "enable_op_profiling": profiling or None,
        "report_peak_memory_footprint": peak_memory or None,
    }
    return [tool, *(f"--{name}={_text(value)}" for name, value in flags.items() if value is not None), *extra]


def _text(value):
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
