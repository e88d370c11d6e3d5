"""Compiles a ``.tflite`` file into a plan: reads, rewrites, schedules, places and writes. NumPy alone is needed.

``source``     a file becomes a `network.Network`
``rewrites``   exact rewrites
``schedule``   the order of steps; operations on elements become maps
``memory``     places in the arena
``emit``       the plan
"""

from android_demo.runner.compiler.emit import emit
from android_demo.runner.compiler.memory import place_parts
from android_demo.runner.compiler.rewrites import rewrite
from android_demo.runner.compiler.schedule import schedule
from android_demo.runner.compiler.source import UnsupportedOperator, read
from converter.tflite.flatbuffer import Flatbuffer

__all__ = ["UnsupportedOperator", "compile_plan"]


def compile_plan(content: bytes | Flatbuffer) -> bytes:
    """The plan of a ``.tflite`` file.

    Args:
        content: Its bytes, or the file as it has been parsed.

    Raises:
        ConversionError: if the file is damaged.
        UnsupportedOperator: if the engine lacks one of its operators; the message has its name.
    """
    network = read(content)
    rewrite(network)
    storage = place_parts(network)
    groups = schedule(network)
    return emit(network, groups, storage).pack()
