"""How the engine is compiled: which compiler, once, and what is said where that fails."""

import sys

import pytest

from android_demo.runner import build
from android_demo.runner.build import BuildError


@pytest.fixture
def machine_with(monkeypatch):
    """A machine with these programs, x86-64, and nothing in the environment."""

    def make(*programs, ziglang=False):
        for variable in ("CXX", "CXX_AARCH64", "CXX_X86_64"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setattr(build, "machine", lambda: "x86_64")
        monkeypatch.setattr(build.shutil, "which", {name: f"/usr/bin/{name}" for name in programs}.get)
        monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: ziglang or None)
        monkeypatch.setattr(sys, "platform", "linux")

    return make


def test_this_machines_compiler_is_taken_and_zig_without_one(machine_with, monkeypatch):
    machine_with("clang++", "g++", ziglang=True)
    assert build.compiler() == ["/usr/bin/clang++"]
    machine_with("g++")
    assert build.compiler() == ["/usr/bin/g++"]
    machine_with(ziglang=True)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target"]
    assert build.compiler() == [*zig, "x86_64-linux-gnu.2.17"]
    assert build.compiler(static=True) == [*zig, "x86_64-linux-musl"]
    monkeypatch.setenv("CXX", "ccache my-c++")
    assert build.compiler() == ["ccache", "my-c++"]


def test_another_machine_has_a_compiler_of_its_own(machine_with, monkeypatch):
    machine_with("g++", "aarch64-linux-gnu-g++", ziglang=True)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-musl"]
    assert build.compiler("aarch64", static=True) == zig
    machine_with("g++", "aarch64-linux-gnu-g++")
    assert build.compiler("aarch64", static=True) == ["/usr/bin/aarch64-linux-gnu-g++"]
    monkeypatch.setenv("CXX_AARCH64", "ndk/clang++")
    assert build.compiler("aarch64", static=True) == ["ndk/clang++"]


def test_android_is_another_system_even_on_the_same_machine(machine_with, monkeypatch):
    machine_with("g++", "clang++", ziglang=True)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target"]
    assert build.compiler(android=True) == [*zig, "x86_64-linux-android", "-ffreestanding"]
    assert build.compiler("aarch64", android=True) == [*zig, "aarch64-linux-android", "-ffreestanding"]
    # A program brings its C library along.
    assert build.compiler(android=True, static=True) == [*zig, "x86_64-linux-musl"]
    monkeypatch.setenv("CXX_X86_64", "ndk/clang++")
    assert build.compiler(android=True) == ["ndk/clang++"]


def test_without_a_compiler_the_message_says_what_to_install(machine_with):
    machine_with("g++")
    with pytest.raises(BuildError, match=r"C\+\+ compiler for aarch64; pip install ziglang, or set CXX_AARCH64"):
        build.compiler("aarch64")
    machine_with()
    with pytest.raises(BuildError, match=r"the engine needs a C\+\+ compiler; pip install ziglang, or set CXX$"):
        build.compiler()


def test_what_is_compiled_is_kept_and_said_to_be_compiled(capfd, monkeypatch, tmp_path):
    """With a compiler that writes nothing but its name: what counts is how often it is called."""
    compiler = tmp_path / "c++"
    compiler.write_text('#!/bin/sh\necho called >> "$0.log"\nfor file; do :; done\necho compiled > "$file"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    program = build.program(build.machine())
    assert program.read_text() == "compiled\n"
    line = f"Compiling the engine for {build.machine()} ({{}}), once ... "
    assert capfd.readouterr().err.startswith(line.format("bnext-runner"))
    calls = (tmp_path / "c++.log").read_text().count("called")
    assert build.program(build.machine()) == program
    assert capfd.readouterr().err == ""
    assert (tmp_path / "c++.log").read_text().count("called") == calls
    # Of the library, all but its own file and its linking has been compiled for the program.
    build.library()
    assert capfd.readouterr().err.startswith(line.format("librunner.so"))
    assert (tmp_path / "c++.log").read_text().count("called") == calls + 2
    assert not list((tmp_path / "cache").rglob("tmp*"))


def test_a_compiler_that_fails_is_quoted(monkeypatch, tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text('#!/bin/sh\necho "check.cpp:1: error: no such header" >&2\nexit 1\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(BuildError, match=r"does not compile with .*c\+\+: check.cpp:1: error: no such header"):
        build.library()
    monkeypatch.setenv("CXX", str(tmp_path / "missing"))
    with pytest.raises(BuildError, match=r"missing cannot be started \(No such file or directory\); set CXX"):
        build.library()
    assert not list((tmp_path / "cache").rglob("*.so"))


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(
        BuildError, match=r"cannot be written \(Not a directory\); set XDG_CACHE_HOME to another folder"
    ):
        build.library()
