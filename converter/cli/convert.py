"""``bnext-convert``: from a trained Keras file to a verified ``.tflite``.

Nothing heavy is imported before the arguments are known to be good.
"""

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path

from bnext_keras.cli._tool import (
    add_architecture_arguments,
    add_normalization_arguments,
    add_trust_argument,
    complain,
    dispatch,
    normalization,
    quiet_tensorflow,
    renamed,
    run,
    silenced,
    tool_parser,
)
from bnext_keras.errors import ConversionError, VerificationError
from bnext_keras.files import check_exists, check_outputs, write_all
from bnext_keras.labels import read_labels

from converter.cli._form import add_form_arguments, suffix
from converter.quantization.precision import ACTIVATIONS, check_activations, check_weights, parse_weights

TOOL = "bnext-convert"

#: The target whose operators nothing times, one by one.
_NOT_PROFILED = "onnx"

DESCRIPTION = """\
Convert a trained Larq model into a .tflite file for Larq Compute Engine, with binary
convolutions bitpacked, and verify it against Keras before it is written."""

EPILOG = """\
examples:
  bnext-convert model.h5                                   writes model.tflite beside it
  bnext-convert model.keras -o phone.tflite --json report.json
  bnext-convert model.h5 --report report.html              a web page: every layer and operator, and its time here
  bnext-convert advise model.h5                            what keeps a model of yours from running right or fast
  bnext-convert bnext_tiny.h5 --no-rotation                the caller turns the images (see bnext-import)
  bnext-convert model.h5 --weights int8 --verify-data photos/    8-bit weights for what is not binary
  bnext-convert model.h5 --activations int8 --calibration-data photos/    8 bits for activations, too
  bnext-convert model.h5 --target engine --weights 8/4/8   4-bit squeeze-and-expand, for this project's engine alone
  bnext-convert model.h5 --target tflite                   for runtimes that lack LCE's operators: iOS, LiteRT
  bnext-convert model.h5 --input uint8 --softmax           takes a camera's pixels, gives probabilities
  bnext-convert model.h5 --verify-engine                   verifies this project's own engine as it verifies LCE
  bnext-convert saved_model_folder --verify-data photos/   compares on your images too
  bnext-convert bnext_tiny.weights.h5 --model BNextTiny    a file of weights only

exit status:
  0  the file has been written and computes what the Keras model computes
  1  it does not (a binary convolution stayed float, or answers differ beyond rounding); nothing is written
  2  the model or the command cannot be used; one line says why; nothing is written"""


ADVISE_DESCRIPTION = """\
Tell what keeps a model from running right or fast in Larq Compute Engine, layer by layer,
with a remedy. Nothing is converted or written."""

ADVISE_EPILOG = """\
exit status:
  0  the model can be converted
  2  it cannot, or its file cannot be read; one line says why"""


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    return dispatch({"": _main_convert, "advise": _main_advise}, argv)


def _main_convert(argv):
    arguments = _parse(_parser(), argv)
    if arguments.advise:
        renamed(TOOL, "--advise", "bnext-convert advise MODEL")
        return run(TOOL, _advise, arguments)
    return run(TOOL, _convert, arguments)


def _main_advise(argv):
    return run(TOOL, _advise, _parse(_advise_parser(), argv))


def _convert(arguments):
    quiet_tensorflow()
    from bnext_keras.console import SafeConsole

    console, messages = SafeConsole(), SafeConsole(stderr=True)
    try:
        return _convert_verified(arguments, console, messages)
    except VerificationError as error:
        from converter.report.terminal import print_report

        print_report(error.result, console)
        _write_reports(arguments, error.result)
        complain(TOOL, f"{error}; nothing has been written")
        return error.exit_code


