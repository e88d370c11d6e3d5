"""The inputs to verify on: the user's, from arrays, a NumPy file or a folder of images, and how many to add."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bnext_keras.array_files import read_array, read_arrays
from bnext_keras.data import BrokenImages
from bnext_keras.data.pictures import read_pictures
from bnext_keras.errors import ConversionError, FileError
from bnext_keras.files import file_errors_as
from bnext_keras.image_files import find_images
from bnext_keras.preprocessing import Normalization
from bnext_keras.text import first_line

import numpy as np

from converter.tflite.interpreter import is_list_of_one

#: Inputs made on the spot, besides those that the user gives: on small maps, which show a network less, more of them.
SYNTHETIC_SAMPLES, SYNTHETIC_SAMPLES_LARGE = 8, 4
#: Pixels up to which an input is small.
_SMALL = 64 * 64


def synthetic_count(input_shape: tuple[int, ...]) -> int:
    """How many inputs are made on the spot for a model.

    Args:
        input_shape: ``(height, width, channels)`` of the model, of several inputs that of the largest.
    """
    return SYNTHETIC_SAMPLES if np.prod(input_shape[:-1]) <= _SMALL else SYNTHETIC_SAMPLES_LARGE


def users_inputs(
    specs: Mapping[str, tuple[tuple[int, ...], str]],
    verify_data: np.ndarray | Mapping[str, np.ndarray] | Sequence[np.ndarray] | str | Path | None,
    normalization: Normalization | None = None,
    *,
    purpose: str = "verification",
) -> list[np.ndarray]:
    """The user's inputs to verify a file on, or to calibrate it on.

    Args:
        specs: Shape, without the batch, and type of each of the model's inputs by name.
        verify_data: The inputs, an array of each in a list or by its name, of the only one by itself, too; or where to
            read them: see `read_samples`; for several inputs it is an ``.npz`` file. None for none.
        normalization: How the model wants images; by default like ImageNet's.
        purpose: What errors say they are for.

    Returns:
        ``(samples, ...)`` for each input.

    Raises:
        ConversionError: if there is nothing to read, or it does not fit.
    """
    if verify_data is None:
        return [np.empty((0, *shape), kind) for shape, kind in specs.values()]
    (shape, _), *others = specs.values()
    if isinstance(verify_data, str | Path):
        path = Path(verify_data)
        verify_data = _read_arrays(path, list(specs)) if others else read_samples(path, shape, normalization)
    if not others and not isinstance(verify_data, Mapping) and not is_list_of_one(verify_data, 1 + len(shape)):
        verify_data = dict.fromkeys(specs, verify_data)
    given = verify_data if isinstance(verify_data, Mapping) else dict(zip(specs, verify_data, strict=False))
    if given.keys() != specs.keys() or len(verify_data) != len(specs):
        raise ConversionError(f"{purpose} data must be one array for each of the inputs {', '.join(specs)}")
    arrays = {name: as_inputs(_array(given[name], purpose), kind, purpose) for name, (_, kind) in specs.items()}
    for name, (shape, _) in specs.items():
        if arrays[name].shape[1:] != tuple(shape):
            expected, of_which = (None, *shape), f" '{name}'" if len(specs) > 1 else ""
            raise ConversionError(
                f"{purpose} data of shape {arrays[name].shape} does not fit the input{of_which} {expected}"
            )
    if len({len(array) for array in arrays.values()}) > 1:
        counts = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise ConversionError(f"{purpose} data must have as many samples for each input, not {counts}")
    if not all(map(len, arrays.values())):
        raise ConversionError(f"{purpose} data must hold at least one input", remedy="give some, or leave them out")
    return list(arrays.values())


def _array(given, purpose):
    """What a user gives as an array of finite numbers."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ConversionError(f"{purpose} data are no array ({first_line(error)})") from error
    if array.dtype.kind not in "fiub":
        raise ConversionError(
            f"{purpose} data must be finite numbers, not such {array.dtype}",
            remedy="give an array, or the path of a folder of images or of a file of arrays",
        )
    _check_finite(array, f"{purpose} data must be finite numbers")
    return array


