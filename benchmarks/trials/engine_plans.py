"""Runs damaged and hostile plans under the address and undefined-behaviour sanitizers, and counts what became of them.

    python benchmarks/trials/engine_plans.py --seconds 300 --seed 0
    python benchmarks/trials/engine_plans.py --kernels avx2

Plans of random small graphs (``tests/support/random_graphs.py``) get one to three numbers changed in their header,
tensors, steps or arguments, and a checksum that fits. The core and some kernels, by default the plainest ones, run them
in memory of exactly the size that the core asks for. Prints how often each status came, a line for each plan that ended
the program, which is kept in the folder ``--keep``, and ends with 1 if there was one.
"""

import argparse
import collections
import random
import sys
import tempfile
import time
import warnings
from pathlib import Path

import bnext_keras  # noqa: F401

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import HypothesisWarning

from android_demo.runner import compile_plan

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
from engines import KERNELS_OF
from mutated_plans import build_program, mutant, run_all
from random_graphs import graphs

BATCH = 400


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    choices = ["reference", *KERNELS_OF["x86_64"], *KERNELS_OF["aarch64"]]
    parser.add_argument("--kernels", default="reference", choices=choices)
    parser.add_argument("--keep", type=Path, default=Path("hostile_plans"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", HypothesisWarning)
    draws, counts = random.Random(arguments.seed), collections.Counter()
    ended = 0
    with tempfile.TemporaryDirectory() as folder:
        program = build_program(folder, arguments.kernels)
        if program is None:
            parser.exit(2, "there is no compiler or emulator here\n")
        end = time.monotonic() + arguments.seconds
        while time.monotonic() < end:
            plans = []

            @seed(draws.getrandbits(64))
            @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(graph=graphs(steps=10))
            def collect(graph):
                plans.append(compile_plan(graph.content))  # noqa: B023  called at once

            collect()
            mutants = [mutant(draws.choice(plans), draws) for _ in range(BATCH)]
            found = run_all(program, mutants, folder, kernels=arguments.kernels)
            for plan, status in zip(mutants, found, strict=True):
                known = status == "ran" or status.isdigit()
                counts[f"status {status}" if status.isdigit() else status if known else "ended the program"] += 1
                if not known:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / f"{ended}.plan").write_bytes(plan)
                    print(f"{arguments.keep / f'{ended}.plan'}: {status}", flush=True)
                    ended += 1
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    sys.exit(ended > 0)


if __name__ == "__main__":
    main()
