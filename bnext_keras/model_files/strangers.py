"""What a file is that is no Keras file, by its first bytes, and what can be done with it."""

import re
import zipfile
from pathlib import Path

from bnext_keras.errors import FileError

#: What files of each kind begin with, what they are, and what to do about it.
_KINDS = (
    (
        re.compile(rb".{4}TFL3", re.DOTALL),
        "a .tflite file",
        "bnext-predict, bnext-evaluate and bnext-benchmark take it under a name that ends in .tflite; bnext-convert "
        "takes the Keras file that it was made from",
    ),
    # The first fields of a ModelProto: a small version, the producer's name.
    (
        re.compile(rb"\x08[\x01-\x1f]\x12.{1,128}", re.DOTALL),
        "an ONNX file",
        "it runs in ONNX Runtime, and no command here reads it; give the Keras file that it was made from, or a "
        ".tflite file of that",
    ),
    (re.compile(rb"\x89HDF\r\n\x1a\n"), "an HDF5 file", "give it a name that ends in .h5"),
    (re.compile(rb"\x80[\x02-\x05]"), "a pickle, such as PyTorch's old checkpoints", "bnext-import reads these"),
)
#: Of zip archives: an entry that tells their kind.
_ARCHIVES = (
    (re.compile(r"config\.json"), "a .keras file", "give it a name that ends in .keras"),
    (re.compile(r"(.*/)?data\.pkl"), "a PyTorch checkpoint", "bnext-import reads these"),
)


def no_keras_file(path: Path, why: str) -> FileError:
    """The error about a file that is not the Keras file that its name promises.

    Args:
        path: The file.
        why: What is told where nothing is known of the file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "model.h5")
        >>> _ = path.write_bytes(bytes(4) + b"TFL3")
        >>> no_keras_file(path, "no signature").what
        'not a Keras file but a .tflite file'
    """
    kind, remedy = _kind(path)
    what = f"not a Keras file but {kind}" if kind else f"not a Keras file, or a truncated one ({why})"
    return FileError(what, where=str(path), remedy=remedy)


def _kind(path):
    with open(path, "rb") as file:
        start = file.read(256)
    for pattern, kind, remedy in _KINDS:
        if pattern.match(start):
            return kind, remedy
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    # zipfile meets what is no archive, or a damaged one, with errors of a dozen types.
    except Exception:
        return "", ""
    found = ((kind, remedy) for name, kind, remedy in _ARCHIVES if any(map(name.fullmatch, names)))
    return next(found, ("", ""))
