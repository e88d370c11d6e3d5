"""``bnext-export wheel``: a Python package with the engine alone."""

from pathlib import Path

from bnext_keras.cli._tool import run, tool_parser
from bnext_keras.files import check_outputs, write_atomically
from bnext_keras.text import format_bytes, printable

from android_demo.cli.export import TOOL
from android_demo.export.wheel import PLATFORMS, make_wheel

DESCRIPTION = """\
Make a wheel of bnext-runtime: the engine that runs converted networks, for machines without
TensorFlow, a Raspberry Pi or a server say. It needs NumPy and nothing else, no compiler
either, and is made here for any of these machines."""

EPILOG = """\
examples:
  bnext-export wheel --arch aarch64 -o dist/       64-bit Raspberry Pi OS, ARM servers
  bnext-export wheel --arch x86_64 -o dist/        Linux on Intel and AMD
  scp dist/*aarch64.whl pi@raspberrypi:
  ssh pi@raspberrypi 'python3 -m venv env && env/bin/pip install *aarch64.whl'

There, in env/bin/python:
  from bnext_runtime import Interpreter
  Interpreter("model.tflite", num_threads=4).predict(images)

Wheels for macOS and Windows have not been tried on such machines.

exit status:
  0  the wheel has been written
  2  it cannot be made; one line says why; nothing is written"""


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    return run(TOOL, _wheel, _parser().parse_args(argv))


def _wheel(arguments):
    folder = arguments.output
    # Checked before anything is compiled.
    check_outputs([folder / "bnext_runtime.whl"])
    name, content = make_wheel(PLATFORMS[arguments.arch])
    write_atomically(folder / name, content)
    print(printable(f"{folder / name}: {format_bytes(len(content))}; pip install it on that machine"))
    return 0


def _parser():
    parser = tool_parser(f"{TOOL} wheel", DESCRIPTION, EPILOG)
    add = parser.add_argument
    text = f"the machine that it is for: {', '.join(PLATFORMS)}"
    add("--arch", choices=list(PLATFORMS), required=True, metavar="WHICH", help=text)
    add("-o", "--output", type=Path, default=Path("dist"), metavar="DIR", help="folder for it (default %(default)s)")
    return parser
