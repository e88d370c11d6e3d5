"""Compiles the engine's sources, once: at first use, into a cache that goes by their content.

The compiler is, in this order,

1. ``$CXX``, for another machine or for Android ``$CXX_AARCH64``, ``$CXX_X86_64`` or, for browsers, ``$CXX_WASM32``;
2. this machine's own clang++ or g++, for itself;
3. clang of the package ``ziglang``, which is installed with this one and compiles for every machine;
4. Debian's g++ for the other machine.

Programs are linked statically, so that a phone or a board needs nothing but the one file.
"""

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bnext_keras.errors import UserError
from bnext_keras.files import user_cache

NATIVE = Path(__file__).parent / "native"
#: Options of every file. Contraction makes a multiplication and an addition one operation that rounds once.
FLAGS = [
    "-std=c++17",
    "-O3",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-math-errno",
    "-fno-strict-aliasing",
    "-ffp-contract=fast",
    "-fvisibility=hidden",
]
CORE = ["core/check.cpp", "core/engine.cpp"]
REFERENCE = "kernels/reference.cpp"
AVX512 = [
    f"-m{feature}" for feature in ["fma", *(f"avx512{name}" for name in ("f", "bw", "dq", "vl", "vnni", "vpopcntdq"))]
]
#: Kernels by the machine's name, with the options that they alone are compiled with. A module of WebAssembly has one
#: kind: where there is another choice, there is another module.
KERNELS: dict[str, dict[str, list[str]]] = {
    "x86_64": {
        REFERENCE: [],
        "kernels/avx2.cpp": ["-mavx2", "-mfma"],
        "kernels/avx512.cpp": AVX512,
        # Its functions ask for AMX themselves: compilers that know nothing of it leave them out.
        "kernels/amx.cpp": AVX512,
    },
    "aarch64": {REFERENCE: [], "kernels/neon.cpp": [], "kernels/dotprod.cpp": []},
    "wasm32": {REFERENCE: []},
    "wasm32-simd128": {"kernels/wasm.cpp": []},
}
HOST = ["hosts/host.cpp", "hosts/cpu.cpp"]
LIBRARY = ["hosts/library.cpp"]
PROGRAM = ["hosts/program.cpp", "hosts/flags.cpp"]
WEB = ["hosts/web.cpp", "hosts/freestanding.cpp", "images/resize.cpp"]
JNI = ["hosts/jni.cpp", "hosts/cpu.cpp", "hosts/freestanding.cpp"]
#: What shared memory wants of all files. Every browser with vectors has it: so modules with and without threads share
#: their objects.
ATOMICS = ["-matomics", "-mbulk-memory"]
#: Modules of WebAssembly, best first: their names among those of `KERNELS`, and options for all of their files.
WEB_MODULES = {
    "relaxed": ("wasm32-simd128", ["-msimd128", "-mrelaxed-simd", *ATOMICS]),
    "simd": ("wasm32-simd128", ["-msimd128", *ATOMICS]),
    "baseline": ("wasm32", []),
}
#: How modules for several threads are called, and what their host is compiled with besides.
THREADED = "-threads"
WEB_THREADS = ["-DWEB_THREADS"]
#: The modules that there are for several threads, too: browsers that share memory have vectors.
THREADED_MODULES = tuple(f"{name}{THREADED}" for name, (_, options) in WEB_MODULES.items() if options)
#: Memory that is shared comes from the page, in pages of 64 KB: with which it begins, and what it may grow to.
WEB_MEMORY = (16, 65535)
#: Machines that programs are built for.
MACHINES = ("x86_64", "aarch64")


class BuildError(UserError, RuntimeError):
    """The engine cannot be compiled on this machine."""


