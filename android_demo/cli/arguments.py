"""The arguments of ``bnext-benchmark``. Nothing heavy is imported: ``--help`` answers at once."""

import argparse
import re
from dataclasses import MISSING, fields, replace
from pathlib import Path

from bnext_keras.cli._tool import positive, tool_parser

from android_demo.cli import TOOL
from android_demo.records import check_text
from android_demo.results import SINGLE_STREAM_QUERIES, SINGLE_STREAM_SECONDS, Settings
from android_demo.session.procedure import Procedure
from android_demo.tools.downloads import CACHE, RELEASE_URL

DESCRIPTION = """\
Measure how long .tflite models take: on an Android phone over adb (the default, when one
is connected), on a board over SSH, on an emulated ARM64 CPU, or on this machine.

Every repetition starts the tool anew, on the fastest cores, after a pause to cool down;
results of throttled or emulated devices are marked as such.

bnext-benchmark compare, board and clean have a --help of their own."""

#: Seconds of a repetition in a sustained run: a point of the page's curve.
_SLICE = 10.0

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
  bnext-benchmark a.tflite --accuracy results.json      what bnext-evaluate --json wrote
  bnext-benchmark model.tflite --device adb --device ssh:pi@raspberrypi
  bnext-benchmark model.tflite --runner both            this project's engine beside LCE
  bnext-benchmark model.tflite --resume                 goes on after a pulled cable
  bnext-benchmark model.tflite --fixed-clocks --cool-to 35 --mlperf
  bnext-benchmark model.tflite --sustain 10             a curve of latency, heat and clocks
  bnext-benchmark clean                                 removes what it put on the phone
  bnext-benchmark compare old/results.json new/results.json
  bnext-benchmark board anna/ ben/ -o board.html        several people's results in a table

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
    arguments.settings = tuple(_settings(parser, arguments, count) for count in arguments.threads)
    arguments.procedure = _build(Procedure, arguments)
    return arguments


def _settings(parser, arguments, threads):
    repetitions = arguments.repetitions
    settings = _build(Settings, arguments, threads=threads, repetitions=repetitions or Settings.repetitions)
    if arguments.mlperf and arguments.sustain_minutes is not None:
        parser.error("--mlperf and --sustain measure different things; choose one")
    if arguments.mlperf:
        runs = max(settings.runs, SINGLE_STREAM_QUERIES)
        return replace(settings, runs=runs, min_seconds=float(SINGLE_STREAM_SECONDS), repetitions=repetitions or 1)
    if arguments.sustain_minutes is not None:
        if repetitions:
            parser.error("--sustain starts the tool as often as fits into its minutes; leave out --repetitions")
        return replace(settings, runs=1, min_seconds=_SLICE, repetitions=1)
    return settings


def _check_app(parser, arguments):
    """Refuses what an app does not do, and leaves it the cores that Android gives it."""
    asked = {name: getattr(arguments, name) for name in ("runs", "warmup_runs", "pin", "kernels")}
    others = ("flags", "test_file", "runner", "tool", "rival_tool", "mlperf", "energy")
    asked |= {name: getattr(arguments, name) for name in others}
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
    # None tells whether a number of repetitions was given, which other options have their own of.
    parser.set_defaults(**{**_defaults(Settings), **_defaults(Procedure), "repetitions": None})
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
    add(
        "--repetitions",
        type=positive,
        metavar="N",
        help=f"times that the tool is started (default {Settings.repetitions})",
    )
    add("--cool-down", type=seconds, metavar="S", help="seconds between repetitions (default %(default)s)")
    text = (
        "degrees Celsius to cool down to before a repetition, instead of seconds; 35 is a phone at rest in a cool room"
    )
    add("--cool-to", type=degrees, metavar="C", help=text)
    text = (
        "bound the clocks by Android's fixed-performance mode (Android 11 and later, where a phone has it), meanwhile"
    )
    add("--fixed-clocks", dest="clocks", action="store_const", const="fixed", help=text)
    add("--stay-on", action="store_true", help="keep the screen of a phone on USB on, meanwhile")
    text = "a run as in MLPerf's single stream: the 90th percentile of 1024 inferences or more in 60 seconds or more"
    add("--mlperf", action="store_true", help=text)
    text = "run without a pause for so long, and draw latency, temperature and clocks over time"
    add("--sustain", type=minutes, dest="sustain_minutes", metavar="MINUTES", help=text)
    text = (
        "measure the energy of an inference of the whole device, beyond idling: off the charger, in three minutes more"
    )
    add("--energy", action="store_true", help=text)
    add("--who", type=who, metavar="NAME", help="who measures, for boards of several people's results")
    text = "cores: big for the fastest that suffice, none, or taskset's hexadecimal mask (default %(default)s)"
    add("--pin", type=core_choice, metavar="WHICH", help=text)
    text = "LCE's kernels of binary convolutions (default: the faster ones on an x86 host, LCE's default on devices)"
    add("--kernels", choices=("default", "indirect"), help=text)
    text = "leave out the last start of the tool, which times every operator"
    add("--no-profile", dest="profile", action="store_false", help=text)
    add("--timeout", type=seconds, metavar="S", help="seconds that a repetition may take (default %(default)s)")
    text = "top-1 accuracy in percent of a model, for the report; repeat for several"
    add("--top1", type=accuracy, action="append", default=[], metavar="FILE=PERCENT", help=text)

    text = "take accuracies from what bnext-evaluate --json wrote, of files with that very content; --top1 goes first"
    add("--accuracy", type=Path, metavar="FILE", help=text)
    text = (
        "measure the top-1 accuracy on the device, in the engine: a folder that has one of pictures for each class, or "
        "an .npz file of images, as the model takes them, and labels"
    )
    add("--test-data", "--data", type=Path, dest="test_file", metavar="PLACE", help=text)

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


def minutes(text: str) -> float:
    """A type of argument: minutes above 0, a day at most."""
    if not 0 < float(text) <= 24 * 60:
        raise ValueError(text)
    return float(text)


def degrees(text: str) -> float:
    """A type of argument: degrees Celsius."""
    if not 0 < float(text) < 150:
        raise ValueError(text)
    return float(text)


def who(text: str) -> str:
    """A type of argument: a name, which results can hold."""
    check_text(text, "name", "write it in UTF-8")
    return text.strip()


def thread_counts(text: str) -> tuple[int, ...]:
    """A type of argument: ``1,4``."""
    try:
        return tuple(dict.fromkeys(positive(number) for number in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of threads, nor several such as 1,4") from None


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
    name, _, percent = text.rpartition("=")
    try:
        if name and 0 <= float(percent) <= 100:
            return Path(name).name, float(percent)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no file and its accuracy, such as model.tflite=72.4 (percent)")
