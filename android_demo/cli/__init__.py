"""``bnext-benchmark``: how long models take, on a phone, a board, an emulated ARM64 CPU or this machine.

A file for each subcommand; without one, the command measures.
"""

from bnext_keras.cli._tool import dispatch

TOOL = "bnext-benchmark"


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    from android_demo.cli import board, clean, compare, measure

    commands = {
        "": measure.main,
        "measure": measure.main,
        "compare": compare.main,
        "board": board.main,
        "clean": clean.main,
    }
    return dispatch(commands, argv)
