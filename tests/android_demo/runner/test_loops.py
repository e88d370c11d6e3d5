"""The engine's inner loops, as the compiler leaves them: what does not fit the registers costs more than a lookup.

Left out are those of the reference, which is there to be compared with and for which SSE2 has too few registers, and
those of WebAssembly, a machine without registers: how many a browser's compiler finds is its own matter.
"""

import importlib.util
import shutil
from pathlib import Path

import pytest

from android_demo.runner import build

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "inner_loops.py"
OBJDUMP = {"x86_64": "objdump", "aarch64": "aarch64-linux-gnu-objdump"}
#: Functions with other inner loops. Means and dense layers add up through the stack, once in some dozens of pixels or a
#: row; single operations with an exponential have more constants than x86-64 has registers.
FUNCTIONS = ("make_tables(", "conv(", "conv_columns<", "depthwise(", "Sequence<", "run_tile<", "run_tiles<")
#: Compiles where the package ``ziglang`` is missing.
GCC = "aarch64-linux-gnu-g++"


@pytest.fixture(scope="module")
def loops_of(tmp_path_factory):
    """The innermost loops of a machine's program, as it is shipped: its objects are those in the cache."""
    specification = importlib.util.spec_from_file_location("inner_loops", BENCHMARK)
    benchmark = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(benchmark)
    found = {}

    def loops(target, compiler=None):
        if not shutil.which(OBJDUMP[target]):
            pytest.skip(f"{OBJDUMP[target]} is not installed (Debian package binutils, or binutils-aarch64-linux-gnu)")
        if target == "x86_64" and build.machine() != target:
            pytest.skip("no x86-64 machine")
        if compiler and not shutil.which(compiler):
            pytest.skip(f"{compiler} is not installed")
        if (target, compiler) not in found:
            program = tmp_path_factory.mktemp("program") / "runner"
            sources, link = [*build.HOST, *build.PROGRAM], ["-static", "-lpthread"]
            command = [compiler] if compiler else None
            build.build(sources, program, command=command, target=target, flags=["-fPIC"], link=link)
            found[target, compiler] = benchmark.loops(OBJDUMP[target], program)
        return found[target, compiler]

    return loops


@pytest.mark.parametrize(
    ("kind", "lengths"),
    [
        ("flat", [46, 80, 114, 148]),
        ("neighbours", [46, 76, 106, 136]),
        ("neighbours by two", [46, 78, 110, 142]),
    ],
)
def test_loops_of_two_groups_do_not_touch_the_stack(loops_of, kind, lengths):
    tiles = {loop.tile: loop for loop in loops_of("aarch64") if loop.tile}
    found = [tiles[pairs, kind] for pairs in (1, 2, 3, 4)]
    assert [(len(loop.body), loop.spills) for loop in found] == [(length, []) for length in lengths]
    # Two pixels, 32 filters, three lookups of five channels, two groups.
    assert [loop.operations for loop in found] == [1920, 3840, 5760, 7680]


@pytest.mark.parametrize("compiler", [None, GCC])
def test_a_step_of_bits_that_are_counted_does_not_touch_the_stack(loops_of, compiler):
    loops = [loop for loop in loops_of("aarch64", compiler) if loop.counts_bits and loop.operations]
    # Two steps of two words, 2 pixels and 16 filters: 5 instructions for each of 8 sums, 10 loads and an addition; and
    # two for the loop.
    assert [(len(loop.body), loop.operations, loop.spills) for loop in loops] == [(104, 4096, [])]


@pytest.mark.parametrize(("target", "kernels", "most"), [("x86_64", "avx2", 3), ("aarch64", "neon", 4)])
def test_no_tile_touches_the_stack(loops_of, target, kernels, most):
    tiles = [loop for loop in loops_of(target) if loop.tile and f"{kernels}::" in loop.function]
    kinds = ("anywhere", "flat", "neighbours", "neighbours by two")
    assert {loop.tile for loop in tiles} == {(pairs, kind) for pairs in range(1, most + 1) for kind in kinds}
    assert target == "x86_64" or all(loop.operations for loop in tiles)  # That they count by `usra`.
    assert [(loop.tile, loop.spills) for loop in tiles if loop.spills] == []


@pytest.mark.parametrize(
    ("target", "kernels", "compiler"),
    [("x86_64", "avx2", None), ("x86_64", "avx512", None), ("aarch64", "neon", None), ("aarch64", "neon", GCC)],
)
def test_no_other_inner_loop_puts_vectors_away(loops_of, target, kernels, compiler):
    own = [loop for loop in loops_of(target, compiler) if f"{kernels}::" in loop.function]
    inner = [loop for loop in own if any(f"::{name}" in loop.function for name in FUNCTIONS)]
    assert len(inner) > 20
    assert [(loop.function, loop.stores) for loop in inner if loop.stores] == []
