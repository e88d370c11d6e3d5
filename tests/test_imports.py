"""Who may import whom: ``bnext_keras <- converter <- android_demo``, and who must start without TensorFlow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: What of the other packages each package may import. The facade of bnext_keras shows the way to them by strings alone.
ALLOWED = {
    "bnext_keras": (),
    "converter": ("bnext_keras",),
    "android_demo": (
        "bnext_keras._version",
        "bnext_keras.array_files",
        "bnext_keras.cards",
        "bnext_keras.charts",
        "bnext_keras.cli",
        "bnext_keras.console",
        "bnext_keras.data.broken",
        "bnext_keras.data.pictures",
        "bnext_keras.errors",
        "bnext_keras.files",
        "bnext_keras.image_files",
        "bnext_keras.labels",
        "bnext_keras.preprocessing",
        "bnext_keras.schedules",
        "bnext_keras.text",
        "converter.inspection.stopwatch",
        "converter.tflite",
    ),
}

#: Rooms that start without TensorFlow; each stands for everything in it.
WITHOUT_TENSORFLOW = (
    "bnext_keras.array_files",
    "bnext_keras.console",
    "bnext_keras.errors",
    "bnext_keras.files",
    "bnext_keras.logs",
    "bnext_keras.image_files",
    "bnext_keras.text",
    "bnext_keras.labels",
    "bnext_keras.preprocessing",
    "bnext_keras.schedules",
    "bnext_keras.cards",
    "bnext_keras.charts",
    "bnext_keras.comparison",
    "bnext_keras.energy",
    "bnext_keras.extras",
    "bnext_keras.networks",
    "bnext_keras.recipes",
    "bnext_keras.runs",
    "bnext_keras.data.broken",
    "bnext_keras.data.pictures",
    "bnext_keras.data.processes",
    "bnext_keras.data.records",
    "bnext_keras.cli",
    "converter.cli",
    "converter.inspection.stopwatch",
    "converter.runtimes",
    "converter.tflite",
    "android_demo",
)


def imports(path):
    """The modules that a file names in import statements, wherever they stand, with the line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: imports are absolute"
            # `from converter import tflite` names a module too.
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def is_in(module, room):
    return f"{module}.".startswith(f"{room}.")


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_go_one_way(package):
    others = [name for name in ALLOWED if name != package]
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, module in imports(path)
        if any(is_in(module, other) for other in others) and not any(is_in(module, room) for room in ALLOWED[package])
    ]
    assert not wrong, f"{package} must not import these:\n" + "\n".join(wrong)


def test_only_the_facade_of_bnext_keras_names_the_other_packages():
    naming = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "bnext_keras").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.split(".")[0] in ("converter", "android_demo") and " " not in node.value
    }
    assert naming <= {"bnext_keras/__init__.py"}


def test_only_one_module_of_converter_names_the_engine_above_it():
    naming = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "converter").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.split(".")[0] == "android_demo" and " " not in node.value
    }
    assert naming == {"converter/tflite/engine.py"}


def test_rooms_without_tensorflow_do_not_start_it():
    # One process for all: a room that starts TensorFlow ends it, so that none hides behind another one.
    program = """
import importlib, pkgutil, sys

def load(name):
    module = importlib.import_module(name)
    if "tensorflow" in sys.modules:
        sys.exit(f"importing {name} starts TensorFlow")
    return module

load("bnext_keras")
load("converter")
for name in sys.argv[1:]:
    for found in pkgutil.walk_packages(getattr(load(name), "__path__", ()), f"{name}."):
        if not found.name.endswith(".__main__"):
            load(found.name)
"""
    command = [sys.executable, "-c", program, *WITHOUT_TENSORFLOW]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr.strip().splitlines()[-1]
