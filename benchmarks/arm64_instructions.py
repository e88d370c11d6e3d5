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
import re
import shlex
import struct
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from inner_loops import MODELS, text_of

from android_demo.runner import build, compile_plan

#: How often llvm-mca repeats a block.
TURNS = 100
PLUGIN = Path(__file__).parent / "qemu" / "blocks.c"
#: What functions are for, by a part of their names; the first that fits. The epilogue is what the first pass computes
#: of a binary convolution's sums beside storing them, the second pass what the map behind it computes.
PARTS = [
    ("make_row", "binary: tables"),
    ("copy_row", "binary: tables"),
    ("tile_part", "binary: places"),
    ("dotprod::convolve", "binary: places"),
    ("add_pixels", "epilogue: sums of means"),
    ("Sequence<", "second pass: fused"),
    ("single<", "second pass: one by one"),
    ("neon::map", "second pass: one by one"),
    ("neon::conv", "other: float convolutions"),
    ("neon::depthwise", "other: float convolutions"),
    ("conv_columns<", "other: float convolutions"),
    ("tile<", "binary: lookups and flushes"),
    ("run_tile", "binary: lookups and flushes"),
    ("neon::pool", "other: pooling"),
    ("neon::dense", "other: dense"),
    ("", "other: everything else"),
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


def part_of(function: str) -> str:
    """What a function is for."""
    return next(part for key, part in PARTS if key in function)


def disassembly(objdump: str, program: Path) -> dict[int, str]:
    """Every instruction of a program as text, by its address."""
    command = [objdump, "-d", "--no-show-raw-insn", program]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.finditer(r"^\s*([0-9a-f]+):\s+(\S.*)$", text, re.MULTILINE)
    return {int(match[1], 16): text_of(match[2]) for match in found}


def cycles_of(bodies: list[list[str]], model: str, mca: str) -> list[float]:
    """Cycles of each block, repeated on its own, by a model of llvm-mca. What the model does not know costs nothing."""
    source = "".join(
        f"# LLVM-MCA-BEGIN {number}\n" + "\n".join(body) + "\n# LLVM-MCA-END\n" for number, body in enumerate(bodies)
    )
    command = [mca, "-march=aarch64", f"-mcpu={model}", f"-iterations={TURNS}", "-skip-unsupported-instructions=any"]
    command += ["-instruction-info=false", "-resource-pressure=false"]
    text = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    # A block of which nothing is known is left out.
    found = dict(re.findall(r"\[\d+\] Code Region - (\d+)\n(?:.*\n)*?Total Cycles:\s+(\d+)", text))
    return [int(found.get(str(number), 0)) / TURNS for number in range(len(bodies))]


def print_cycles(spent: Counter[tuple[int, int]], names: dict[int, str], code: dict[int, str], mca: str) -> None:
    """A line for each part, with millions of cycles by each model.

    Args:
        spent: How often each block runs.
        names: The function of each block, by the block's address.
        code: The instructions by address.
        mca: The command.
    """
    total = sum(length * runs for (_, length), runs in spent.items())
    # Those that matter: the rest takes longer to model than it is worth, and counts at the mean of the others.
    blocks = [block for block, runs in spent.items() if block[1] * runs * 20_000 > total]
    bodies = [[code[address + 4 * number] for number in range(length)] for address, length in blocks]
    share = sum(length * spent[address, length] for address, length in blocks) / total
    columns: list[Counter[str]] = []
    for model in MODELS.values():
        column: Counter[str] = Counter()
        for block, body, cycles in zip(blocks, bodies, cycles_of(bodies, model, mca), strict=True):
            part = part_of(names[block[0]])
            if part == "binary: lookups and flushes":
                looks_up = any(line.startswith(("tbl", "sdot")) for line in body)
                part = "binary: lookups" if looks_up else "binary: flushes"
            column[part] += cycles * spent[block]
        columns.append(column)
    print(f"  {'M cycles, modelled':32} " + "  ".join(f"{name:>6}" for name in MODELS))
    for whole in ("binary", "epilogue", "second pass", "other"):
        print_line(whole, [sum(column[part] for part in column if part.startswith(whole)) for column in columns])
        for part, _ in columns[1].most_common():
            if part.startswith(whole):
                print_line(f"  {part.removeprefix(whole + ': ')}", [column[part] for column in columns])
    print_line("all", [column.total() / share for column in columns])
    print(f"  (of {len(blocks)} blocks with {100 * share:.1f}% of the instructions)")


def print_line(name: str, cycles: list[float]) -> None:
    print(f"  {name:32} " + "  ".join(f"{value / 1e6:6.2f}" for value in cycles))


def main() -> None:
    """Builds the plugin and the program, counts, prints a table for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="converted .tflite files")
    parser.add_argument("--cxx", default="aarch64-linux-gnu-g++", help="the compiler for ARM64")
    parser.add_argument("--cpu", default="max", help="qemu's -cpu")
    parser.add_argument("--kernels", default="neon", help="which kernels run")
    parser.add_argument("--against", type=float, help="millions of instructions of another program, for the ratio")
    parser.add_argument("--functions", type=int, default=0, help="print so many functions, too")
    parser.add_argument("--cycles", action="store_true", help="model cycles, too")
    parser.add_argument("--objdump", default="aarch64-linux-gnu-objdump")
    parser.add_argument("--mca", default="llvm-mca-19")
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
            inference = twice - once
            names = {}
            spent: Counter[str] = Counter()
            for (address, instructions), runs in inference.items():
                start, length, function = table[bisect.bisect_right(starts, address) - 1]
                names[address] = function if address < start + length else ""
                spent[names[address]] += runs * instructions
            total = sum(spent.values())
            print(f"{file.name}: {total / 1e6:.1f} M instructions")
            if arguments.against:
                print(f"  {total / 1e6 / arguments.against:.2f} of {arguments.against} M")
            parts: Counter[str] = Counter()
            for function, count in spent.items():
                parts[part_of(function)] += count
            for part, count in parts.most_common():
                print(f"  {count / 1e6:8.2f} M  {part}")
            for function, count in spent.most_common(arguments.functions):
                print(f"    {count / 1e6:8.2f} M  {function[:100]}")
            if arguments.cycles:
                print_cycles(inference, names, disassembly(arguments.objdump, program), arguments.mca)


if __name__ == "__main__":
    main()
