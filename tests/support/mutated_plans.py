"""Plans with numbers changed, and a program with sanitizers that runs them (``programs/plans.cpp``)."""

import os
import re
import shutil
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engines import AMX_EMULATOR, AMX_OPTIONS, KERNELS_OF

from android_demo.runner.build import CORE, KERNELS, NATIVE, REFERENCE, machine
from android_demo.runner.plan import ALIGNMENT, HEADER_BYTES, checksum

#: Numbers that lead furthest astray.
_LARGE = [0, 1, 2, 2**15, 2**16, 2**20, 2**31 - 1, 2**31, 2**32 - 1]


#: What runs a program of kernels that this machine's CPU does not have.
_QEMU = ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]
_EMULATORS = {} if machine() == "aarch64" else dict.fromkeys(KERNELS_OF["aarch64"], _QEMU)
#: All but the reference, as the core names them.
_OTHERS = set(re.findall(r"\w+_kernels", (NATIVE / "core" / "engine.cpp").read_text())) - {"reference_kernels"}


def build_program(folder, kernels="reference"):
    """Compiles the engine's core with some kernels; None if the machine has no compiler with sanitizers for them.

    Loops in assembly, those of ARM64's binary convolutions, are beyond a sanitizer; the rest of their kernels is not.
    Kernels that are linked with them, but do not run, are compiled without sanitizers, which take most of the time.
    """
    target = next((target for target, names in KERNELS_OF.items() if kernels in names), machine())
    native = (shutil.which("clang++") or shutil.which("g++")) if target == machine() else None
    compiler = native or shutil.which(f"{target}-linux-gnu-g++")
    if compiler is None or (kernels in _EMULATORS and not shutil.which(_EMULATORS[kernels][0])):
        return None
    program = Path(folder, f"plans-{kernels}")
    options = ["-std=c++17", "-O1", "-fno-exceptions", "-fno-rtti", "-fno-strict-aliasing", f"-I{NATIVE}"]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    if not native:
        # Half the time to compile: calls instead of checks in place, and no messages of what is undefined.
        sanitizers += ["--param", "asan-instrumentation-with-call-threshold=0", "-fsanitize-undefined-trap-on-error"]
    sources = {NATIVE / name: sanitizers for name in CORE}
    if kernels == "reference":
        # Other kernels are only named.
        other = Path(folder, "other.cpp")
        sources |= {NATIVE / REFERENCE: sanitizers, other: []}
        other.write_text(
            '#include "kernels/kernels.h"\nnamespace runner { extern const Kernels reference_kernels;\n'
            + "".join(f"extern const Kernels {name}; const Kernels {name} = reference_kernels;\n" for name in _OTHERS)
            + "}\n"
        )
    else:
        for name, own in KERNELS[target].items():
            is_tested = Path(name).stem == kernels.removesuffix("-only")
            sources[NATIVE / name] = [*own, *(sanitizers if is_tested else [])]
    if kernels == "amx-only":
        sources |= {AMX_EMULATOR: []} | {NATIVE / name: own for name, own in AMX_OPTIONS.items()}
    sources[Path(__file__).parent / "programs" / "plans.cpp"] = sanitizers
    objects = {source: Path(folder, f"{source.stem}-{kernels}.o") for source in sources}

    def compile(source):
        command = [compiler, *options, *sources[source], "-c", source, "-o", objects[source]]
        subprocess.run(list(map(str, command)), check=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile, sources))
    # Its C library is where an emulator looks, the sanitizers' are not.
    link = [] if native else ["-static-libasan", "-static-libubsan"]
    subprocess.run([compiler, *sanitizers, *link, *map(str, objects.values()), "-o", str(program)], check=True)
    return program


def sealed(content):
    """With the size and the checksum of what it holds now."""
    head, body = bytearray(content[:HEADER_BYTES]), bytes(content[HEADER_BYTES:])
    struct.pack_into("<IQ", head, 12, checksum(body), len(content))
    return bytes(head) + body


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
        content = content[: random.randrange(HEADER_BYTES, len(content)) // ALIGNMENT * ALIGNMENT]
    return sealed(content)


def run_all(program, plans, folder, seconds=20, kernels="reference"):
    """What became of each plan: the engine's status as a line, and of one that ended the program its last words."""
    found = []
    while len(found) < len(plans):
        file = Path(folder, "plans.bin")
        rest = plans[len(found) :]
        file.write_bytes(b"".join(struct.pack("<Q", len(plan)) + plan for plan in rest))
        command = [program, file, kernels, seconds]
        environment = None
        if kernels in _EMULATORS:
            # To find leaks, it would have to trace itself.
            command, environment = [*_EMULATORS[kernels], *command], {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)
        found += result.stdout.split()
        if result.returncode:
            words = [line for line in result.stderr.splitlines() if "ERROR" in line or "runtime error" in line]
            found.append(words[0] if words else f"ended with {result.returncode}")
    return found