def _check_finite(array, demand):
    """Refuses NaN and infinity, and says in which sample they are."""
    bad = ~np.isfinite(array)
    if bad.any():
        first, *_ = np.argwhere(bad)[0] if array.ndim else [0]
        raise ConversionError(
            f"{demand}; {np.count_nonzero(bad):,} of {array.size:,} are NaN or infinite, the first in sample {first}"
        )


def _read_arrays(path, names):
    """An ``.npz`` file with an array for each input of a model that has several."""
    try:
        return read_arrays(path, names)
    except FileError as error:
        what = f"the model has the inputs {', '.join(names)}, for which it takes an .npz file of arrays of these names"
        raise ConversionError(error.what, where=error.where, remedy=what) from error


def as_inputs(images: np.ndarray, dtype: np.dtype | type | str, purpose: str = "verification") -> np.ndarray:
    """Inputs as numbers of a model's own type; pixels are rounded.

    Raises:
        ConversionError: if they are no pixels where the model takes some, or bytes where it takes floats.

    Example:
        >>> as_inputs(np.float32([0, 254.9]), np.uint8).tolist()
        [0, 255]
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "f" and images.dtype == np.uint8:
        # Whoever means bytes as they are can say so; most forgot to normalize them.
        raise ConversionError(
            f"{purpose} data are uint8, pixels as they are, and the model takes {dtype} as in its training",
            remedy="normalize them (bnext_keras.preprocessing.Normalization), or give a folder of images, which are "
            f"normalized; if it was trained with pixels from 0 to 255, give them as {dtype}",
        )
    if dtype != np.uint8:
        return images.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    rounded = np.rint(images)
    if images.size and not limits.min <= rounded.min() <= rounded.max() <= limits.max:
        raise ConversionError(
            f"{purpose} data from {images.min():.4g} to {images.max():.4g} are no pixels from {limits.min} to "
            f"{limits.max}, which this file takes",
            remedy="give images, or an array of pixels as they are",
        )
    return rounded.astype(dtype)


def read_samples(
    path: Path,
    input_shape: tuple[int, int, int],
    normalization: Normalization | None = None,
    *,
    broken: BrokenImages | None = None,
) -> np.ndarray:
    """Reads inputs of a model.

    Args:
        path: A ``.npy`` file of inputs just as the model takes them, ``(samples, height, width, channels)``; or a
            folder of images, which are resized, cropped and normalized (`bnext_keras.preprocessing.load_image`).
        input_shape: ``(height, width, channels)`` of the model.
        normalization: How the model wants images; by default like ImageNet's.
        broken: Collects the names of images that cannot be read; they are left out, with a warning of each.

    Returns:
        Numbers of the file's own type, of images float32.

    Raises:
        ConversionError: if there is nothing to read, or it does not fit.
    """
    path = Path(path)
    if path.is_dir():
        broken = BrokenImages() if broken is None else broken
        return _read_images(path, input_shape, normalization or Normalization.imagenet(), broken)
    with file_errors_as(ConversionError):
        array = read_array(path)
    if array.ndim != 4 or array.shape[1:] != tuple(input_shape):
        raise ConversionError(
            f"{path}: has shape {array.shape}, but the model takes (samples, {', '.join(map(str, input_shape))})"
        )
    if not len(array) or array.dtype.kind not in "fiu":
        raise ConversionError(f"{path}: must hold at least one input of finite numbers")
    _check_finite(array, f"{path}: must hold finite numbers")
    return array


def _read_images(folder, input_shape, normalization, broken):
    with file_errors_as(ConversionError):
        files = find_images(folder)
    images = [image for _, image in read_pictures(files, input_shape, normalization, broken)]
    if not images:
        raise ConversionError("none of the images can be read", where=str(folder), remedy=broken.summary())
    return np.stack(images)
