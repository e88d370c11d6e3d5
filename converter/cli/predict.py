"""``bnext-predict``: what a trained model sees in photos.

Nothing heavy is imported before the arguments are known to be good.
"""

import json
import os
import sys
from pathlib import Path

from bnext_keras.cli._tool import (
    complain,
    normalization,
    positive,
    quiet_tensorflow,
    run,
    tool_parser,
)
from bnext_keras.errors import PredictionError
from bnext_keras.files import check_exists
from bnext_keras.image_files import find_images
from bnext_keras.labels import choose_labels, read_labels
from bnext_keras.text import first_line, printable

from converter.cli._running import add_running_arguments

TOOL = "bnext-predict"

DESCRIPTION = """\
Print the most probable classes of images. They are turned upright as the camera noted, resized
and cropped as in the published evaluation on ImageNet (not cropped for models of up to 64 pixels),
and normalized as the model's file says.
Where it does not say so, a line tells what is assumed."""

EPILOG = """\
examples:
  bnext-predict model.h5 photo.jpg
  bnext-predict phone.tflite photos/ --top 1 --threads 4
  bnext-predict digits.keras scan.png --labels digits.txt --json
  bnext-predict other.h5 photo.jpg --scale 255                    wants pixels from 0 to 255
  bnext-predict other.h5 photo.jpg --mean 0.5 --std 0.5           wants values from -1 to 1
  bnext-predict bnext_tiny.weights.h5 photo.jpg --model BNextTiny    a file of weights only

exit status:
  0  every image has been classified
  1  some of several images could not be read; they are named, the others have been classified
  2  the model, the only image or the command cannot be used; one line says why"""


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    return run(TOOL, _predict, _parser().parse_args(argv))


def _predict(arguments):
    quiet_tensorflow()
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(arguments.threads)
    check_exists(arguments.model_file)
    files = _files(arguments.images)
    labels, stated_scale = read_labels(arguments.labels) if arguments.labels else None, normalization(arguments)
    from converter.predict.classifier import load_classifier
    from converter.tflite.classification import of_pixels

    classifier = load_classifier(
        arguments.model_file,
        architecture=arguments.model,
        input_size=arguments.input_size,
        num_classes=arguments.num_classes,
        threads=arguments.threads,
        trusted=arguments.trust,
        runner=arguments.runner or "",
    )
    if classifier.note:
        complain(TOOL, f"{arguments.model_file}: runs in Larq Compute Engine, {classifier.note}")
    from bnext_keras.preprocessing import choose_normalization

    embedded = classifier.metadata and classifier.metadata.labels
    if classifier.takes_pixels:
        of_pixels(stated_scale, classifier.input_shape[-1], str(arguments.model_file))
    labels, of_labels = choose_labels(classifier.num_classes, labels, arguments.labels, embedded)
    scale, of_scale = choose_normalization(classifier.input_shape[-1], stated_scale, classifier.normalization)
    results = []
    for file in files:
        result = _predict_image(classifier, file, labels, scale, arguments, alone=len(files) == 1)
        if not arguments.json:
            _print(result)
        results.append(result)
    if arguments.json:
        print(json.dumps(results, indent=2))
    # Last, where it is seen, and not at all where the reader of the answers has had enough.
    if assumed := "; ".join(filter(None, (of_scale, of_labels))):
        complain(TOOL, assumed)
    return 1 if any("error" in result for result in results) else 0


def _files(paths):
    for path in paths:
        check_exists(path)
    return [file for path in paths for file in (find_images(path) if path.is_dir() else [path])]


def _predict_image(classifier, file, labels, scale, arguments, *, alone):
    """One image's result, ready for JSON; an unreadable image among others is a result too."""
    from bnext_keras.preprocessing import load_image

    height, width, channels = classifier.input_shape
    options = {"channels": channels, "upright": True, "mean": scale.mean, "std": scale.std}
    turned = arguments.rotate or classifier.wants_rotated_images
    try:
        image = load_image(file, (height, width), **options)
    # Pillow's decoders let through whatever a broken file provokes: SyntaxError, struct.error, EOFError ...
    except Exception as error:
        message = f"{file}: cannot be read as an image ({first_line(error)})"
        if alone:
            raise PredictionError(message) from error
        complain(TOOL, message)
        return {"image": str(file), "error": message}
    probabilities = classifier.probabilities(image[::-1, ::-1].copy() if turned else image)
    best = (-probabilities).argsort(kind="stable")[: arguments.top]
    return {
        "image": str(file),
        "predictions": [
            {
                "class": int(index),
                "label": labels[index] if labels else None,
                "probability": float(probabilities[index]),
            }
            for index in best
        ],
    }


def _print(result):
    if "error" in result:
        return
    print(printable(result["image"]))
    for prediction in result["predictions"]:
        name = "" if prediction["label"] is None else f"  {printable(prediction['label'])}"
        print(f"  {prediction['probability']:7.2%}  class {prediction['class']:>3}{name}", flush=True)


def _parser():
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG)
    parser.add_argument(
        "model_file", type=Path, metavar="MODEL", help="a .h5, .keras or .tflite file, or a SavedModel folder"
    )
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="image files, or folders of them")
    parser.add_argument("--top", type=positive, default=5, metavar="N", help="how many classes to print (default 5)")
    parser.add_argument("--json", action="store_true", help="print the answers as JSON")
    add_running_arguments(parser, otherwise="ImageNet's for a model of 1000 classes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
