"""Reads PyTorch checkpoints without PyTorch: NumPy arrays by name, and nothing is ever run.

Both of `torch.save`'s formats are read: the zip archive of PyTorch 1.6 and later, and the one before, pickles followed
by the numbers. The pickle that says which tensor lies where goes through `bnext_keras.importers.pickle_reader`. Only
the numbers of the state dict are then fetched, not those of an optimizer, so that reading a file takes about as much
memory as its weights, whatever the file claims.

>>> import bnext_keras
>>> checkpoint = bnext_keras.importers.read_checkpoint("checkpoint.pth.tar")  # doctest: +SKIP
>>> checkpoint.state_dict["fc.bias"].shape  # doctest: +SKIP
(1000,)
"""

import io
import math
import mmap
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnext_keras.errors import CheckpointError
from bnext_keras.importers.pickle_reader import Storage, Tensor, read_pickle, shown

import numpy as np

__all__ = ["Checkpoint", "CheckpointError", "read_checkpoint"]

#: First words of the format before PyTorch 1.6.
_LEGACY_MAGIC, _LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001

#: Tensors may share their numbers, but not so many of them that a small file makes a large model.
MAX_GROWTH = 4


@dataclass(frozen=True)
class Checkpoint:
    """What an import needs of a checkpoint.

    Attributes:
        state_dict: Arrays by PyTorch's names, without the ``module.`` that distributed training puts before them.
            Arrays that shared their numbers in PyTorch share them here; none can be written to.
        temperature: The checkpoint's entry ``temp``, None if it has none.
    """

    state_dict: dict[str, np.ndarray]
    temperature: float | None = None


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Reads a file of `torch.save`: a dictionary with a ``state_dict`` as training code saves it, or a bare one.

    Its numbers may be of any real type; bfloat16 becomes float32.

    Args:
        path: The file, of PyTorch's zip format or the one before.

    Returns:
        The arrays of its state dict.

    Raises:
        CheckpointError: if it is damaged or truncated, is of another format, or holds anything that would have to be
            run. The message names the file and the reason.

    Example:
        >>> import bnext_keras
        >>> bnext_keras.importers.read_checkpoint("missing.pth.tar")
        Traceback (most recent call last):
        bnext_keras.errors.CheckpointError: missing.pth.tar: no such file
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}")
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04"
            file.seek(0)
            return (_read_zip if is_zip else _read_legacy)(file, path.stat().st_size)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({shown(error)})") from error


def _read_zip(file, size):
    try:
        archive = zipfile.ZipFile(file)
    # zipfile meets damage with errors of a dozen types.
    except Exception as error:
        raise CheckpointError(f"a damaged or truncated zip archive ({shown(error)})") from error
    entries = {entry.filename: entry for entry in archive.infolist()}
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
        raise CheckpointError("its zip entries are compressed, which PyTorch's never are; unpack and save it again")
    if sum(entry.file_size for entry in archive.infolist()) > size:
        raise CheckpointError("its zip entries are larger than the file, or overlap")
    roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(roots) != 1:
        raise CheckpointError("a zip archive, but not one of torch.save (it has no data.pkl)")

    def read(name):
        try:
            return archive.read(roots[0] + name)
        except KeyError as error:
            raise CheckpointError(f"its entry {shown(name)} is missing") from error
        except Exception as error:
            raise CheckpointError(f"its entry {shown(name)} is damaged or truncated ({shown(error)})") from error

    big_endian = roots[0] + "byteorder" in entries and read("byteorder") == b"big"
    content, _ = read_pickle(io.BytesIO(read("data.pkl")))
    return _checkpoint(content, lambda storage: read(f"data/{storage.key}"), ">" if big_endian else "<", size)


