"""``lce_benchmark_model`` for this machine: the same arguments and output, out of LCE's Python package.

A program of its own, so that a model that crashes LCE does not take the session along.
"""

import argparse
import re
import statistics
import sys
import time
from collections.abc import Hashable
from pathlib import Path

import numpy as np

from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import lite_interpreter, load_wrapper

#: How often each operator is timed for a profile.
_ROUNDS = 5


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    arguments, unknown = _parser().parse_known_args(argv)
    print("STARTING!")
    if unknown:
        print(f"WARN: Unconsumed cmdline flags: {' '.join(unknown)}")
    try:
        # Not part of the time that initialization is said to take.
        load_wrapper()
    except ImportError as error:
        print(f"ERROR: {error}\nBenchmarking failed.", file=sys.stderr)
        return 1
    size = _memory_mb("VmRSS")
    content = arguments.graph.read_bytes()
    start = time.perf_counter()
    interpreter = lite_interpreter(
        content,
        threads=arguments.num_threads,
        use_reference_bconv=arguments.use_reference_bconv,
        use_indirect_bgemm=arguments.use_indirect_bgemm,
        use_xnnpack=arguments.use_xnnpack,
    )
    init = time.perf_counter() - start
    print(f"INFO: The input model file size (MB): {len(content) / 1e6:g}")
    init_size = _memory_mb("VmHWM")
    print(f"INFO: Initialized session in {init * 1000:g}ms.")
    inputs = [
        np.random.default_rng(0).uniform(0, 1, shape).astype(kind)
        for shape, kind in zip(interpreter.input_shapes, interpreter.input_types, strict=True)
    ]
    warmup = _measure(interpreter, inputs, arguments.warmup_runs, arguments.warmup_min_secs, arguments.max_secs)
    times = _measure(interpreter, inputs, arguments.num_runs, arguments.min_secs, arguments.max_secs)
    first = (warmup or times)[0]
    warmup_average = np.mean(warmup) if warmup else 0
    print(
        f"INFO: Inference timings in us: Init: {init * 1e6:.0f}, First inference: {first:g}, "
        f"Warmup (avg): {warmup_average:g}, Inference (avg): {np.mean(times):g}"
    )
    if size is not None:
        growth = f"init={max(0, init_size - size):g} overall={max(0, _memory_mb('VmHWM') - size):g}"
        print(f"INFO: Memory footprint delta from the start of the tool (MB): {growth}")
    if arguments.enable_op_profiling:
        _print_profile(content, "indirect" if arguments.use_indirect_bgemm else "default")
    return 0


def _measure(interpreter, inputs, runs, min_seconds, max_seconds):
    """Times of inferences in microseconds: so many at least, for so long at least, but no longer than that."""
    times: list[float] = []
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < max_seconds and (len(times) < runs or elapsed < min_seconds):
        before = time.perf_counter()
        interpreter.predict(inputs)
        times.append((time.perf_counter() - before) * 1e6)
    if times:
        text = f"first={times[0]:g} curr={times[-1]:g} min={min(times):g} max={max(times):g} "
        low, middle, ninety, high = np.percentile(times, (5, 50, 90, 95), method="inverted_cdf")
        percentiles = f"p5={low:g} median={middle:g} p90={ninety:g} p95={high:g}"
        print(f"INFO: count={len(times)} {text}avg={np.mean(times):g} std={np.std(times):g} {percentiles}", flush=True)
    return times


def _memory_mb(field):
    """A size of this process in MB, as Linux tells it: its largest so far (VmHWM), or the present one (VmRSS)."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else None


def _print_profile(content, kernels):
    """The run order of `lce_benchmark_model`, of operators that are cut out and timed one by one on one thread."""
    from converter.inspection.stopwatch import stopwatches

    flatbuffer = Flatbuffer(content)
    keys, measures = stopwatches(flatbuffer, kernels)
    seconds: dict[Hashable, list[float]] = {key: [] for key in measures}
    for _ in range(_ROUNDS):
        for key, measure in measures.items():
            seconds[key].append(measure())
    print("INFO: Operator-wise Profiling Info for Regular Benchmark Runs:")
    print("============================== Run Order ==============================")
    print("\t[node type]\t[avg ms]\t[Name]")
    for number, (key, operation) in enumerate(zip(keys, flatbuffer.operations, strict=True)):
        if key in seconds:
            print(f"\t{operation.type}\t{1e3 * max(0.0, statistics.median(seconds[key])):.6f}\t:{number}")


def _parser():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--graph", type=Path, required=True)
    for name, count in (("num_threads", 1), ("num_runs", 50), ("warmup_runs", 1)):
        parser.add_argument(f"--{name}", type=int, default=count)
    for name, seconds in (("min_secs", 1.0), ("max_secs", 150.0), ("warmup_min_secs", 0.5)):
        parser.add_argument(f"--{name}", type=float, default=seconds)
    for name in ("use_reference_bconv", "use_indirect_bgemm", "use_xnnpack", "enable_op_profiling"):
        parser.add_argument(f"--{name}", type=lambda text: text == "true", default=False)
    return parser


if __name__ == "__main__":
    sys.exit(main())
