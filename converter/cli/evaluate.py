"""``bnext-evaluate``: how many labelled images models classify rightly, side by side.

Nothing heavy is imported before the arguments are known to be good.
"""

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path

from bnext_keras.cli._tool import (
    complain,
    normalization,
    quiet_tensorflow,
    run,
    silenced,
    tool_parser,
)
from bnext_keras.errors import PredictionError, UserError
from bnext_keras.extras import require
from bnext_keras.files import check_exists, check_outputs, write_all
from bnext_keras.labels import read_labels

from converter.cli._running import add_running_arguments

TOOL = "bnext-evaluate"

DESCRIPTION = """\
Measure how many labelled images models classify rightly: top-1 and top-5, class by class, and
whether two models differ beyond chance. All of them see the same images, normalized as each
model's file says. A .tflite file runs in this project's engine where that can run it."""

EPILOG = """\
examples:
  bnext-evaluate phone.tflite photos/val/
  bnext-evaluate model.h5 model.tflite int8.tflite photos/ --json results.json
  bnext-evaluate model.tflite photos/ --confusion confusion.png
  bnext-evaluate bnext_tiny.tflite 'tfrecord:imagenet/validation-*' --label-offset 1
  bnext-evaluate other.h5 test.npz --scale 255 --labels names.txt

then:
  bnext-benchmark model.tflite --accuracy results.json      the accuracy stands beside the times

DATA is a folder with one folder of images per class; or one with such folders called train and
val (or validation, test); or an .npz file of images and labels, uint8 or just as the model takes
them; or cifar-10-batches-bin or cifar-100-binary; or tfrecord:PATTERN; or tfds:NAME; or digits.

Classes of the data are found in the model by their names; where one of the two has no names, by
their number.

exit status:
  0  every image has been classified
  1  some images could not be read; they are named, the others have been classified
  2  a model, the data or the command cannot be used; one line says why; nothing is written"""


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    return run(TOOL, _evaluate, _parser().parse_args(argv))


def _evaluate(arguments):
    quiet_tensorflow()
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(arguments.threads)
    labels, scale = _check(arguments)
    from bnext_keras.console import SafeConsole

    messages = SafeConsole(stderr=True)
    with messages.status("starting TensorFlow"), silenced():
        from converter.evaluation.evaluate import evaluate
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=messages, transient=True)
    with bar if messages.is_terminal else nullcontext():  # Rich 13 prints an empty line for a bar that is disabled.
        task = bar.add_task("images", total=None)
        found = evaluate(
            arguments.files,
            arguments.data,
            labels=labels,
            normalization=scale,
            crop=arguments.crop,
            rotate=arguments.rotate,
            split=arguments.split,
            label_offset=arguments.label_offset,
            architecture=arguments.model,
            input_size=arguments.input_size,
            num_classes=arguments.num_classes,
            threads=arguments.threads,
            runner=arguments.runner or "",
            trusted=arguments.trust,
            progress=lambda done, images: bar.update(task, completed=done, total=images),
        )
    from converter.evaluation.terminal import print_evaluation

    write_all(_outputs(arguments, found))
    print_evaluation(found, SafeConsole(), arguments.classes)
    for note in found.notes:
        complain(TOOL, f"runs in Larq Compute Engine: {note}")
    # Last, where it is seen.
    for assumed in found.assumed:
        complain(TOOL, assumed)
    if found.broken:
        complain(TOOL, f"{len(found.broken):,} images could not be read and are left out")
    return 1 if found.broken else 0


def _check(arguments):
    """The user's labels and normalization, having seen that the command can be carried out."""
    outputs = list(filter(None, (arguments.json, arguments.confusion)))
    inputs = [*arguments.files, *filter(None, [arguments.labels])]
    for path in inputs:
        check_exists(path)
    if ":" not in arguments.data and arguments.data != "digits":
        check_exists(Path(arguments.data))
        inputs.append(Path(arguments.data))
    check_outputs(outputs, inputs)
    if arguments.confusion:
        if arguments.confusion.suffix.lower() not in (".png", ".svg"):
            raise UserError("name a file that ends in .png or .svg", where=str(arguments.confusion))
        require("matplotlib", extra="demo")
    if arguments.data == "digits":
        require("sklearn", extra="demo")
    if arguments.data.startswith("tfds:"):
        require("tensorflow_datasets", extra="tfds")
    if arguments.crop is not None and not 0 < arguments.crop <= 1:
        raise PredictionError(f"--crop {arguments.crop:g}: must be a share above 0 and up to 1")
    return read_labels(arguments.labels) if arguments.labels else None, normalization(arguments)


def _outputs(arguments, found):
    contents = {}
    if arguments.json:
        contents[arguments.json] = (json.dumps(found.to_dict(), indent=1) + "\n").encode()
    if arguments.confusion:
        from converter.evaluation.picture import confusion_picture

        matrices = [
            (model.name, model.confusion, [model.class_name(number) for number in range(model.num_classes)])
            for model in found.models
        ]
        contents[arguments.confusion] = confusion_picture(matrices, arguments.confusion.suffix.lower()[1:])
    return contents


def _parser():
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG)
    add = parser.add_argument
    text = "a .tflite, .h5 or .keras file, or a SavedModel folder; several are compared"
    add("files", type=Path, nargs="+", metavar="FILE", help=text)
    add("data", metavar="DATA", help="labelled images, see below")
    add("--json", type=Path, metavar="FILE", help="write all of it, for bnext-benchmark --accuracy too")
    add("--confusion", type=Path, metavar="FILE", help="draw which classes were taken for which, as .png or .svg")
    text = "how many classes to list, the worst (default: all of up to 20, else 10; 0 for none)"
    add("--classes", type=int, metavar="N", help=text)
    text = "part of the data to take (default: validation, val or test, whichever there is)"
    add("--split", default="", metavar="NAME", help=text)
    text = "number of the first class in TFRecord files; usually 1 for ImageNet"
    add("--label-offset", type=int, default=0, metavar="N", help=text)
    text = (
        "share of an image's shorter side that is looked at (default 0.95, as published; 1 for models of up to 64 "
        "pixels)"
    )
    add("--crop", type=float, metavar="SHARE", help=text)
    add_running_arguments(parser, otherwise="the data's")
    return parser


if __name__ == "__main__":
    sys.exit(main())
