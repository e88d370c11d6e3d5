"""Options of the commands that run models on images: ``bnext-predict`` and ``bnext-evaluate``."""

import argparse
import os
from pathlib import Path

from bnext_keras.cli._tool import (
    add_architecture_arguments,
    add_normalization_arguments,
    add_trust_argument,
    positive,
)

from converter.tflite.engine import RUNNERS


def add_running_arguments(parser: argparse.ArgumentParser, *, otherwise: str) -> None:
    """Adds ``--labels``, ``--rotate``, ``--threads``, ``--runner``, and what a file may leave unsaid.

    Args:
        parser: The command's.
        otherwise: Whose names of classes are taken where neither the user nor the model's file gives any.
    """
    add = parser.add_argument
    text = (
        "names of the classes: text, one per line, or Keras' imagenet_class_index.json (default: those that a model's "
        f"file has in itself, or {otherwise})"
    )
    add("--labels", type=Path, metavar="FILE", help=text)
    text = "turn images by 180 degrees; not needed for a .tflite file of bnext-convert, which says so itself"
    add("--rotate", action="store_true", help=text)
    text = "threads (default: all cores)"
    add("--threads", type=positive, default=os.cpu_count() or 1, metavar="N", help=text)
    text = "what runs .tflite files: this project's engine, or Larq Compute Engine (default: the engine if it can)"
    add("--runner", choices=RUNNERS, help=text)
    add_normalization_arguments(parser)
    add_trust_argument(parser)
    add_architecture_arguments(parser)
