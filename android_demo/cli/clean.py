"""``bnext-benchmark clean``: removes from devices what measuring put there."""

import argparse

from bnext_keras.cli._tool import run, tool_parser

from android_demo.cli import TOOL
from android_demo.cli.arguments import add_device_arguments, open_targets

DESCRIPTION = "Remove what bnext-benchmark put on a device: its folder with tools and models."

EPILOG = """\
examples:
  bnext-benchmark clean                            the phone that is connected
  bnext-benchmark clean --device ssh:pi@raspberrypi

exit status:
  0  nothing is left
  2  a device cannot be reached; one line says why"""


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    parser = tool_parser(f"{TOOL} clean", DESCRIPTION, EPILOG)
    add_device_arguments(parser)
    return run(TOOL, clean, parser.parse_args(argv))


def clean(arguments: argparse.Namespace) -> int:
    """Cleans every device of a command line."""
    from bnext_keras.console import SafeConsole

    for target in open_targets(arguments):
        count = target.clean()
        line = f"{target.name}: removed {target.folder} with {count} file{'s' * (count != 1)}"
        SafeConsole().print(line, soft_wrap=True)
    return 0
