"""HDF5 files that hold what they show.

HDF5 can take a dataset's numbers from any other file of the machine: by external storage, links, virtual datasets.
A model made of such a file would carry a stranger's choice of the user's files, and whoever passes it on would publish
them. Keras writes none of this, so a file that has any is refused, whoever made it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bnext_keras.errors import FileError, UntrustedFileError
from bnext_keras.model_files.strangers import no_keras_file

import h5py

#: What a file may hold: so many times its own size (weights compress a little), and so many bytes besides.
MAX_GROWTH, MAX_SLACK = 20, 64 * 2**20


def largest_content(size: int) -> int:
    """Bytes that a file of ``size`` bytes may be unpacked to, before it counts as a bomb."""
    return MAX_GROWTH * size + MAX_SLACK


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Opens an HDF5 file for reading, having seen that all it holds is in it.

    Raises:
        UntrustedFileError: if it takes anything from other files, or claims to hold far more than it does; the message
            names the dataset.
        FileError: if it is no HDF5 file, or a damaged one.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "weights.h5")
        >>> with h5py.File(path, "w") as file:
        ...     file["kernel"] = h5py.ExternalLink("/etc/passwd", "/")
        >>> with open_hdf5(path):  # doctest: +ELLIPSIS
        ...     pass
        Traceback (most recent call last):
        bnext_keras.errors.UntrustedFileError: ...weights.h5: '/kernel' is a link to another file, ...
    """
    path = Path(path)
    if not path.is_file():  # a pipe would never end
        raise FileError("not a regular file" if path.exists() else "no such file or folder", where=str(path))
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise no_keras_file(path, f"HDF5: {error}") from error
    with file:
        try:
            _check_self_contained(file, largest_content(os.path.getsize(path)))
        except FileError as error:
            raise type(error)(error.what, where=str(path), remedy=error.remedy) from error
        # h5py meets damage with errors of many types.
        except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
            raise FileError(f"a damaged HDF5 file ({error!r})", where=str(path)) from error
        yield file


def check_hdf5(path: str | Path) -> None:
    """Raises FileError where `open_hdf5` would."""
    with open_hdf5(path):
        pass


def _check_self_contained(file, most):
    seen, groups, total = set(), [file], 0
    while groups:
        group = groups.pop()
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise _foreign(where, "a link to another file")
            if isinstance(link, h5py.SoftLink):
                raise _foreign(where, "a symbolic link")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:  # hard links may go in circles
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif isinstance(item, h5py.Dataset):
                if item.external:
                    raise _foreign(where, "stored in another file")
                if item.is_virtual:
                    raise _foreign(where, "put together from other datasets")
                total += item.nbytes if item.shape is not None else 0
                if total > most:
                    raise UntrustedFileError(f"{where!r} is larger than what the file can hold ({item.shape})")


def _foreign(where, what):
    return UntrustedFileError(f"{where!r} is {what}, which Keras never writes", remedy="it is not read")
