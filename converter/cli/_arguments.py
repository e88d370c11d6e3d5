"""The options of ``bnext-convert``, in groups, and what its ``--help`` says."""

import argparse
from pathlib import Path

from bnext_keras.cli._tool import (
    add_architecture_arguments,
    add_normalization_arguments,
    add_trust_argument,
    positive,
    tool_parser,
)

from converter.quantization.precision import ACTIVATIONS

TOOL = "bnext-convert"

#: As in `converter.runtimes.RUNTIMES` and `converter.source.camera.INPUT_TYPES`, which are not imported for ``--help``.
TARGETS, INPUT_TYPES = ("lce", "engine", "tflite", "onnx"), ("float32", "uint8")

USAGE = """\
bnext-convert [options] MODEL
       bnext-convert advise MODEL"""

DESCRIPTION = """\
Convert a trained Larq model into a file for Larq Compute Engine (LCE), with binary
convolutions on bits, or for another runtime (--target). The file is compared with the Keras
model first, and written only if it computes the same.

bnext-convert advise MODEL writes nothing and tells what keeps a model from running right or fast."""

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
  bnext-convert model.h5 --target onnx                     for ONNX Runtime
  bnext-convert model.h5 --input uint8 --softmax           takes a camera's pixels, gives probabilities
  bnext-convert model.h5 --verify-engine                   verifies this project's own engine as it verifies LCE
  bnext-convert saved_model_folder --verify-data photos/   compares on your images too
  bnext-convert bnext_tiny.weights.h5 --model BNextTiny    a file of weights only

