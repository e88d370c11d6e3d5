"""``import bnext_keras``: what it offers, and that it starts nothing that is not named."""

import subprocess
import sys

import bnext_keras

import pytest

#: Rooms that commands use before TensorFlow has to start.
WITHOUT_TENSORFLOW = (
    "bnext_keras.errors",
    "bnext_keras.files",
    "bnext_keras.text",
    "bnext_keras.labels",
    "bnext_keras.roles",
    "bnext_keras.cards",
    "bnext_keras.recipes",
    "bnext_keras.cli",
    "converter.tflite",
    "converter.cli",
    "android_demo",
)

IMPORT_ALL = """
import importlib, pkgutil, sys
room = importlib.import_module(sys.argv[1])
modules = pkgutil.walk_packages(getattr(room, "__path__", []), sys.argv[1] + ".")
for module in modules:
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        assert "tensorflow" not in sys.modules, module.name
assert "tensorflow" not in sys.modules
"""


def run(program, *arguments):
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)


def test_importing_it_starts_nothing_heavy():
    program = """
import sys, bnext_keras
dir(bnext_keras)
assert not {"tensorflow", "numpy", "larq", "converter", "android_demo"} & set(sys.modules)
"""
    result = run(program)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("room", WITHOUT_TENSORFLOW)
def test_a_room_needs_no_tensorflow(room):
    result = run(IMPORT_ALL, room)
    assert result.returncode == 0, result.stderr[-1000:]


def test_everything_that_it_names_is_there():
    assert set(bnext_keras.__all__) <= set(dir(bnext_keras))
    for name in bnext_keras.__all__:
        assert getattr(bnext_keras, name) is not None


def test_rooms_are_imported_from_it_by_name():
    from bnext_keras import models, training

    assert (models, training) == (bnext_keras.models, bnext_keras.training)
    assert bnext_keras.models.__name__ == "bnext_keras.models"


def test_it_shows_the_way_to_the_converter_and_to_the_benchmark():
    import android_demo
    import converter

    assert bnext_keras.convert is converter.convert
    assert bnext_keras.benchmark is android_demo


def test_what_it_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'bnext_keras' has no attribute 'trainer'"):
        bnext_keras.trainer  # noqa: B018


def test_dir_shows_what_is_there_and_no_names_that_the_files_need_themselves():
    import android_demo
    import converter

    for package in (bnext_keras, converter, android_demo):
        assert {name for name in dir(package) if not name.startswith("__")} == set(package.__all__) - {"__version__"}
        for name in package.__all__:
            assert getattr(package, name) is not None
