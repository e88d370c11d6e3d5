"""The arguments of ``bnext-benchmark``. Nothing heavy is imported: ``--help`` answers at once."""

import argparse
import re
from dataclasses import MISSING, fields
from pathlib import Path

from bnext_keras.cli._tool import positive, tool_parser

from android_demo.cli import TOOL
from android_demo.results import Settings
from android_demo.session.procedure import Procedure
from android_demo.tools.downloads import CACHE, RELEASE_URL

DESCRIPTION = """\
Measure how long .tflite models take: on an Android phone over adb (the default, when one
is connected), on a board over SSH, on an emulated ARM64 CPU, or on this machine.

Every repetition starts the tool anew, on the fastest cores, after a pause to cool down;
results of throttled or emulated devices are marked as such.

bnext-benchmark compare and bnext-benchmark clean have a --help of their own."""

EPILOG = """\
devices:
  adb, adb:SERIAL     the phone that is connected, or the one with this serial number
  ssh:USER@HOST:PORT  a board or server that ssh reaches without a password
  qemu, qemu:CPU      an emulated ARM64 CPU; models run, their times mean nothing
  host                this machine; LCE runs there in its Python package

tools:
  This project's own engine runs what it can: compiled here, for 64-bit ARM and x86-64,
  it needs nothing on the device. lce_benchmark_model of Larq Compute Engine runs all
  models. LCE's release has it for 64-bit Android and for ARM Linux; it is fetched once
  into --cache. --runner both measures with either and compares. With --rival-tool,
  models without LCE's operators run in TensorFlow Lite's own benchmark_model.
  FILE@bnext, FILE@lce and FILE@tflite choose for one model.

examples:
  bnext-benchmark model.tflite                          on the phone that is connected
  bnext-benchmark a.tflite b.tflite --threads 1,4 --top1 a.tflite=72.4
  bnext-benchmark model.tflite --device adb --device ssh:pi@raspberrypi
  bnext-benchmark model.tflite --runner both            this project's engine beside LCE
  bnext-benchmark model.tflite --resume                 goes on after a pulled cable
  bnext-benchmark clean                                 removes what it put on the phone
  bnext-benchmark compare old/results.json new/results.json

exit status:
  0  everything was measured, throttled results included
  1  something was not; the table says what and why
  2  the command, a model, a tool or a device cannot be used; nothing was measured"""


def read_arguments(argv: list[str]) -> argparse.Namespace:
    """Parses the command line of a measurement.

    What it says about the measurement itself is in ``settings``, a tuple with one `Settings` for each number of
    threads, and in ``procedure``.

    Raises:
        SystemExit: with status 2 for a command that makes no sense, 0 after ``--help``.
    """
    parser = _parser()
    arguments = parser.parse_intermixed_args(argv)
    if not arguments.models and not arguments.clean:
        parser.error("name the models to measure")
    if not arguments.out.is_dir() and arguments.out.exists():
        parser.error(f"--out {arguments.out}: is a file; name a folder")
    if arguments.app:
        _check_app(parser, arguments)
    arguments.top1 = dict(arguments.top1)
    arguments.flags = tuple(arguments.flags)
    arguments.settings = tuple(_build(Settings, arguments, threads=count) for count in arguments.threads)
    arguments.procedure = _build(Procedure, arguments)
    return arguments


def _check_app(parser, arguments):
    """Refuses what an app does not do, and leaves it the cores that Android gives it."""
    asked = {name: getattr(arguments, name) for name in ("runs", "warmup_runs", "pin", "kernels")}
    asked |= {name: getattr(arguments, name) for name in ("flags", "test_file", "runner", "tool", "rival_tool")}
    own = {**_defaults(Settings), **_defaults(Procedure)}
    if changed := [name for name, value in asked.items() if value and value != own.get(name)]:
        names = {"flags": "tool-flag", "test_file": "test-data"}
        parser.error(f"--app: --{names.get(changed[0], changed[0].replace('_', '-'))} is not for apps; leave it out")
    arguments.pin, arguments.profile = "none", False


def _build(kind, arguments, **given):
    """A dataclass of the arguments that have its fields' names."""
    found = {field.name: getattr(arguments, field.name) for field in fields(kind) if field.name in arguments}
    return kind(**{**found, **given})


def _defaults(kind):
    return {field.name: field.default for field in fields(kind) if field.default is not MISSING}


