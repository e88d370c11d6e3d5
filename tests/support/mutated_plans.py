"""Plans with numbers changed, and a program with sanitizers that runs them (``programs/plans.cpp``)."""

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

from android_demo.runner.build import NATIVE
from android_demo.runner.plan import HEADER_BYTES

#: Numbers that lead furthest astray.
_LARGE = [0, 1, 2, 2**15, 2**16, 2**20, 2**31 - 1, 2**31, 2**32 - 1]


def build_program(folder):
    """Compiles the engine's core with its plainest kernels; None if the machine has no compiler with sanitizers."""
    compiler = shutil.which("clang++") or shutil.which("g++")
    if compiler is None:
        return None
    program = Path(folder, "plans")
    sources = [*(NATIVE / f"{name}.cpp" for name in ("core/check", "core/engine", "kernels/reference"))]
    sources.append(Path(__file__).parent / "programs" / "plans.cpp")
    # Other kernels are only named.
    other = Path(folder, "other.cpp")
    other.write_text(
        '#include "kernels/kernels.h"\nnamespace runner { extern const Kernels reference_kernels;\n'
        "extern const Kernels avx2_kernels, neon_kernels;\n"
        "const Kernels avx2_kernels = reference_kernels, neon_kernels = reference_kernels; }\n"
    )
    options = ["-std=c++17", "-O1", "-fno-exceptions", "-fno-rtti", "-fno-strict-aliasing", f"-I{NATIVE}"]
    options += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run([compiler, *options, *map(str, [*sources, other]), "-o", str(program)], check=True)
    return program


def sealed(content):
    """With the size and the checksum of what it holds now."""
    head = bytearray(content[:HEADER_BYTES])
    struct.pack_into("<IQ", head, 12, zlib.crc32(content[HEADER_BYTES:]), len(content))
    return bytes(head) + bytes(content[HEADER_BYTES:])


def mutant(plan, random):
    """A plan with one to three numbers changed, in the header, the tensors, the steps or their arguments."""
    content = bytearray(plan)
    offsets = struct.unpack_from("<10Q", plan, 32)
    sections = [(16, HEADER_BYTES)]
    sections += [(offsets[2 * n], offsets[2 * n] + size * offsets[2 * n + 1]) for n, size in enumerate((32, 16, 4))]
    for _ in range(random.randint(1, 3)):
        begin, end = random.choice(sections)
        place = random.randrange(begin, end, 4)
        (number,) = struct.unpack_from("<I", content, place)
        (other,) = struct.unpack_from("<I", content, random.randrange(begin, end, 4))
        near = [number + 1, number - 1, number * 2, number // 2, number ^ 1 << random.randrange(32), other]
        struct.pack_into("<I", content, place, random.choice([*near, *near, *_LARGE]) % 2**32)
    if random.random() < 0.05:
        content = content[: random.randrange(HEADER_BYTES, len(content)) // 8 * 8]
    return sealed(content)


def run_all(program, plans, folder, seconds=20):
    """What became of each plan: the engine's status as a line, and of one that ended the program its last words."""
    found = []
    while len(found) < len(plans):
        file = Path(folder, "plans.bin")
        rest = plans[len(found) :]
        file.write_bytes(b"".join(struct.pack("<Q", len(plan)) + plan for plan in rest))
        command = [program, file, "reference", str(seconds)]
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        found += result.stdout.split()
        if result.returncode:
            words = [line for line in result.stderr.splitlines() if "ERROR" in line or "runtime error" in line]
            found.append(words[0] if words else f"ended with {result.returncode}")
    return found
