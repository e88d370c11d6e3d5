"""The inner loops of the engine's binary convolutions, read from the disassembly, and what a model says they take.

    python benchmarks/inner_loops.py --cxx "python -m ziglang c++ -target aarch64-linux-musl -mcpu=cortex_a76"

For each loop: its instructions, how many of them touch the stack (none should: a spill costs more than a lookup), and
cycles for 1024 multiplications and accumulations by llvm-mca's models of Cortex-A55, A76 (neoverse-n1), X1
(neoverse-v1) and X3 (neoverse-v2). The models know no caches and are not silicon. It needs objdump for ARM64 and
llvm-mca.
"""

import argparse
import re
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from android_demo.runner import build

MODELS = {"A55": "cortex-a55", "A76": "neoverse-n1", "X1": "neoverse-v1", "X3": "neoverse-v2"}
#: What looks up, on ARM64 and on x86-64.
LOOKUPS = ("tbl", "vpshufb")
_LINE = re.compile(r"\s*([0-9a-f]+):\s+(\S.*)")
_TILE = re.compile(r"\btile<([(int)\d]+), ([(int)\d]+)>")
#: Kinds of tiles by number, as in native/kernels/tables.inl.
KINDS = ("anywhere", "neighbours", "neighbours by two", "flat")
#: Of one lookup.
CHANNELS = 5


@dataclass(frozen=True)
class Loop:
    """An innermost loop.

    Attributes:
        function: The demangled name of its function.
        body: The instructions as text.
    """

    function: str
    body: list[str]

    @property
    def spills(self) -> list[str]:
        """Instructions that touch the stack."""
        return [line for line in self.body if re.search(r"\bsp\b|%rsp|-0x[0-9a-f]+\(%rbp\)", line)]

    @property
    def stores(self) -> list[str]:
        """Vectors that are put away on the stack in every turn. To take a constant from there costs less."""
        return [line for line in self.spills if re.search(r"^st[rp]\s+q|^vmov\w+\s+%[xyz]mm\d+,", line)]

    @property
    def tile(self) -> tuple[int, str] | None:
        """Pairs of pixels, and how their tables lie, if it is a tile's of a binary convolution."""
        name = _TILE.search(self.function)
        if not name or not any(line.startswith(LOOKUPS) for line in self.body):
            return None
        pairs, kind = (int(re.sub(r"\(.*\)", "", value)) for value in name.groups())
        return pairs, KINDS[kind]

    @property
    def counts_bits(self) -> bool:
        """Whether it is the loop of ``native/kernels/dotprod_loops.inl``."""
        return "dotprod::run_tile" in self.function and any(line.startswith("sdot") for line in self.body)

    @property
    def operations(self) -> int:
        """Multiplications and accumulations of a turn.

        Each `usra` counts three lookups of 2 pixels and 16 filters; each `bsl` of bits that are counted is a step of
        two words of 32 channels for a pixel and 4 filters.
        """
        if self.counts_bits:
            return sum(line.startswith("bsl") for line in self.body) * 2 * 32 * 4
        return sum(line.startswith("usra") for line in self.body) * 3 * 2 * 16 * CHANNELS


def loops(objdump: str, file: Path) -> list[Loop]:
    """The innermost loops of all functions in an object file, a library or a program."""
    command = [objdump, "-d", "-C", "--no-show-raw-insn", str(file)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = []
    for chunk in re.split(r"\n(?=[0-9a-f]+ <)", text):
        head, _, body = chunk.partition("\n")
        lines = [(int(match[1], 16), match[2]) for match in map(_LINE.match, body.splitlines()) if match]
        places = {address: place for place, (address, _) in enumerate(lines)}
        backward = []
        for place, (address, line) in enumerate(lines):
            jump = re.match(r"(?:b\.\w+|b|cbn?z\s+\w+,|tbn?z\s+\w+, #\d+,|j\w+)\s+([0-9a-f]+) <", line)
            if jump and int(jump[1], 16) <= address and int(jump[1], 16) in places:
                backward.append((places[int(jump[1], 16)], place))
        for first, last in backward:
            if not any(first <= start and end <= last and (start, end) != (first, last) for start, end in backward):
                found.append(Loop(head, [line.split("//")[0] for _, line in lines[first : last + 1]]))
    return found


def text_of(line: str) -> str:
    """An instruction of a disassembly as llvm-mca takes it: without comments and places in the program."""
    return re.sub(r"\b[0-9a-f]+ <.*>", ".", line.split("//")[0])


def cycles(loop: Loop, model: str, mca: str) -> float:
    """Cycles of one turn by a model of llvm-mca."""
    source = "\n".join(map(text_of, loop.body))
    command = [mca, "-march=aarch64", f"-mcpu={model}", "-iterations=100"]
    text = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return int(re.search(r"Total Cycles:\s+(\d+)", text)[1]) / 100


def main() -> None:
    """Compiles the kernels and prints a line for each loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cxx", default="aarch64-linux-gnu-g++", help="the compiler for ARM64")
    parser.add_argument("--objdump", default="aarch64-linux-gnu-objdump")
    parser.add_argument("--mca", default="llvm-mca-19")
    arguments = parser.parse_args()
    print("pairs  tables            instructions  for 1000  stack  " + "  ".join(f"{name:>5}" for name in MODELS))
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for source in ("neon", "dotprod"):
            file = Path(folder, f"{source}.o")
            command = [*shlex.split(arguments.cxx), *build.FLAGS, "-c", build.NATIVE / "kernels" / f"{source}.cpp"]
            subprocess.run([*command, "-o", file], check=True)
            found += loops(arguments.objdump, file)
    rows = [(*reversed(loop.tile), loop) for loop in found if loop.tile]
    rows += [("none: bits counted", 1, loop) for loop in found if loop.counts_bits]
    for kind, pairs, loop in sorted(rows, key=lambda row: row[:2]):
        modelled = [cycles(loop, model, arguments.mca) * 1024 / loop.operations for model in MODELS.values()]
        print(
            f"{pairs:5}  {kind:18}{len(loop.body):13}  {len(loop.body) * 1000 / loop.operations:8.1f}"
            f"  {len(loop.spills):5}  " + "  ".join(f"{value:5.2f}" for value in modelled)
        )


if __name__ == "__main__":
    main()
