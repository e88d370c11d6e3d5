"""Runs random small graphs with the engine and with LCE's reference kernels, and counts those that differ.

    python benchmarks/trials/engine_graphs.py --seconds 300 --seed 0

Graphs are those of the tests (``tests/support/random_graphs.py``). Each runs with every kernel of this CPU and on one
to three threads: what is exact must agree with LCE to the last bit, all else up to rounding, and any number of threads
must give the same bits. Prints a line for each graph that does not, and the counts; ends with 1 if there was one.
"""

import argparse
import collections
import random
import sys
import time
import warnings
from pathlib import Path

import bnext_keras  # noqa: F401

import numpy as np
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import HypothesisWarning

from android_demo.runner import compile_plan
from converter.tflite.interpreter import lite_interpreter

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
from engines import KERNELS, opened
from random_graphs import graphs


def faults(graph):
    """What is wrong with the engine's answers, a line each."""
    expected = lite_interpreter(graph.content, use_reference_bconv=True).predict([graph.image])
    expected = expected if isinstance(expected, list) else [expected]
    plan = compile_plan(graph.content)
    for kernels in KERNELS:
        answers = opened(plan, kernels=kernels).run([graph.image])
        for number, (answer, right, exact) in enumerate(zip(answers, expected, graph.exact, strict=True)):
            right = right.reshape(answer.shape)
            tolerance = 0 if exact else 1e-5 * max(1e-30, np.abs(right).max())
            if not np.allclose(answer, right, rtol=0, atol=tolerance):
                yield f"{kernels}: output {number} is off by {np.abs(answer - right).max():.3g}"
        for threads in (2, 3):
            again = opened(plan, kernels=kernels, num_threads=threads).run([graph.image])
            if not all(map(np.array_equal, answers, again)):
                yield f"{kernels}: {threads} threads answer otherwise than one"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", HypothesisWarning)
    counts, end = collections.Counter(), time.monotonic() + arguments.seconds
    draws = random.Random(arguments.seed)
    while time.monotonic() < end:

        @seed(draws.getrandbits(64))
        @settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(graph=graphs(steps=12))
        def some(graph):
            found = [*faults(graph)]
            counts["graphs"] += 1
            counts["exact outputs"] += sum(graph.exact)
            counts["other outputs"] += len(graph.exact) - sum(graph.exact)
            counts["wrong"] += bool(found)
            for line in found:
                print(f"{graph}: {line}")

        some()
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    sys.exit(counts["wrong"] > 0)


if __name__ == "__main__":
    main()
