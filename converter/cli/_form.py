"""Options of ``bnext-convert`` that say which form the file has: for whom it is, what it takes and gives."""

import argparse

from bnext_keras.cli._tool import positive

#: As in `converter.runtimes.RUNTIMES` and `converter.source.camera.INPUT_TYPES`, which are not imported for ``--help``.
TARGETS, INPUT_TYPES = ("lce", "engine", "tflite", "onnx"), ("float32", "uint8")


def suffix(target: str) -> str:
    """How files for a runtime end.

    >>> suffix("tflite"), suffix("onnx")
    ('.tflite', '.onnx')
    """
    return ".onnx" if target == "onnx" else ".tflite"


def add_form_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``--target``, ``--input``, ``--softmax`` and ``--batch``."""
    group = parser.add_argument_group("the form of the file")
    group.add_argument(
        "--target",
        choices=TARGETS,
        default="lce",
        help="lce (default); engine, for this project's engine alone: weights that were trained in 4 bits, or get so "
        "many by --weights, take 4, which LCE cannot read; or tflite, without custom operators, for runtimes that lack "
        "LCE's, such as LiteRT on iOS; or onnx: in these two binary convolutions stay exact, and become larger and "
        "slower; the report says by how much",
    )
    group.add_argument(
        "--input",
        dest="input_type",
        choices=INPUT_TYPES,
        default="float32",
        help="uint8: the file takes pixels from 0 to 255 as they are, and normalizes them itself (default: what the "
        "model takes)",
    )
    group.add_argument("--softmax", action="store_true", help="give probabilities of a model that gives logits")
    group.add_argument(
        "--batch", type=positive, default=1, metavar="N", help="how many images the file takes at once (default 1)"
    )
