"""Which kernels run an inference where the usual ones are slower at times."""

import ctypes
import subprocess

import pytest

from android_demo.runner import build

USUAL, WAY_BACK = 0, 1
SOURCE = """
#include "core/watch.h"
static runner::Watch watch;
extern "C" {
unsigned next() { return watch.next(); }
void took(unsigned choice, unsigned long long ticks) { watch.took(runner::Choice(choice), ticks); }
}
"""


@pytest.fixture
def run(tmp_path):
    """Runs inferences that take so long with each choice, and tells which were made."""
    (tmp_path / "watch.cpp").write_text(SOURCE)
    command = [*build.compiler(), "-std=c++17", f"-I{build.NATIVE}", "-shared", "-fPIC"]
    subprocess.run([*command, str(tmp_path / "watch.cpp"), "-o", str(tmp_path / "watch.so")], check=True)
    watch = ctypes.CDLL(str(tmp_path / "watch.so"))

    def run(times, inferences):
        made = []
        for _ in range(inferences):
            made.append(watch.next())
            watch.took(made[-1], ctypes.c_ulonglong(times[made[-1]]))
        return made

    return run


def test_both_are_tried_and_the_faster_one_runs(run):
    assert run({USUAL: 5, WAY_BACK: 7}, 8) == [USUAL, USUAL, WAY_BACK, WAY_BACK, USUAL, USUAL, USUAL, USUAL]


def test_a_usual_one_that_becomes_slow_is_left_after_two_inferences(run):
    run({USUAL: 5, WAY_BACK: 7}, 8)
    assert run({USUAL: 13, WAY_BACK: 7}, 6) == [USUAL, USUAL, WAY_BACK, WAY_BACK, WAY_BACK, WAY_BACK]


def test_one_inference_that_is_interrupted_changes_nothing(run):
    run({USUAL: 5, WAY_BACK: 7}, 8)
    run({USUAL: 900, WAY_BACK: 7}, 1)
    assert set(run({USUAL: 5, WAY_BACK: 7}, 50)) == {USUAL}


def test_the_other_one_is_tried_now_and_then_and_taken_if_it_is_faster_again(run):
    run({USUAL: 5, WAY_BACK: 7}, 8)
    made = run({USUAL: 13, WAY_BACK: 7}, 500)
    assert made.count(USUAL) == 2 + 4  # Once in a hundred.
    assert USUAL not in made[-50:]
    made = run({USUAL: 5, WAY_BACK: 7}, 200)
    assert made.index(USUAL) <= 100
    assert set(made[made.index(USUAL) :]) <= {USUAL, WAY_BACK}
    assert made[made.index(USUAL) :].count(WAY_BACK) <= 1