def machine() -> str:
    """This machine's name among those of `KERNELS`."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def compiler(target: str | None = None, *, static: bool = False, android: bool = False) -> list[str]:
    """The command that compiles C++.

    Args:
        target: The machine's name among those of `KERNELS`, by default this one.
        static: Whether what it links shall need no libraries; otherwise it goes with this machine's.
        android: Whether it is for Android, which is another system than this one even on the same machine.

    Raises:
        BuildError: if there is none.
    """
    target = target or machine()
    is_native = target == machine() and not android
    is_web = target.startswith("wasm32")
    variable = "CXX" if is_native else "CXX_WASM32" if is_web else f"CXX_{target.upper()}"
    if os.environ.get(variable):
        return shlex.split(os.environ[variable])
    if is_native and (found := shutil.which("clang++") or shutil.which("g++")):
        return [found]
    if importlib.util.find_spec("ziglang"):
        # Not c++, which would compile a C++ library first that nothing here needs.
        command = [sys.executable, "-m", "ziglang", "cc"]
        if is_web:
            command += ["-target", "wasm32-freestanding"]
        elif android and not static:
            # Which has no C library, nor its headers.
            command += ["-target", f"{target}-linux-android", "-ffreestanding"]
        elif android or sys.platform.startswith("linux"):
            # A target's name also keeps it from using what this very CPU has beyond others of its kind.
            command += ["-target", f"{target}-linux-{'musl' if static else 'gnu.2.17'}"]
        return command
    if not is_native and (found := shutil.which(f"{target}-linux-gnu-g++")):
        return [found]
    where = "" if is_native else f" for {target}"
    raise BuildError(f"the engine needs a C++ compiler{where}", remedy=f"pip install ziglang, or set {variable}")


def build(
    sources: Sequence[str],
    output: Path,
    *,
    command: Sequence[str] | None = None,
    target: str | None = None,
    flags: Sequence[str] = (),
    link: Sequence[str] = (),
    options: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Compiles and links sources into a file. Objects that are in the cache are not compiled again.

    Args:
        sources: Paths below `NATIVE`, besides the core and its kernels.
        output: The file.
        command: The compiler, by default `compiler`'s.
        target: The machine's name among those of `KERNELS`, by default this one.
        flags: More options for all files.
        link: More options for linking; ``["-c"]`` keeps the objects apart: nothing is linked.
        options: More options for single files among the sources.

    Raises:
        BuildError: with the compiler's first message.
    """
    target = target or machine()
    command = list(command or compiler(target, static="-static" in link))
    kernels = KERNELS.get(target, {REFERENCE: []})
    own = {**kernels, **(options or {})}
    headers = [path for path in sorted(NATIVE.rglob("*")) if path.suffix in (".h", ".inl")]
    calls = [
        [*command, *FLAGS, *flags, *own.get(name, []), "-c", str(NATIVE / name)] for name in [*CORE, *kernels, *sources]
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda call: _object(call, [*headers, Path(call[-1])]), calls))
    if list(link) != ["-c"]:
        with _whole(output) as part:
            _call([*command, *flags, *map(str, objects), *link, "-o", str(part)])


def _object(call, files):
    # Where the sources lie, which the call ends with, is all the same to the object.
    return kept("part.o", _content(call[:-1], files), lambda part: _call([*call, "-o", str(part)]))


def _content(call, files):
    """What tells one compilation from another."""
    names = [path.relative_to(NATIVE).as_posix().encode() + path.read_bytes() for path in files]
    return b"".join([repr(call).encode(), *names])


