"""Looks into a ``.tflite`` file before it goes to a device: a cut-off file would crash the tool there without a word.

Every offset that is followed here stays inside the file. Format: https://flatbuffers.dev/internals/ and TensorFlow
Lite's schema.fbs, of which a few fields are needed.
"""

import struct
from pathlib import Path

from bnext_keras.errors import BenchmarkError

_IDENTIFIER = b"TFL3"

# Numbers of fields in the schema's tables.
_MODEL_OPERATOR_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS = 1, 2, 4
_OPERATOR_CODE_CUSTOM = 1
_BUFFER_DATA = 0


def custom_operators(path: Path) -> set[str]:
    """The names of the custom operators that a model needs; LCE's begin with ``Lce``.

    Raises:
        BenchmarkError: if it cannot be read, is no ``.tflite`` file, or is cut off or damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read ({error.strerror or error})") from error
    if content[4:8] != _IDENTIFIER:
        raise BenchmarkError(f"{path}: is no .tflite file (its bytes 4 to 7 are not TFL3); bnext-convert makes one")
    try:
        reader = _Reader(content)
        model = reader.follow(0)
        for table in reader.tables(model, _MODEL_BUFFERS):
            reader.vector(table, _BUFFER_DATA, 1)
        if not reader.tables(model, _MODEL_SUBGRAPHS):
            raise ValueError("it has no graph")
        codes = reader.tables(model, _MODEL_OPERATOR_CODES)
        return {reader.text(code, _OPERATOR_CODE_CUSTOM) for code in codes} - {""}
    except ValueError as error:
        raise BenchmarkError(f"{path}: is cut off or damaged ({error}); copy or convert it again") from error


class _Reader:
    """Tables, vectors and texts of a flatbuffer; raises ValueError where it ends too early."""

    def __init__(self, content: bytes):
        self._content = content

    def _number(self, form, position):
        if not 0 <= position <= len(self._content) - struct.calcsize(form):
            raise ValueError(f"it ends after {len(self._content):,} bytes and refers to more")
        return struct.unpack_from(form, self._content, position)[0]

    def follow(self, position):
        return position + self._number("<I", position)

    def _field(self, table, number):
        """Position of a field, None if the table does not have it."""
        fields = table - self._number("<i", table)
        offset = 4 + 2 * number
        if offset >= self._number("<H", fields):
            return None
        return table + found if (found := self._number("<H", fields + offset)) else None

    def vector(self, table, number, item_size):
        """Position of a vector's first item, and how many it has."""
        field = self._field(table, number)
        if field is None:
            return 0, 0
        start = self.follow(field)
        length = self._number("<I", start)
        if start + 4 + length * item_size > len(self._content):
            raise ValueError(f"it ends after {len(self._content):,} bytes, in the middle of its data")
        return start + 4, length

    def tables(self, table, number):
        """Positions of a vector's tables."""
        start, length = self.vector(table, number, 4)
        return [self.follow(start + 4 * index) for index in range(length)]

    def text(self, table, number):
        start, length = self.vector(table, number, 1)
        return self._content[start : start + length].decode()
