"""The engine's inner loops on ARM64, as the compiler leaves them."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from android_demo.runner import build

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "inner_loops.py"
OBJDUMP = "aarch64-linux-gnu-objdump"


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """The loops of binary convolutions by their pairs of pixels and how tables lie."""
    if not shutil.which(OBJDUMP):
        pytest.skip(f"{OBJDUMP} is not installed (Debian package binutils-aarch64-linux-gnu)")
    specification = importlib.util.spec_from_file_location("inner_loops", BENCHMARK)
    benchmark = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(benchmark)
    program = tmp_path_factory.mktemp("program") / "runner"
    # The options of the program that is shipped: its objects are those in the cache.
    build.build(
        [*build.HOST, *build.PROGRAM], program, target="aarch64", flags=["-fPIC"], link=["-static", "-lpthread"]
    )
    return {loop.tile: loop for loop in benchmark.loops(OBJDUMP, program) if loop.tile}


@pytest.mark.parametrize(
    ("kind", "lengths"),
    [
        ("flat", [46, 80, 114, 148]),
        ("neighbours", [46, 76, 106, 136]),
        ("neighbours by two", [46, 78, 110, 142]),
    ],
)
def test_loops_of_two_groups_do_not_touch_the_stack(tiles, kind, lengths):
    found = [tiles[pairs, kind] for pairs in (1, 2, 3, 4)]
    assert [(len(loop.body), loop.groups, loop.spills) for loop in found] == [(length, 2, []) for length in lengths]
