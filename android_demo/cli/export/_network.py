"""What the kinds of applications have in common on the command line: the network, and what its file does not say."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bnext_keras.cli._tool import add_normalization_arguments
from bnext_keras.errors import PredictionError
from bnext_keras.files import check_exists


def add_network_arguments(parser: argparse.ArgumentParser, *, output: str, title: str) -> None:
    """Adds the model, ``--output``, ``--title``, ``--labels`` and the normalization of images.

    Args:
        parser: The command's.
        output: Help on the place.
        title: Help on the title.
    """
    add = parser.add_argument
    add("model_file", type=Path, metavar="MODEL", help="a .tflite file, as bnext-convert writes it")
    add("-o", "--output", type=Path, metavar="PLACE", help=output)
    add("--title", default="", metavar="TEXT", help=title)
    text = "names of the classes: text, one per line, or JSON (default: those that the file has in itself)"
    add("--labels", type=Path, metavar="FILE", help=text)
    add_normalization_arguments(parser)


def output_file(given: Path | None, default: Path, *, in_folder: str = "", endings: Sequence[str] = ()) -> Path:
    """The file to write, for what ``--output`` says: a file, or a folder for one.

    Args:
        given: What it says, None if nothing.
        default: The file if it says nothing; its ending tells files from folders.
        in_folder: The file's name in a folder, by default that of ``default``.
        endings: Other endings of such files.

    Example:
        >>> output_file(Path("page"), Path("model.html"), in_folder="index.html").as_posix()
        'page/index.html'
    """
    if given is None or given.suffix.lower() in (default.suffix, *endings):
        return given or default
    return given / (in_folder or default.name)


def check_model(model: Path) -> None:
    """Raises FileError if a model is not there, and PredictionError if it is another kind of file."""
    check_exists(model)
    if model.suffix.lower() != ".tflite":
        raise PredictionError("is no .tflite file", where=str(model), remedy=f"bnext-convert {model} makes one")
