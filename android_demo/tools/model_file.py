"""Looks into a ``.tflite`` file before it goes to a device: one that is cut off would crash the tool without a word."""

from pathlib import Path

from bnext_keras.errors import BenchmarkError

from converter.tflite import parsing


def custom_operators(path: Path) -> set[str]:
    """The names of the custom operators that a model needs; LCE's begin with ``Lce``.

    Raises:
        BenchmarkError: if it cannot be read, is no ``.tflite`` file, or is cut off or damaged.
    """
    return _found(path, parsing.custom_operators)


def has_int4(path: Path) -> bool:
    """Whether a model has weights of 4 bits, which LCE does not read; raises as `custom_operators` does."""
    return _found(path, parsing.has_int4)


def _found(path, find):
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not parsing.is_tflite(content):
        raise BenchmarkError(f"{path}: is no .tflite file (its bytes 4 to 7 are not TFL3); bnext-convert makes one")
    try:
        return find(content)
    except parsing.DamagedFile as error:
        raise BenchmarkError(f"{path}: is cut off or damaged ({error.reason}); copy or convert it again") from error
