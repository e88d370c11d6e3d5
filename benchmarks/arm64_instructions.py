"""ARM64 instructions of one inference by the engine, by what they are spent on, in qemu's user mode.

    python benchmarks/arm64_instructions.py bnext_tiny.tflite --against 212.2 \\
        --cxx "python -m ziglang c++ -target aarch64-linux-musl -mcpu=cortex_a76"

It needs qemu-aarch64 linked dynamically (Debian: qemu-user), a C compiler for the plugin (qemu/blocks.c) and a C++
compiler for ARM64; figures depend on the latter: clang, through ziglang, is what the kernels are written for. A run of
one inference is subtracted from a run of two, so start and loading do not count. No ARM processor is involved: these
are counts of instructions, not times.

Larq Compute Engine takes, counted in the same way (its sources of May 2026, g++ 12, one thread, files as bnext-convert
writes them): BNext-T at 224x224 212.2 M, MeliusNet22 256.2 M, BNext-T at 32x32 with 10 classes 19.9 M.
"""

import argparse
import bisect
import os
import shlex
import struct
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from android_demo.runner import build, compile_plan

PLUGIN = Path(__file__).parent / "qemu" / "blocks.c"
#: What functions are for, by a part of their names; the first that fits.
PARTS = [
    ("make_row", "tables"),
    ("tile_part", "binary: places"),
    ("add_pixels", "sums of means"),
    ("Sequence<", "elements, fused"),
    ("single<", "elements, one by one"),
    ("neon::map", "elements, one by one"),
    ("neon::conv", "float convolutions"),
    ("neon::depthwise", "float convolutions"),
    ("conv_columns<", "float convolutions"),
    ("tile<", "binary"),
    ("neon::pool", "pooling"),
    ("neon::dense", "dense"),
    ("", "everything else"),
]


def functions(program: Path) -> list[tuple[int, int, str]]:
    """Address, size and name of every function in the symbol table of a 64-bit ELF file, by address."""
    content = program.read_bytes()
    (sections_at,) = struct.unpack_from("<Q", content, 0x28)
    (count,) = struct.unpack_from("<H", content, 0x3C)
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, sections_at + 64 * number) for number in range(count)]
    found = []
    for _, kind, _, _, offset, size, link, *_ in sections:
        if kind != 2:  # Symbols.
            continue
        names = sections[link][4]
        for place in range(offset, offset + size, 24):
            name, info, _, _, address, length = struct.unpack_from("<IBBHQQ", content, place)
            if info & 15 == 2 and length:
                start = names + name
                found.append((address, length, content[start : content.index(0, start)].decode()))
    addresses = sorted(found)
    readable = subprocess.run(
        ["c++filt"], input="\n".join(name for *_, name in addresses), capture_output=True, text=True, check=True
    ).stdout.split("\n")
    return [(address, length, name) for (address, length, _), name in zip(addresses, readable, strict=False)]


def blocks(plugin: Path, program: Path, plan: Path, runs: int, cpu: str, kernels: str) -> Counter[tuple[int, int]]:
    """How often each translated block runs, by its address and number of instructions."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts")
        arguments = [f"--graph={plan}", f"--num_runs={runs}", "--warmup_runs=0", "--min_secs=0", f"--kernels={kernels}"]
        subprocess.run(
            ["qemu-aarch64", "-cpu", cpu, "-plugin", plugin, program, *arguments],
            env={**os.environ, "BLOCKS": str(counts)},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        found: Counter[tuple[int, int]] = Counter()
        for line in counts.read_text().splitlines():
            address, instructions, times = line.split()
            found[int(address, 16), int(instructions)] += int(times)
        return found


def main() -> None:
    """Builds the plugin and the program, counts, prints a table for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="converted .tflite files")
    parser.add_argument("--cxx", default="aarch64-linux-gnu-g++", help="the compiler for ARM64")
    parser.add_argument("--cpu", default="max", help="qemu's -cpu")
    parser.add_argument("--kernels", default="neon", help="which kernels run")
    parser.add_argument("--against", type=float, help="millions of instructions of another program, for the ratio")
    parser.add_argument("--functions", type=int, default=0, help="print so many functions, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plugin, program, plan = folder / "blocks.so", folder / "runner", folder / "plan"
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", plugin, PLUGIN], check=True)
        sources = [*build.HOST, *build.PROGRAM]
        build.build(
            sources, program, command=shlex.split(arguments.cxx), target="aarch64", link=["-static", "-lpthread"]
        )
        table = functions(program)
        starts = [start for start, *_ in table]
        for file in arguments.files:
            plan.write_bytes(compile_plan(file.read_bytes()))
            once, twice = (blocks(plugin, program, plan, runs, arguments.cpu, arguments.kernels) for runs in (1, 2))
            spent: Counter[str] = Counter()
            for (address, instructions), runs in twice.items():
                number = bisect.bisect_right(starts, address) - 1
                start, length, function = table[number]
                spent[function if address < start + length else ""] += (
                    runs - once[address, instructions]
                ) * instructions
            total = sum(spent.values())
            print(f"{file.name}: {total / 1e6:.1f} M instructions")
            if arguments.against:
                print(f"  {total / 1e6 / arguments.against:.2f} of {arguments.against} M")
            parts: Counter[str] = Counter()
            for function, count in spent.items():
                parts[next(part for key, part in PARTS if key in function)] += count
            for part, count in parts.most_common():
                print(f"  {count / 1e6:8.2f} M  {part}")
            for function, count in spent.most_common(arguments.functions):
                print(f"    {count / 1e6:8.2f} M  {function[:100]}")


if __name__ == "__main__":
    main()
