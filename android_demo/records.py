"""Dataclasses to JSON and back: with the types checked, and with fields that only a newer version knows kept.

A class whose instances are stored derives from `Record`. Nothing here knows what is measured.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True, kw_only=True)
... class Core(Record):
...     index: int
...     max_mhz: float | None = None
>>> core = decode(Core, {"index": 0, "max_mhz": 1800.0, "cluster": "LITTLE"}, "cores[0]")
>>> core.max_mhz, core.extra
(1800.0, {'cluster': 'LITTLE'})
>>> encode(core)
{'index': 0, 'max_mhz': 1800.0, 'cluster': 'LITTLE'}
>>> decode(Core, {"index": "first"}, "cores[0]")
Traceback (most recent call last):
bnext_keras.errors.BenchmarkError: cores[0].index: expected int, found 'first'
"""

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from functools import cache
from typing import Any

from bnext_keras.errors import BenchmarkError

#: Size that numbers must stay below: more than any time or memory in any unit, and its square is still a float.
MOST = 1e18


@dataclass(frozen=True, kw_only=True)
class Record:
    """Base of everything that a results file holds.

    Attributes:
        extra: Fields of the file that this version does not know; they are written back as they were.
    """

    extra: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


def encode(value: Any) -> Any:
    """A Record, or what its fields hold, as dictionaries, lists, numbers and texts ready for JSON.

    Fields of no content, None and empty collections, are left out.
    """
    if isinstance(value, Record):
        known = {entry.name: encode(getattr(value, entry.name)) for entry in fields(value) if entry.name != "extra"}
        required = {entry.name for entry in fields(value) if entry.default is entry.default_factory is MISSING}
        kept = {name: item for name, item in known.items() if name in required or item not in (None, [], {}, "")}
        return {**kept, **value.extra}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def decode(kind: Any, value: Any, where: str) -> Any:
    """The inverse of `encode`.

    Args:
        kind: What is expected: a Record, an Enum, bool, int, float, str, ``X | None``, ``tuple[X, ...]``,
            ``dict[str, X]``.
        value: What json.loads found.
        where: Its place in the file, for messages: ``runs[3].device``.

    Raises:
        BenchmarkError: if a field is missing or of another type.
    """
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        (inner,) = (choice for choice in typing.get_args(kind) if choice is not types.NoneType)
        return None if value is None else decode(inner, value, where)
    if origin is tuple:
        _expect(isinstance(value, list), "a list", value, where)
        inner = typing.get_args(kind)[0]
        return tuple(decode(inner, item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        _expect(isinstance(value, dict), "an object", value, where)
        inner = typing.get_args(kind)[1]
        return {key: decode(inner, item, f"{where}.{key}") for key, item in value.items()}
    if issubclass(kind, Record):
        return _decode_record(kind, value, where)
    if issubclass(kind, Enum):
        choices = [member.value for member in kind]
        _expect(value in choices, f"one of {', '.join(choices)}", value, where)
        return kind(value)
    if type(value) in (int, float):
        _expect(type(value) is int or math.isfinite(value), "a finite number", value, where)
        _expect(abs(value) < MOST, f"a number below {MOST:g}", value, where)
    if kind is float and type(value) is int:
        value = float(value)
    _expect(type(value) is kind, kind.__name__, value, where)
    return value


def check_text(text: str, what: str, remedy: str) -> None:
    r"""Raises BenchmarkError for bytes of a command line that are no text, which results could not hold.

    Args:
        text: Bytes that are no UTF-8 are halves of surrogate pairs in it.
        what: What it is, for the message.
        remedy: What to do about it.

    Example:
        >>> check_text("caf\udce9.tflite", "file name", "rename it")
        Traceback (most recent call last):
        ...
        bnext_keras.errors.BenchmarkError: 'caf\udce9.tflite': is a file name that is no UTF-8; rename it
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BenchmarkError(f"{text!r}: is a {what} that is no UTF-8; {remedy}") from error


@cache
def _types_of(kind):
    hints = typing.get_type_hints(kind)
    return {entry.name: (hints[entry.name], entry) for entry in fields(kind) if entry.name != "extra"}


def _decode_record(kind, value, where):
    _expect(isinstance(value, dict), "an object", value, where)
    known = _types_of(kind)
    for name, (_, entry) in known.items():
        if name not in value and entry.default is entry.default_factory is MISSING:
            raise BenchmarkError(f"{where}: the field {name!r} is missing")
    given = {name: decode(hint, value[name], f"{where}.{name}") for name, (hint, _) in known.items() if name in value}
    return kind(**given, extra={name: item for name, item in value.items() if name not in known})


def _expect(condition, expected, value, where):
    if not condition:
        found = repr(value)
        raise BenchmarkError(f"{where}: expected {expected}, found {found if len(found) < 60 else found[:57] + '...'}")