def _parser():
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG)
    # Arguments with the name of a field have its default, and `_build` finds them by that name.
    parser.set_defaults(**_defaults(Settings), **_defaults(Procedure))
    add = parser.add_argument
    add("models", nargs="*", metavar="FILE", help="a .tflite file, as bnext-convert writes it")
    add_device_arguments(parser)
    add(
        "--out",
        type=Path,
        default=Path("benchmark-results"),
        metavar="DIR",
        help="folder for the results (default %(default)s)",
    )
    add("--resume", action="store_true", help="go on with the results in --out: measure only what is missing there")
    add("--clean", action="store_true", help="remove what was put on the device afterwards")

    group = parser.add_argument_group("how to measure")
    add = group.add_argument
    add("--threads", type=thread_counts, default=(1,), metavar="N,N", help="threads, each a measurement (default 1)")
    text = "least number of inferences in a repetition (default %(default)s)"
    add("--runs", type=positive, metavar="N", help=text)
    text = "least number of inferences before those (default %(default)s)"
    add("--warmup-runs", type=count, metavar="N", help=text)
    add("--repetitions", type=positive, metavar="N", help="times that the tool is started (default %(default)s)")
    add("--cool-down", type=seconds, metavar="S", help="seconds between repetitions (default %(default)s)")
    text = "cores: big for the fastest that suffice, none, or taskset's hexadecimal mask (default %(default)s)"
    add("--pin", type=core_choice, metavar="WHICH", help=text)
    text = "LCE's kernels of binary convolutions (default: the faster ones on an x86 host, LCE's default on devices)"
    add("--kernels", choices=("default", "indirect"), help=text)
    text = "leave out the last start of the tool, which times every operator"
    add("--no-profile", dest="profile", action="store_false", help=text)
    add("--timeout", type=seconds, metavar="S", help="seconds that a repetition may take (default %(default)s)")
    text = "top-1 accuracy in percent of a model, for the report; repeat for several"
    add("--top1", type=accuracy, action="append", default=[], metavar="FILE=PERCENT", help=text)

    text = (
        "measure the top-1 accuracy on the device, in the engine: an .npz file of images, as the model takes them, and "
    )
    add("--test-data", type=Path, dest="test_file", metavar="FILE", help=text + "labels")

    text = "run the engine in an app on the phone, as bnext-export apk makes it: installed, started, removed each time"
    add("--app", action="store_true", help=text)

    group = parser.add_argument_group("tools")
    add = group.add_argument
    text = "this project's engine, LCE's tool or both (default: the engine where it can run the file; LCE with --tool)"
    add("--runner", choices=("bnext", "lce", "both"), help=text)
    add("--tool", type=Path, metavar="FILE", help="your own lce_benchmark_model instead of the release's")
    add("--tool-sha256", type=sha256, metavar="HEX", help="SHA-256 that lce_benchmark_model must have")
    add("--rival-tool", type=Path, metavar="FILE", help="TensorFlow Lite's benchmark_model")
    text = "a further argument for the tool, as in --tool-flag=--use_xnnpack=false; repeat for several"
    add("--tool-flag", dest="flags", action="append", default=[], metavar="FLAG", help=text)
    add("--release-url", default=RELEASE_URL, metavar="URL", help="where to fetch the tool (default LCE's on GitHub)")
    return parser


def add_device_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``--device`` and what opening a device takes, see `open_targets`."""
    add = parser.add_argument
    add("--device", action="append", metavar="DEVICE", help="adb (default), ssh:..., qemu or host; repeat for several")
    text = "option for ssh -o, such as StrictHostKeyChecking=accept-new; repeat for several"
    add("--ssh-option", action="append", default=[], metavar="OPTION", help=text)
    add("--cache", type=Path, default=CACHE, metavar="DIR", help="folder for fetched tools (default %(default)s)")


def open_targets(arguments: argparse.Namespace) -> list:
    """The devices that a command line names, each once.

    Raises:
        BenchmarkError: if there is no such device.
    """
    from android_demo.targets import open_target

    options = tuple(arguments.ssh_option)
    return [open_target(text, arguments.cache, options) for text in dict.fromkeys(arguments.device or ["adb"])]


def count(text: str) -> int:
    """A type of argument: whole numbers from 0."""
    if int(text) < 0:
        raise ValueError(text)
    return int(text)


def seconds(text: str) -> float:
    """A type of argument: seconds from 0."""
    if not 0 <= float(text) < 1e6:
        raise ValueError(text)
    return float(text)


def thread_counts(text: str) -> tuple[int, ...]:
    """A type of argument: ``1,4``."""
    return tuple(dict.fromkeys(positive(number) for number in text.split(",")))


def core_choice(text: str) -> str:
    """A type of argument: ``big``, ``none`` or a hexadecimal mask."""
    if text not in ("big", "none"):
        if int(text, 16) <= 0:
            raise ValueError(text)
        return f"{int(text, 16):x}"
    return text


def sha256(text: str) -> str:
    """A type of argument: a digest."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no SHA-256 (64 hexadecimal digits)")
    return text.lower()


def accuracy(text: str) -> tuple[str, float]:
    """A type of argument: ``model.tflite=72.4``."""
    name, equals, percent = text.rpartition("=")
    if not equals or not 0 <= float(percent) <= 100:
        raise ValueError(text)
    return Path(name).name, float(percent)
