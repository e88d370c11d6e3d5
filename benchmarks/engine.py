"""The engine beside Larq Compute Engine (LCE) on this machine: times, memory, and the float twin.

    python benchmarks/engine.py                                    all networks, one and two threads: half an hour
    python benchmarks/engine.py BNextTiny digits --threads 1       some of them
    python benchmarks/engine.py BNextTiny --kernels reference      with other kernels than this CPU's best
    python benchmarks/engine.py BNextTiny --in-a-row 20            20 runs of one before those of the other

Times are medians of runs that take turns in one process: LCE with both of its kernels, of which the faster one counts,
and the engine. "Times faster" is LCE's time divided by the engine's, the median of neighbouring turns; its quartiles
say how far to trust it, and beside it stands the ratio of the least times of both, which is that of a machine without
neighbours, if they left it alone for a moment. A turn is one run, so each finds the other's data in the caches, as in
an app that does other things meanwhile. With --in-a-row it is so many runs, of which the median counts, as where images
follow each other.

On one thread the times are processor time, of which other programs take nothing; on several they are a clock's, and
mean something on a quiet machine only. What further threads gain is measured on the engine's program alone: threads of
LCE's go on spinning for a while behind each run, and its weights drive others out of the caches. Virtual processors
share a core at times, so a turn counts only if as many programs of one thread, started together, take less than 1.3
times as long as one alone.

*First answer* is the processor time of the engine's program from its start to its end behind one inference, the median
of ten. *Memory* is what the process grew by from its start to its end, as the engine's program and LCE's print it.

The twin of a network has the same layers with float kernels and activations, and runs in TensorFlow Lite with XNNPACK.

Networks have random weights, on which their times do not depend. Converted files are kept in --files.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bnext_keras
from bnext_keras import models, zoo
from bnext_keras.twin import float_twin

import numpy as np
import tensorflow as tf

from android_demo.runner import Interpreter, build
from android_demo.tools.benchmark_model import parse
from android_demo.tools.engine import write_plan
from converter import convert
from converter.inspection.times import processor_name
from converter.tflite.interpreter import KERNELS
from converter.tflite.interpreter import Interpreter as LceInterpreter

NETWORKS: dict[str, Callable[[], tf.keras.Model]] = {
    "BNextTiny": lambda: models.BNextTiny(),
    "BNextSmall": lambda: models.BNextSmall(),
    "BNextMiddle": lambda: models.BNextMiddle(),
    "BNextLarge": lambda: models.BNextLarge(),
    "MeliusNet22": lambda: models.MeliusNet22(),
    "QuickNetLarge": lambda: zoo.QuickNetLarge(),
    "BNextTiny-32": lambda: models.BNextTiny(input_shape=(32, 32, 3), num_classes=10),
    "digits": lambda: models.BNext([32, 64, 128, 256], stem_stride=2, input_shape=(32, 32, 1), num_classes=10),
}
#: Networks that are compared with their float twins, too.
TWINS = ("BNextTiny",)
#: Starts of the program, of which the median counts.
STARTS = 10
#: Times as long as alone, from which on programs that run side by side are taken to share a core.
MOST_SHARED = 1.3


def converted(name: str, folder: Path) -> Path:
    """A network's ``.tflite`` file, made if it is not there."""
    file = folder / f"{name}.tflite"
    if not file.exists():
        print(f"converting {name} ...", file=sys.stderr, flush=True)
        convert(NETWORKS[name](), file)
    return file


def twin(name: str, folder: Path) -> Path:
    """The file of the network with float kernels and activations."""
    file = folder / f"{name}-float.tflite"
    if not file.exists():
        print(f"converting the float twin of {name} ...", file=sys.stderr, flush=True)
        model = float_twin(NETWORKS[name]())
        image = tf.keras.Input(model.input_shape[1:], batch_size=1)
        converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(image, model(image, training=False)))
        file.write_bytes(converter.convert())
    return file


def take_turns(
    runs: dict[str, Callable[[], object]],
    seconds: float,
    least: int = 5,
    clock: Callable[[], float] = time.process_time,
    in_a_row: int = 1,
) -> dict[str, list[float]]:
    """Milliseconds of functions that take turns, again and again: medians of so many calls in a row."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(next(iter(times.values()))) < least:
        for name, run in runs.items():
            turn = []
            for _ in range(in_a_row):
                before = clock()
                run()
                turn.append(1e3 * (clock() - before))
            times[name].append(statistics.median(turn))
    return times


def image_for(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def compare(content: bytes, threads: int, seconds: float, kernels: str | None, in_a_row: int) -> dict[str, list[float]]:
    """Times of LCE's faster kernels and of the engine."""
    lce = {name: LceInterpreter(content, threads=threads, kernels=name) for name in KERNELS}
    image = image_for(lce["default"].input_shapes[0])
    runs = {name: lambda lite=lite: lite.run([image]) for name, lite in lce.items()}
    trial = take_turns(runs, 0, least=2)
    best = min(trial, key=lambda name: statistics.median(trial[name]))
    engine = Interpreter(content, num_threads=threads, kernels=kernels)
    clock = time.process_time if threads == 1 else time.perf_counter
    runs = {"LCE": runs[best], "engine": lambda: engine.run([image])}
    return take_turns(runs, seconds, clock=clock, in_a_row=in_a_row)