def _convert_verified(arguments, console, messages):
    if arguments.profile and arguments.target == _NOT_PROFILED:
        raise ConversionError(
            f"--profile times operators of .tflite files, not of --target {_NOT_PROFILED}", remedy="leave it out"
        )
    if arguments.no_engine and arguments.target == "engine":
        raise ConversionError(
            "--no-engine: files of --target engine are timed in the engine alone", remedy="leave it out"
        )
    weights = parse_weights(arguments.weights)
    check_weights(weights, arguments.target)
    check_activations(
        arguments.activations,
        weights,
        is_calibrated=arguments.calibration_data is not None,
        target=arguments.target,
        engine=arguments.verify_engine,
    )
    labels, scale = read_labels(arguments.labels) if arguments.labels else None, normalization(arguments)
    read = (arguments.input, arguments.verify_data, arguments.calibration_data, arguments.recalibrate)
    for path in filter(None, read):
        check_exists(path)
    outputs = [arguments.output, arguments.json, arguments.report]
    # A .tflite file as the model is refused when it is read, with a better reason.
    if arguments.output is None and arguments.input.suffix != ".tflite":
        outputs.append(arguments.input.with_suffix(suffix(arguments.target)))
    check_outputs(filter(None, outputs), filter(None, (*read, arguments.labels)))
    with messages.status("starting TensorFlow") as status:
        with silenced():
            from converter import convert
            from converter.report.terminal import print_report
        result = convert(
            arguments.input,
            arguments.output,
            verify_data=arguments.verify_data,
            architecture=arguments.model,
            input_size=arguments.input_size,
            num_classes=arguments.num_classes,
            rotation=not arguments.no_rotation,
            simplify=not arguments.no_simplify,
            harden=arguments.harden,
            recalibrate=arguments.recalibrate,
            float32=arguments.float32,
            weights=weights,
            activations=arguments.activations,
            calibration_data=arguments.calibration_data,
            labels=labels,
            normalization=scale,
            trusted=arguments.trust,
            engines=_engines(arguments),
            target=arguments.target,
            input_type=arguments.input_type,
            softmax=arguments.softmax,
            batch=arguments.batch,
            progress=lambda step: status.update(f"{arguments.input.name}: {step}"),
        )
        if (arguments.profile or arguments.report) and arguments.target != _NOT_PROFILED:
            result.profile = _profile(result, not arguments.no_engine, status)
    print_report(result, console)
    _write_reports(arguments, result)
    return 0


def _profile(result, engine, status):
    """How long each operator takes: in the engine if the file is for it, otherwise in LCE's interpreter."""
    from converter import profile, profile_engine

    def progress(step):
        status.update(f"{result.name}: {step}")

    if result.runtime.is_engine:
        return profile_engine(result.content, progress=progress)
    return profile(result.content, progress=progress, engine=engine)


def _engines(arguments):
    """What else is to be verified, as `converter.convert` takes it."""
    if not arguments.verify_engine:
        return {}
    from converter.tflite.engine import open_engine

    return {"the engine": partial(open_engine, threads=os.cpu_count() or 1)}


def _advise(arguments):
    quiet_tensorflow()
    from bnext_keras.console import SafeConsole

    check_exists(arguments.input)
    console = SafeConsole()
    with SafeConsole(stderr=True).status("starting TensorFlow"):
        with silenced():
            from converter.advice import advise
            from converter.compiler import preflight
            from converter.compiler.trace import trace
            from converter.report.terminal import print_advice
            from converter.source.binary_layers import signs_moved_into_convolutions
            from converter.source.loading import load
            from converter.source.rebuilding import taken_as_float32
        model = load(
            arguments.input,
            arguments.model,
            arguments.input_size,
            arguments.num_classes,
            trusted=arguments.trust,
        )
    model, _ = taken_as_float32(model, on_demand=False)
    found = advise(model, refusals=True)
    if found:
        print_advice(found, console)
    with signs_moved_into_convolutions(model):
        preflight.check(model)
        preflight.check_graph(trace(model), model)
    if not found:
        # Of a model that is refused this could not be said.
        print_advice(found, console)
    return 0


