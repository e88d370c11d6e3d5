"""The command line program, as users and bnext-benchmark start it."""

import subprocess
import sys

import numpy as np
import pytest
from tflite_graphs import Graph

from android_demo.runner import Interpreter, build, compile_plan
from android_demo.tools.benchmark_model import parse


@pytest.fixture(scope="module")
def plan_file(plan, tmp_path_factory):
    file = tmp_path_factory.mktemp("program") / "bnext.plan"
    file.write_bytes(plan)
    return file


def run(*flags):
    done = subprocess.run([build.program(), *map(str, flags)], capture_output=True, text=True)
    return done.returncode, parse(done.stdout, done.stderr), done.stdout + done.stderr


def test_it_prints_what_benchmark_model_prints(plan_file):
    flags = ("--num_runs=7", "--min_secs=0", "--warmup_runs=3", "--warmup_min_secs=0", "--num_threads=2")
    status, output, _ = run(f"--graph={plan_file}", *flags)
    assert (status, output.started, output.failed, output.complete) == (0, True, False, True)
    assert (output.warmup.count, output.inference.count) == (3, 7)
    assert output.inference.min <= output.inference_avg_us <= output.inference.max
    assert output.inference.avg == output.inference_avg_us
    assert output.first_inference_us == output.warmup.first
    assert output.init_us > 0
    assert output.kernels == Interpreter(plan_file).kernels
    assert output.model_size_mb == pytest.approx(plan_file.stat().st_size / 1e6, rel=1e-4)
    assert 0 < output.memory_init_mb <= output.memory_overall_mb
    assert output.unconsumed_flags == ()
    assert output.profile is None


def test_it_tells_percentiles(plan_file):
    _, output, _ = run(f"--graph={plan_file}", "--num_runs=200", "--min_secs=0")
    found = output.inference
    assert found.min <= found.p5 <= found.median <= found.p90 <= found.p95 <= found.max
    assert output.warmup.p90 is None
    # At least half of the times are not above the median, and a tenth not below the 90th percentile.
    _, output, _ = run(f"--graph={plan_file}", "--num_runs=1", "--min_secs=0")
    assert output.inference.p90 == output.inference.avg


def test_it_runs_for_as_long_as_it_is_told(plan_file):
    _, output, _ = run(f"--graph={plan_file}", "--num_runs=1", "--min_secs=0.05", "--warmup_runs=0")
    assert output.inference.count * output.inference_avg_us >= 0.05e6
    _, output, _ = run(f"--graph={plan_file}", "--num_runs=1000000", "--max_secs=0.05", "--warmup_runs=0")
    assert 0 < output.inference.count < 1000000


def test_a_profile_has_every_step_and_sums_by_kind(plan_file, bnext):
    flags = ("--num_runs=4", "--min_secs=0", "--warmup_runs=0", "--enable_op_profiling=true")
    _, output, _ = run(f"--graph={plan_file}", *flags)
    steps = Interpreter(plan_file).profile([bnext.image], runs=1)
    assert [row.type for row in output.profile.operators] == [step.kind for step in steps]
    assert output.profile.operators[0].name == f"[{steps[0].name}]:0"
    kinds = [step.kind for step in steps]
    assert {row.type: row.count for row in output.profile.summary} == {kind: kinds.count(kind) for kind in kinds}
    times = [row.avg_ms for row in output.profile.summary]
    assert times == sorted(times, reverse=True)
    assert sum(times) == pytest.approx(output.profile.timings_us.avg / 1000, abs=0.01)


def test_it_answers_images_as_the_interpreter_does(plan_file, bnext, tmp_path):
    images = np.concatenate([bnext.image, -bnext.image])
    images.tofile(tmp_path / "images")
    files = (f"--input={tmp_path / 'images'}", f"--output={tmp_path / 'answers'}")
    status, _, said = run(f"--graph={plan_file}", *files, "--cpu-list=0")
    assert (status, "INFO: Answered 2 images." in said) == (0, True)
    answers = np.fromfile(tmp_path / "answers", np.float32).reshape(2, -1)
    np.testing.assert_array_equal(answers, Interpreter(plan_file).predict(images))


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_an_image_that_is_not_finite_is_refused_by_its_number(plan_file, bnext, tmp_path, value):
    images = np.concatenate([bnext.image, bnext.image])
    images[1, -1, -1, -1] = value
    images.tofile(tmp_path / "images")
    files = (f"--input={tmp_path / 'images'}", f"--output={tmp_path / 'answers'}")
    status, output, _ = run(f"--graph={plan_file}", *files)
    assert (status, output.errors) == (1, (f"{tmp_path / 'images'}: NaN or infinity in image 1",))


def test_answers_stay_where_there_is_no_input(plan_file, tmp_path):
    (tmp_path / "answers").write_bytes(b"of yesterday")
    files = (f"--input={tmp_path / 'missing'}", f"--output={tmp_path / 'answers'}")
    status, output, _ = run(f"--graph={plan_file}", *files)
    assert (status, output.errors) == (1, (f"cannot open {tmp_path / 'missing'}",))
    assert (tmp_path / "answers").read_bytes() == b"of yesterday"