def gain(plan: Path, threads: int, seconds: float, kernels: str | None) -> dict[str, list[float]]:
    """Mean times of runs of the engine's program on one thread and on several, which take turns."""
    chosen = [f"--kernels={kernels}"] if kernels else []
    runs = ["--num_runs=20", "--warmup_runs=5", "--min_secs=0", "--warmup_min_secs=0"]
    command = [build.program(), f"--graph={plan}", *runs, *chosen]

    def run(number: int, together: int = 1) -> float:
        flags = [*command, f"--num_threads={number}"]
        programs = [subprocess.Popen(flags, stdout=subprocess.PIPE, text=True) for _ in range(together)]
        printed = [program.communicate()[0] for program in programs]
        for program in programs:
            if program.returncode:
                raise subprocess.CalledProcessError(program.returncode, program.args)
        return statistics.mean(parse(text).inference.avg / 1e3 for text in printed)

    times: dict[str, list[float]] = {"1": [], str(threads): []}
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        alone, several, side_by_side = run(1), run(threads), run(1, together=threads)
        if side_by_side < MOST_SHARED * alone:
            times["1"].append(alone)
            times[str(threads)].append(several)
    return times


def ratio(times: dict[str, list[float]], of: str, to: str) -> str:
    """The median ratio of neighbouring runs, with its quartiles."""
    if len(times[of]) < 3:
        return "too few turns"
    low, middle, high = statistics.quantiles([a / b for a, b in zip(times[of], times[to], strict=True)], n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def children_seconds() -> float:
    """Processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def first_answer(plan: Path) -> float:
    """Milliseconds of processor time from the start of the program to its end behind one inference."""
    command = [build.program(), f"--graph={plan}", "--num_runs=1", "--warmup_runs=0", "--min_secs=0"]
    times = []
    for _ in range(STARTS):
        before = children_seconds()
        subprocess.run(command, check=True, capture_output=True)
        times.append(1e3 * (children_seconds() - before))
    return statistics.median(times)


def growth_mb(command: list) -> float:
    """What a process grew by, as its program prints it."""
    flags = ["--num_runs=3", "--warmup_runs=0", "--min_secs=0", "--use_indirect_bgemm=true"]
    done = subprocess.run([*command, *flags], check=True, capture_output=True, text=True)
    return parse(done.stdout).memory_overall_mb or 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"some of {', '.join(NETWORKS)}")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=60, help="for each network and number of threads (default 60)")
    parser.add_argument("--kernels", help="the engine's kernels (default: this CPU's best)")
    parser.add_argument("--in-a-row", type=int, default=1, help="runs in a turn (default 1)")
    parser.add_argument("--no-twin", action="store_true", help="leave out the float twin")
    text = "folder for converted files (default %(default)s)"
    parser.add_argument("--files", type=Path, default=Path(tempfile.gettempdir(), "bnext-engine-files"), help=text)
    arguments = parser.parse_args()
    if strangers := set(arguments.networks) - set(NETWORKS):
        parser.error(f"{', '.join(sorted(strangers))}: none of {', '.join(NETWORKS)}")
    names = arguments.networks or list(NETWORKS)
    arguments.files.mkdir(parents=True, exist_ok=True)
    files = {name: converted(name, arguments.files) for name in names}
    twins = {name: twin(name, arguments.files) for name in names if name in TWINS and not arguments.no_twin}

    plans = {name: write_plan(file, arguments.files) for name, file in files.items()}

    kernels = Interpreter(files[names[0]], kernels=arguments.kernels).kernels
    print(f"{processor_name()}, bnext-keras {bnext_keras.__version__}, {kernels} kernels\n")
    print("| network | threads | LCE, ms | engine, ms | times faster (quartiles) | by the least times | threads gain |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, file in files.items():
        content = file.read_bytes()
        for threads in arguments.threads:
            times = compare(content, threads, arguments.seconds, arguments.kernels, arguments.in_a_row)
            lce, engine = (statistics.median(times[key]) for key in ("LCE", "engine"))
            gained = ""
            if threads > 1:
                alone = gain(plans[name], threads, arguments.seconds, arguments.kernels)
                gained = ratio(alone, "1", str(threads))
            faster = f"{ratio(times, 'LCE', 'engine')} | {min(times['LCE']) / min(times['engine']):.2f}"
            print(f"| {name} | {threads} | {lce:.2f} | {engine:.2f} | {faster} | {gained} |", flush=True)

    print("\n| network | file, MB | plan, MB | first answer, ms | engine's memory, MB | LCE's memory, MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    interpreter = [sys.executable, "-m", "android_demo.tools.host_interpreter"]
    for name, file in files.items():
        plan = plans[name]
        sizes = f"{file.stat().st_size / 1e6:.2f} | {plan.stat().st_size / 1e6:.2f}"
        ours, theirs = growth_mb([build.program(), f"--graph={plan}"]), growth_mb([*interpreter, f"--graph={file}"])
        print(f"| {name} | {sizes} | {first_answer(plan):.1f} | {ours:.1f} | {theirs:.1f} |", flush=True)

    for name, file in twins.items():
        print(f"\n| {name}, one thread | ms |\n| --- | ---: |")
        lite = tf.lite.Interpreter(model_content=file.read_bytes(), num_threads=1)
        lite.allocate_tensors()
        lite.set_tensor(lite.get_input_details()[0]["index"], image_for(tuple(lite.get_input_details()[0]["shape"])))
        engine = Interpreter(files[name], kernels=arguments.kernels)
        image = image_for(engine.input_shapes[0])
        times = take_turns(
            {"twin": lite.invoke, "engine": lambda engine=engine, image=image: engine.run([image])},
            arguments.seconds,
            in_a_row=arguments.in_a_row,
        )
        print(f"| float twin, TFLite with XNNPACK | {statistics.median(times['twin']):.2f} |")
        print(f"| binary, the engine | {statistics.median(times['engine']):.2f} |")
        print(f"| times faster (quartiles) | {ratio(times, 'twin', 'engine')} |")


if __name__ == "__main__":
    main()
