"""``bnext-convert``: from a trained Keras file to a verified ``.tflite``.

Nothing heavy is imported before the arguments are known to be good.
"""

import json
import sys
from pathlib import Path

from converter.command_line import add_architecture_arguments, quiet_tensorflow, silenced, tool_parser
from converter.errors import ConversionError, VerificationError
from converter.files import check_exists, check_writable, write_atomically

DESCRIPTION = """\
Convert a trained Larq model into a .tflite file for Larq Compute Engine, with binary
convolutions bitpacked, and verify it against Keras before it is written."""

EPILOG = """\
examples:
  bnext-convert model.h5                                   writes model.tflite beside it
  bnext-convert model.keras -o phone.tflite --json report.json
  bnext-convert bnext_tiny.h5 --no-rotation                the caller turns the images (see bnext-import)
  bnext-convert saved_model_folder --verify-data photos/   compares on your images too
  bnext-convert bnext_tiny.weights.h5 --model BNextTiny    a file of weights only

exit status:
  0  the file has been written and computes what the Keras model computes
  1  it does not (a binary convolution stayed float, or answers differ beyond rounding); nothing is written
  2  the model or the command cannot be used; one line says why; nothing is written"""


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    quiet_tensorflow()
    from rich.console import Console

    console, messages = Console(), Console(stderr=True)
    try:
        return _run(arguments, console, messages)
    except VerificationError as error:
        from converter.report import print_report

        print_report(error.result, console)
        _write_json(arguments.json, error.result)
        print(f"bnext-convert: {error}; nothing has been written", file=sys.stderr)
        return 1
    except ConversionError as error:
        print(f"bnext-convert: {error}", file=sys.stderr)
        return 2


def _run(arguments, console, messages):
    for path in filter(None, (arguments.input, arguments.verify_data)):
        check_exists(path)
    for path in filter(None, (arguments.output, arguments.json)):
        check_writable(path)
    with messages.status("starting TensorFlow") as status:
        with silenced():
            from converter import convert
            from converter.report import print_report
        result = convert(
            arguments.input,
            arguments.output,
            verify_data=arguments.verify_data,
            architecture=arguments.model,
            input_size=arguments.input_size,
            num_classes=arguments.num_classes,
            rotation=not arguments.no_rotation,
            progress=lambda step: status.update(f"{arguments.input.name}: {step}"),
        )
    print_report(result, console)
    _write_json(arguments.json, result)
    return 0


def _write_json(path, result):
    if path is not None:
        write_atomically(path, (json.dumps(result.to_dict(), indent=2) + "\n").encode())


def _parser():
    parser = tool_parser("bnext-convert", DESCRIPTION, EPILOG)
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
        "--no-rotation",
        action="store_true",
        help="for a model of bnext-import: leave out its first operator, which turns images by 180 degrees; "
        "the file then wants them turned by the caller, who often can do it for nothing",
    )
    add_architecture_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
