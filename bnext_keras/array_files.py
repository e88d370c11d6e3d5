"""Reads arrays out of ``.npy`` and ``.npz`` files. Nothing in such a file is run: pickled objects are refused.

Whatever a broken file provokes in NumPy, zipfile or zlib becomes a `bnext_keras.errors.FileError`. TensorFlow is not
imported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bnext_keras.errors import FileError
from bnext_keras.text import first_line

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class LabelledArrays:
    """Images with their classes.

    Attributes:
        images: Real numbers, none of them NaN or infinite, ``(images, height, width[, channels])``, at least one image.
        labels: Whole numbers ``(images,)``.
        class_names: Names of the classes, where the file has them.
    """

    images: "np.ndarray"
    labels: "np.ndarray"
    class_names: tuple[str, ...] | None = None


def read_labelled(path: Path) -> LabelledArrays:
    """Reads an ``.npz`` file of ``images`` and ``labels``, and of ``class_names`` where it has them.

    Raises:
        FileError: if it cannot be read, or these are no images with a class for each.

    Example:
        >>> import numpy, tempfile
        >>> path = Path(tempfile.mkdtemp(), "test.npz")
        >>> numpy.savez(path, images=numpy.zeros((2, 8, 8, 3)), labels=[0, 1], class_names=["cat", "dog"])
        >>> read_labelled(path).class_names
        ('cat', 'dog')
    """
    import numpy as np

    arrays = read_arrays(path, ("images", "labels"), optional=("class_names",))
    images, labels, names = arrays["images"], arrays["labels"], arrays.get("class_names")
    is_whole = labels.dtype.kind in "iu" and labels.shape in (images.shape[:1], (*images.shape[:1], 1))
    if images.dtype.kind not in "fiu" or images.ndim not in (3, 4) or not len(images) or not is_whole:
        raise FileError(
            f"images are {images.dtype} of shape {images.shape} and labels {labels.dtype} of shape {labels.shape}, not "
            "numbers (images, height, width[, channels]) and whole numbers (images,)",
            where=str(path),
        )
    finite = np.isfinite(images)
    if not finite.all():
        raise FileError(f"image {np.argwhere(~finite)[0][0]} has numbers that are NaN or infinite", where=str(path))
    return LabelledArrays(images, labels.reshape(-1), None if names is None else tuple(map(str, names.reshape(-1))))


def read_arrays(path: Path, names: Sequence[str], *, optional: Sequence[str] = ()) -> dict[str, "np.ndarray"]:
    """Reads arrays of an ``.npz`` file by their names.

    Args:
        path: The file.
        names: Arrays that it must hold.
        optional: Arrays that are left out of the answer where it does not hold them.

    Raises:
        FileError: if it cannot be read, or has not all of them.
    """
    import numpy as np

    try:
        # Of an .npy file np.load makes an array, which is no context.
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file]
            arrays = {name: file[name] for name in (*names, *optional) if name in file}
    except Exception as error:
        raise FileError(f"cannot be read as an .npz file ({first_line(error)})", where=str(path)) from error
    if missing:
        must = f"it must hold the arrays {' and '.join([', '.join(names[:-1]), names[-1]] if names[1:] else names)}"
        raise FileError(f"has no array '{missing[0]}'", where=str(path), remedy=must)
    return arrays


def read_array(path: Path, *, mapped: bool = False) -> "np.ndarray":
    """Reads an ``.npy`` file of images, where a folder of images would do as well.

    Args:
        path: The file.
        mapped: Whether only those parts are read that are used.

    Raises:
        FileError: if it cannot be read, or is an archive of several arrays.
    """
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)
    except Exception as error:
        message = f"neither a folder of images nor a readable .npy file ({first_line(error)})"
        raise FileError(message, where=str(path)) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise FileError("holds several arrays; give a .npy file of one", where=str(path))
    return array