def test_a_plan_of_many_megabytes_is_read_whole(tmp_path):
    """Into huge pages, where the system has them, instead of being mapped: its last weight counts, and its end."""
    graph, weights = Graph(), np.zeros((1300, 1024), np.float32)
    weights[-1, -1] = 3
    x = graph.input((1, 1024))
    y = graph.add(
        "FULLY_CONNECTED", [x, graph.constant(weights), graph.constant(np.zeros(1300, np.float32))], (1, 1300)
    )
    plan = compile_plan(graph.content(y))
    assert len(plan) > 4 << 20
    (tmp_path / "large.plan").write_bytes(plan)
    np.ones(1024, np.float32).tofile(tmp_path / "images")
    flags = (f"--input={tmp_path / 'images'}", f"--output={tmp_path / 'answers'}")
    status, _, text = run(f"--graph={tmp_path / 'large.plan'}", *flags)
    assert status == 0, text
    assert np.fromfile(tmp_path / "answers", np.float32).tolist() == [0.0] * 1299 + [3.0]
    (tmp_path / "large.plan").write_bytes(plan[:-64])
    status, _, text = run(f"--graph={tmp_path / 'large.plan'}")
    assert status == 1
    assert "not a plan, or one that is cut off" in text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "Please specify the name of your plan with --graph=PLAN"),
        (("--graph=missing",), "missing: not a plan, or one that is cut off"),
        (("--graph=FOLDER",), "FOLDER: not a plan, or one that is cut off"),
        (("--graph=PLAN", "--num_threads=0"), "--num_threads=0: not a number that makes sense here"),
        (("--graph=PLAN", "--num_runs=1x"), "--num_runs=1x: not a number"),
        (("--graph=PLAN", "--min_secs=nan"), "--min_secs=nan: not a number"),
        (("--graph=PLAN", "--cpu-list=0-"), "cannot run on the processors 0-"),
        (("--graph=PLAN", "--cpu-list=5000"), "cannot run on the processors 5000"),
        (("--graph=PLAN", "--kernels=sse"), "there are no such kernels for this CPU"),
        (("--graph=PLAN", "--input=FOLDER/cut", "--output=FOLDER/a"), "FOLDER/cut: ends in the middle of image 0"),
        (("--graph=PLAN", "--input=PLAN", "--output=FOLDER/no/answers"), "cannot open FOLDER/no/answers"),
        (("--graph=PLAN", "--input=PLAN"), "cannot open a file without --output"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_an_exit_status(plan_file, tmp_path, flags, message):
    def filled(text):
        return text.replace("PLAN", str(plan_file)).replace("FOLDER", str(tmp_path)) if "=" in text else text

    (tmp_path / "cut").write_bytes(bytes(100))
    status, output, _ = run(*map(filled, flags))
    assert (status, output.failed, len(output.errors)) == (1, True, 1)
    expected = message if "--graph=PLAN" in message else message.replace("PLAN", str(plan_file))
    assert expected.replace("FOLDER", str(tmp_path)) in output.errors[0]


def test_help_tells_every_flag():
    status, _, text = run("--help")
    assert status == 0
    flags = {"graph", "num_threads", "cpu-list", "kernels", "num_runs", "min_secs", "max_secs", "warmup_runs"}
    flags |= {"warmup_min_secs", "enable_op_profiling", "input", "output"}
    assert {word[2:].partition("=")[0] for word in text.split() if word.startswith("--")} == flags


def test_a_flag_that_it_does_not_know_is_told_and_passed_over(plan_file):
    status, output, _ = run(f"--graph={plan_file}", "--use_xnnpack=false", "--num_runs=1", "--min_secs=0")
    assert (status, output.unconsumed_flags) == (0, ("--use_xnnpack=false",))


#: A thread that writes to the far end of 768 KB of its stack.
DEEP = """
#include "hosts/system.h"
static THREAD_MAIN(deep, argument) {
  volatile char list[768 << 10];
  list[0] = 1;
  (void)argument;
  return THREAD_END;
}
int main() {
  Thread thread;
  if (!start_thread(&thread, deep, nullptr)) return 1;
  join(thread);
}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a thread's stack is of the size that the linker wrote down")
def test_threads_have_stacks_of_a_size_of_their_own(tmp_path):
    """Not of that which the system has for those that say nothing: 128 KB, say, with Alpine's C library."""
    (tmp_path / "deep.cpp").write_text(DEEP)
    command = [*build.compiler(), "-std=c++17", f"-I{build.NATIVE}", str(tmp_path / "deep.cpp"), "-lpthread"]
    subprocess.run([*command, "-o", str(tmp_path / "deep")], check=True)
    subprocess.run(["sh", "-c", 'ulimit -S -s 256; exec "$0"', str(tmp_path / "deep")], check=True)
