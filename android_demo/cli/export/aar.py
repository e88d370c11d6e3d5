"""``bnext-export aar``: a library for Android apps."""

from pathlib import Path

from bnext_keras.cli._tool import run, tool_parser
from bnext_keras.files import check_outputs, write_all
from bnext_keras.text import format_bytes, printable

from android_demo.cli.export import TOOL
from android_demo.cli.export._network import check_model, output_file

DESCRIPTION = """\
Make a library for Android apps, an .aar file: the engine for 64-bit ARM and x86-64, with an
Interpreter for Java and Kotlin in the manner of TensorFlow Lite's. The network of a .tflite
file, if one is named, is among its assets. Neither Google's SDK nor its NDK is needed: a
JDK compiles the classes, the compiler that pip brings the engine."""

EPILOG = """\
examples:
  bnext-export aar model.tflite                 writes model.aar and model-sources.jar
  bnext-export aar -o app/libs/                 the engine alone: app/libs/bnext.aar

In the app: implementation(files("libs/model.aar")), then
  Interpreter(Interpreter.readPlan(assets.open("model.bnext")))

exit status:
  0  the library has been written
  2  the model, the command or a compiler cannot be used; one line says why; nothing is written"""


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    return run(TOOL, _aar, _parser().parse_args(argv))


def _aar(arguments):
    model = arguments.model_file
    if model:
        check_model(model)
    output = output_file(arguments.output, model.with_suffix(".aar") if model else Path("bnext.aar"))
    texts = output.with_name(f"{output.stem}-sources.jar")
    check_outputs([output, texts], [model] if model else [])
    from android_demo.export.aar import render, sources

    assets, told = _assets(model) if model else ({}, [])
    content = render(assets)
    write_all({output: content, texts: sources()})
    for line in (f"{output}: {format_bytes(len(content))}; its sources are in {texts.name}", *told):
        print(printable(line))
    return 0


def _assets(model):
    """The network and the names of its classes, by name, and what whoever uses it has to know."""
    from android_demo.export.model import read_plan
    from android_demo.runner.plan import read_interface

    plan, metadata = read_plan(model)
    found = read_interface(plan)
    told = [f"assets/{model.stem}.bnext: takes {_shapes(found.input_shapes)}, gives {_shapes(found.output_shapes)}"]
    assets = {f"{model.stem}.bnext": plan}
    if metadata and metadata.labels:
        assets[f"{model.stem}.txt"] = "".join(f"{label}\n" for label in metadata.labels).encode()
        told.append(f"assets/{model.stem}.txt: the names of its {len(metadata.labels)} classes, one on each line")
    if metadata and metadata.normalization:
        mean, std = (", ".join(f"{value:g}" for value in values) for values in _channels(metadata.normalization))
        told.append(f"its images are (pixel / 255 - mean) / std, of mean {mean} and std {std}")
    return assets, told


def _channels(normalization):
    return [value if isinstance(value, tuple | list) else (value,) for value in (normalization.mean, normalization.std)]


def _shapes(shapes):
    return ", ".join("x".join(map(str, shape)) for shape in shapes)


def _parser():
    parser = tool_parser(f"{TOOL} aar", DESCRIPTION, EPILOG)
    add = parser.add_argument
    text = "a .tflite file, as bnext-convert writes it (default: the engine alone)"
    add("model_file", type=Path, nargs="?", metavar="MODEL", help=text)
    text = "an .aar file, or a folder for one (default: beside the model)"
    add("-o", "--output", type=Path, metavar="PLACE", help=text)
    return parser