def _write_reports(arguments, result):
    reports = {}
    if arguments.json is not None:
        reports[arguments.json] = (json.dumps(result.to_dict(), indent=2) + "\n").encode()
    if arguments.report is not None:
        from converter.report.html import render_html

        reports[arguments.report] = render_html(result).encode()
    write_all(reports)


def _parse(parser, argv):
    arguments, extra = parser.parse_known_args(argv)
    if extra and not any(argument.startswith("-") for argument in extra):
        files = " ".join(extra)
        parser.error(f"takes one model at a time, not {files} too; give each a command of its own")
    elif extra:
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    return arguments


def _parser():
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG)
    parser.add_argument("input", type=Path, help="a .h5 or .keras file, or a SavedModel folder")
    parser.add_argument("-o", "--output", type=Path, help="file to write (default: the input's name with .tflite)")
    parser.add_argument(
        "--verify-data",
        type=Path,
        metavar="PATH",
        help="compare on these inputs too: a folder of images, or a .npy file of model inputs",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON too")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write the report as a web page too, with the time of each operator on this machine",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="measure the time of each operator on this machine, which takes some seconds (--report does it anyway)",
    )
    parser.add_argument(
        "--verify-engine",
        action="store_true",
        help="verify that this project's own engine computes what Keras computes, too; else nothing is written",
    )
    parser.add_argument(
        "--no-engine", action="store_true", help="leave this project's own engine out of what --profile measures"
    )
    parser.add_argument("--advise", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "--no-rotation",
        action="store_true",
        help="for a model of bnext-import: leave out its first operator, which turns images by 180 degrees; "
        "the file then wants them turned by the caller, who often can do it for nothing",
    )
    parser.add_argument(
        "--no-simplify",
        action="store_true",
        help="keep every operator of the Keras model instead of rewriting them, exactly up to rounding, to fewer",
    )
    parser.add_argument(
        "--harden",
        action="store_true",
        help="convert a model whose training ended before its kernels were binary, with their signs, as validation "
        "used them; measure its accuracy, which may be far from that in training",
    )
    parser.add_argument(
        "--recalibrate",
        type=Path,
        metavar="PATH",
        help="measure the statistics of batch normalizations anew on these images, with --harden say: a folder, or a "
        ".npy file of model inputs; the Keras file stays what it is",
    )
    parser.add_argument(
        "--float32",
        action="store_true",
        help="convert a model of float64 or float16 as one of float32, which is what it is compared with; one that was "
        "trained in mixed precision, whose weights are float32, needs no option",
    )
    parser.add_argument(
        "--weights",
        default="float32",
        metavar="TYPE",
        help="float32 (default) or int8 for all float layers; or by role: "
        "stem=float32,se=int8,head=int8,other=float32; or bits of stem, squeeze-and-expand and head as in training, "
        "8/32/8; 4 bits (int4, 8/4/8) go with --target engine alone, since LCE cannot read them; fewer bits change the "
        "answers, and the report says by how much: give --verify-data",
    )
    parser.add_argument(
        "--activations",
        choices=ACTIVATIONS,
        default="float32",
        help="int8: float operators compute in 8 bits, weights and activations, which is an approximation that turns "
        "some signs over, and the report says how many: give --calibration-data, and --verify-data of other images",
    )
    parser.add_argument(
        "--calibration-data",
        type=Path,
        metavar="PATH",
        help="some hundred inputs like those that the network will see, whose values decide on the ranges of int8 "
        "activations: a folder of images, or a .npy file of model inputs",
    )
    add_form_arguments(parser)
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="names of the classes, one per line, to put into the file (default: those that the model states, as "
        "models of bnext-train do; ImageNet's for a published one of 1000 classes)",
    )
    add_normalization_arguments(parser)
    add_trust_argument(parser)
    add_architecture_arguments(parser)
    return parser


def _advise_parser():
    parser = tool_parser(f"{TOOL} advise", ADVISE_DESCRIPTION, ADVISE_EPILOG)
    parser.add_argument("input", type=Path, help="a .h5 or .keras file, or a SavedModel folder")
    add_trust_argument(parser)
    add_architecture_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