exit status:
  0  the file has been written and computes what the Keras model computes
  1  it does not (a binary convolution stayed float, or answers differ beyond rounding); nothing is
     written but --json and --report, which tell why
  2  the model or the command cannot be used; one line says why; nothing is written"""


ADVISE_DESCRIPTION = """\
Tell what keeps a model from running right or fast in Larq Compute Engine, layer by layer,
with a remedy. The model is compiled for that, and nothing is written."""

ADVISE_EPILOG = """\
exit status:
  0  the model can be converted, unless the file turns out to compute something else
  2  it cannot, or its file cannot be read; one line says why"""


def suffix(target: str) -> str:
    """How files for a runtime end.

    >>> suffix("tflite"), suffix("onnx")
    ('.tflite', '.onnx')
    """
    return ".onnx" if target == "onnx" else ".tflite"


def read_arguments(argv: list[str] | None) -> argparse.Namespace:
    """What the command line of a conversion says."""
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG, usage=USAGE)
    _add_model(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="file to write (default: beside the model, under its name with .tflite, or .onnx with --target onnx)",
    )
    add_trust_argument(parser)
    _add_form(parser.add_argument_group("the file"))
    _add_bits(parser.add_argument_group("fewer bits: answers change, and the report says by how much"))
    _add_checks(parser.add_argument_group("checks and reports"))
    _add_changes(parser.add_argument_group("how the model is taken"))
    add_normalization_arguments(parser)
    add_architecture_arguments(parser)
    parser.add_argument("--advise", action="store_true", help=argparse.SUPPRESS)
    return _parse(parser, argv)


def read_advise_arguments(argv: list[str] | None) -> argparse.Namespace:
    """What the command line of ``bnext-convert advise`` says."""
    parser = tool_parser(f"{TOOL} advise", ADVISE_DESCRIPTION, ADVISE_EPILOG)
    _add_model(parser)
    add_trust_argument(parser)
    add_architecture_arguments(parser)
    return _parse(parser, argv)


def _parse(parser, argv):
    arguments, extra = parser.parse_known_args(argv)
    if extra and not any(argument.startswith("-") for argument in extra):
        files = " ".join(extra)
        parser.error(f"takes one model at a time, not {files} too; give each a command of its own")
    elif extra:
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    return arguments


def _add_model(parser):
    parser.add_argument("input", type=Path, metavar="MODEL", help="a .h5 or .keras file, or a SavedModel folder")


def _add_form(group):
    group.add_argument(
        "--target",
        choices=TARGETS,
        default="lce",
        help="what runs it. lce: Larq Compute Engine (default). engine: this project's engine alone, which reads "
        "weights of 4 bits. tflite: any runtime of TensorFlow Lite's own operators, such as LiteRT on iOS. onnx: ONNX "
        "Runtime. For the last two, binary convolutions are exact as well, but larger and slower",
    )
    group.add_argument(
        "--input",
        dest="input_type",
        choices=INPUT_TYPES,
        default="float32",
        help="uint8: it takes pixels from 0 to 255, as cameras give them, and normalizes them itself (default: what "
        "the model takes)",
    )
    group.add_argument("--softmax", action="store_true", help="it gives probabilities, though the model gives logits")
    group.add_argument(
        "--batch",
        type=positive,
        default=1,
        metavar="N",
        help="how many images it takes at once (default 1; this project's engine takes no more)",
    )
    group.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="names of the classes for it to state: text, one per line, or Keras' imagenet_class_index.json (default: "
        "those that the model states, as models of bnext-train do; ImageNet's for a published one of 1000 classes)",
    )


def _add_bits(group):
    group.add_argument(
        "--weights",
        default="float32",
        metavar="TYPE",
        help="weights of layers that are not binary: float32 (default) or int8; by role, as in stem=int8,head=int8 "
        "(there are stem, se for squeeze-and-expand, head, other); or the bits of stem, squeeze-and-expand and head, "
        "as in 8/32/8. int4 and 8/4/8 need --target engine. Give --verify-data",
    )
    group.add_argument(
        "--activations",
        choices=ACTIVATIONS,
        default="float32",
        help="int8: float operators compute in 8 bits, weights and activations, so that some signs turn over. Needs "
        "--calibration-data; give --verify-data of other images",
    )
    group.add_argument(
        "--calibration-data",
        type=Path,
        metavar="PATH",
        help="some hundred inputs like those that the network will see, from which int8 activations get their ranges; "
        "in the forms of --verify-data",
    )


def _add_checks(group):
    group.add_argument(
        "--verify-data",
        type=Path,
        metavar="PATH",
        help="compare the file with Keras on these inputs, too, besides some that are made on the spot: a folder of "
        "images, or a .npy file of model inputs (.npz of several inputs)",
    )
    group.add_argument(
        "--verify-engine",
        action="store_true",
        help="compare what this project's engine computes with Keras, too; nothing is written if it differs",
    )
    group.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
    group.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write the report as a web page, with the time of each operator on this machine",
    )
    group.add_argument(
        "--profile",
        action="store_true",
        help="measure these times without --report, for the terminal and --json, which takes some seconds",
    )
    group.add_argument(
        "--no-engine", action="store_true", help="leave this project's engine out of the times of LCE's files"
    )


def _add_changes(group):
    group.add_argument(
        "--no-rotation",
        action="store_true",
        help="leave out the first layer of a model of bnext-import, which turns images by 180 degrees: the file then "
        "wants them turned by the caller, who often can do it for nothing",
    )
    group.add_argument(
        "--no-simplify",
        action="store_true",
        help="keep every operator of the Keras model, without the exact rewrites that make them fewer",
    )
    group.add_argument(
        "--harden",
        action="store_true",
        help="take the signs of kernels that were not binary yet when training ended, as validation does; measure the "
        "accuracy, which may be far from that in training",
    )
    group.add_argument(
        "--recalibrate",
        type=Path,
        metavar="PATH",
        help="measure the statistics of batch normalizations anew, with --harden say, on a folder of images or a .npy "
        "file of model inputs; the Keras file stays what it is",
    )
    group.add_argument(
        "--float32",
        action="store_true",
        help="take a model of float64 or float16 for one of float32; one that was trained in mixed precision needs no "
        "option",
    )