@contextmanager
def _whole(output: Path) -> Iterator[Path]:
    """Where a part may be written that becomes the file when it is whole: others may be making the same."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        part = Path(folder, output.name)
        yield part
        os.replace(part, output)


def _call(command):
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be started ({error.strerror})", remedy="set CXX") from error
    if result.returncode:
        message = next((line for line in result.stderr.splitlines() if "error" in line), result.stderr.strip()[-200:])
        raise BuildError(f"the engine does not compile with {command[0]}: {message}")


def library(
    target: str | None = None,
    name: str = "librunner.so",
    command: Sequence[str] | None = None,
    link: Sequence[str] = (),
) -> Path:
    """The shared library, compiled now if it is not in the cache.

    Args:
        target: The machine's name among those of `KERNELS`, by default this one.
        name: Its file's name.
        command: The compiler, by default `compiler`'s.
        link: More options for linking.

    Raises:
        BuildError: if it cannot be compiled.
    """
    return _cached(name, [*HOST, *LIBRARY], target or machine(), ["-shared", "-lpthread", *link], command=command)


def program(target: str | None = None, *, android: bool = False) -> Path:
    """The command line program, compiled now if it is not in the cache.

    Args:
        target: One of `MACHINES`, by default this one.
        android: Whether an app starts it, which may make fewer system calls than the shell: not those with which glibc
            begins. The C library of ``ziglang``, musl, does without.

    Raises:
        BuildError: if it cannot be compiled.
    """
    # macOS has no static programs.
    link = ["-static", "-s"] if android or sys.platform.startswith("linux") else []
    command = compiler(target, static=True, android=True) if android else None
    return _cached("bnext-runner", [*HOST, *PROGRAM], target or machine(), [*link, "-lpthread"], command=command)


def web_module(name: str) -> Path:
    """The engine as a module of WebAssembly, compiled now if it is not in the cache.

    Args:
        name: One of `WEB_MODULES` or of `THREADED_MODULES`.

    Raises:
        BuildError: if it cannot be compiled.
    """
    target, options = WEB_MODULES[name.removesuffix(THREADED)]
    link = ["-nostdlib", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=262144"]
    own = {}
    if name in THREADED_MODULES:
        own["hosts/web.cpp"] = WEB_THREADS
        initial, most = (pages << 16 for pages in WEB_MEMORY)
        # Each thread's instance has a stack of its own, which the page's worker sets.
        link += ["-Wl,--import-memory", "-Wl,--shared-memory", "-Wl,--export=__stack_pointer"]
        link += [f"-Wl,--initial-memory={initial}", f"-Wl,--max-memory={most}"]
    flags = ["-ffreestanding", "-fno-builtin", *options]
    return _cached(f"{name}.wasm", WEB, target, link, flags, options=own)


def jni_library(target: str) -> Path:
    """The engine for Java machines, Android's and others, on one CPU, compiled now if it is not in the cache.

    It needs no other library. Its pages are of 16 KB, as phones of 2025 and later want them.

    Args:
        target: One of `MACHINES`.

    Raises:
        BuildError: if it cannot be compiled.
    """
    link = ["-shared", "-nostdlib", "-s", "-Wl,--no-undefined", "-Wl,-soname,libbnext.so"]
    link += ["-Wl,-z,max-page-size=16384", "-Wl,--hash-style=both"]
    options = {"hosts/freestanding.cpp": ["-fno-builtin"]}
    command = compiler(target, android=True)
    return _cached("libbnext.so", JNI, target, link, command=command, options=options)


def cache_folder() -> Path:
    """Where compiled engines lie: below ``$XDG_CACHE_HOME``, as a rule ``~/.cache``."""
    return user_cache() / "bnext" / "runner"


def kept(name: str, content: bytes, make: Callable[[Path], None]) -> Path:
    """A file in the cache, made now if it is not there.

    Args:
        name: What the file is called.
        content: All that it depends on.
        make: Writes the file to a path.

    Raises:
        BuildError: if the cache cannot be written.
    """
    output = cache_folder() / hashlib.sha256(content).hexdigest()[:16] / name
    if not output.exists():
        try:
            with _whole(output) as part:
                make(part)
        except OSError as error:
            where = str(error.filename or cache_folder())
            remedy = "set XDG_CACHE_HOME to another folder"
            raise BuildError(f"cannot be written ({error.strerror or error})", where=where, remedy=remedy) from error
    return output


def _cached(name, sources, target, link, flags=("-fPIC",), command=None, options=None):
    command = list(command or compiler(target, static="-static" in link))
    # The same flags for library and program, so that they share objects.
    calls = [command, FLAGS, KERNELS, sources, flags, link, target, options]
    content = _content(calls, [path for path in sorted(NATIVE.rglob("*")) if path.is_file()])

    def make(output):
        start = time.monotonic()
        print(f"Compiling the engine for {target} ({name}), once ...", end="", file=sys.stderr, flush=True)
        try:
            build(sources, output, command=command, target=target, flags=flags, link=link, options=options)
        finally:
            print(f" {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)

    return kept(name, content, make)
