"""CIFAR-10 and CIFAR-100 as their authors publish them, in the binary version."""

from dataclasses import dataclass
from pathlib import Path

from bnext_keras.data.sources.arrays import ArrayExamples, from_arrays

import numpy as np

_PLANES = (3, 32, 32)
_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class _Version:
    """The files of one of the two data sets.

    Attributes:
        splits: Names of the files of images, by split.
        names: The file of the classes' names, a line each.
        classes: How many there are.
        labels: Bytes before an image's pixels; the last of them is its class.
    """

    splits: dict[str, tuple[str, ...]]
    names: str
    classes: int
    labels: int


_VERSIONS = (
    _Version(
        {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)},
        names="batches.meta.txt",
        classes=10,
        labels=1,
    ),
    # Before the class stands one of 20 groups of classes.
    _Version({"train": ("train.bin",), "test": ("test.bin",)}, names="fine_label_names.txt", classes=100, labels=2),
)
#: Both data sets have one of these in the version that is for Python.
_PICKLES = ("batches.meta", "meta")


def is_cifar(folder: Path) -> bool:
    """Whether a folder has the files of CIFAR-10's or CIFAR-100's binary version.

    Raises:
        ValueError: if it has those of another version.
    """
    if any((folder / name).is_file() for name in _PICKLES):
        raise ValueError("holds CIFAR for Python, pickles, which are not read; unpack its binary version instead")
    return _version(folder) is not None


def from_cifar(folder: str | Path, split: str) -> ArrayExamples:
    """Examples out of the unpacked folder ``cifar-10-batches-bin`` or ``cifar-100-binary``.

    Args:
        folder: Where the files lie.
        split: ``"train"`` or ``"test"``.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is not a whole number of images.
        LabelError: if a label is none of the classes.

    Reference:
        Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html, "binary version".
    """
    folder = Path(folder)
    version = _version(folder)
    if version is None:
        raise FileNotFoundError(f"{folder}: has neither {' nor '.join(each.splits['train'][0] for each in _VERSIONS)}")
    rows = np.concatenate([_rows(folder / name, version.labels + _PIXELS) for name in version.splits[split]])
    planes = rows[:, version.labels :].reshape(-1, *_PLANES)
    return from_arrays(
        np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
        rows[:, version.labels - 1],
        num_classes=version.classes,
        class_names=(folder / version.names).read_text(encoding="utf-8").split(),
    )


def _version(folder):
    found = (version for version in _VERSIONS if (folder / version.splits["train"][0]).is_file())
    return next(found, None)


def _rows(path, size):
    content = np.fromfile(path, np.uint8)
    if not len(content) or len(content) % size:
        raise ValueError(f"{path}: has {len(content):,} bytes, no whole number of images of {size:,}")
    return content.reshape(-1, size)