def _read_legacy(file, size):
    """Five pickles (magic, version, facts about the machine, content, order of storages), then the storages."""
    if size == 0:
        raise CheckpointError("an empty file")
    # Unlike a file, a map never sets aside more memory for a read than there are bytes.
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            is_legacy = (read_pickle(data)[0], read_pickle(data)[0]) == (_LEGACY_MAGIC, _LEGACY_VERSION)
        except CheckpointError:
            is_legacy = False
        if not is_legacy:
            raise CheckpointError("not a file of torch.save, or a damaged one")
        machine, _ = read_pickle(data)
        content, storages = read_pickle(data)
        order, _ = read_pickle(data)
        big_endian = isinstance(machine, dict) and machine.get("little_endian") is False
        starts = _legacy_starts(data, order, storages, "big" if big_endian else "little")

        def read(storage):
            start = starts.get(storage.key, size)
            return data[start : start + storage.count * _number_type(storage).itemsize]

        return _checkpoint(content, read, ">" if big_endian else "<", size)


def _legacy_starts(data, order, storages, byte_order):
    """Where the numbers of each storage begin. Before them stands how many there are."""
    starts, position = {}, data.tell()
    if not isinstance(order, list) or not all(isinstance(key, str) and key in storages for key in order):
        raise CheckpointError("its list of storages is damaged")
    for key in order:
        storage = storages[key]
        if int.from_bytes(data[position : position + 8], byte_order) != storage.count:
            raise CheckpointError(f"its storage {shown(key)} is damaged or truncated")
        starts[key] = position + 8
        position += 8 + storage.count * _number_type(storage).itemsize
    return starts


def _checkpoint(content: Any, read: Callable[[Storage], bytes], order: str, size: int) -> Checkpoint:
    """Fetches the arrays that a pickle describes."""
    if not isinstance(content, dict):
        raise CheckpointError(f"holds a {shown(content)}, not a state dict")
    state = content.get("state_dict", content)
    if not isinstance(state, dict) or not state:
        raise CheckpointError("its state_dict is empty, or none")
    for key, value in state.items():
        if not isinstance(key, str) or not key.isprintable() or len(key) > 200:
            raise CheckpointError("its state dict has a key that is not a name")
        if not isinstance(value, Tensor):
            inside = "its state dict" if "state_dict" in content else "it has no entry 'state_dict', and"
            raise CheckpointError(f"{inside} holds '{key}', which is no tensor")
    total = sum(math.prod(tensor.shape) * _number_type(tensor.storage).itemsize for tensor in state.values())
    if total > MAX_GROWTH * size:
        raise CheckpointError("its tensors are larger than the file")
    numbers = {}

    def array(tensor):
        storage = tensor.storage
        if storage not in numbers:
            numbers[storage] = _numbers(read(storage), storage, order)
        return _view(numbers[storage], tensor)

    arrays = {}
    for key, tensor in state.items():
        try:
            arrays[key] = array(tensor)
        except CheckpointError as error:
            raise CheckpointError(f"'{key}': {error}") from error
    if all(key.startswith("module.") for key in arrays):
        arrays = {key.removeprefix("module."): value for key, value in arrays.items()}
    temperature = content.get("temp")
    if isinstance(temperature, Tensor) and temperature.storage.count == 1:
        temperature = array(temperature).item()
    return Checkpoint(arrays, float(temperature) if isinstance(temperature, int | float) else None)


def _number_type(storage):
    return np.dtype("u2" if storage.dtype == "bfloat16" else storage.dtype)


def _numbers(content, storage, order):
    kind = _number_type(storage)
    if len(content) != storage.count * kind.itemsize:
        raise CheckpointError(
            f"its numbers are truncated ({len(content)} bytes for {storage.count} of {storage.dtype})"
        )
    array = np.frombuffer(content, kind.newbyteorder(order))
    if storage.dtype == "bfloat16":  # the upper half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array


def _view(array, tensor):
    """The tensor as a view of its storage, having seen that it stays inside and has no more elements than that."""
    extents = [(size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)]
    count = math.prod(tensor.shape)
    if not 0 < count <= array.size or tensor.offset + sum(extents) >= array.size:
        raise CheckpointError(
            f"its shape {tensor.shape} with strides {tensor.strides} from {tensor.offset} does not fit the "
            f"{array.size} numbers that it refers to"
        )
    # A dimension of one element may have any stride.
    strides = [stride * array.itemsize if extent else 0 for stride, extent in zip(tensor.strides, extents, strict=True)]
    return np.lib.stride_tricks.as_strided(array[tensor.offset :], tensor.shape, strides, writeable=False)
