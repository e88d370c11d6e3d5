"""Reads the pickle inside a PyTorch checkpoint without running it.

A pickle is a program, and Python's own `pickle` would run whatever a stranger wrote into it. This reader is a small
machine of its own for the handful of opcodes that `torch.save` emits. It makes plain Python values and, in place of
tensors, `Tensor` records that only say where their numbers lie. Names of functions and classes mean what the tables
below say; any other name ends the reading.

Its time and memory are bounded by the pickle's length: no opcode copies more than its own argument or what it takes off
the stack, and there are at most `MAX_OPCODES` of them.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bnext_keras.errors import CheckpointError
from bnext_keras.text import printable

import numpy as np

#: Four times as many as a checkpoint of BNext-L with its optimizer has.
MAX_OPCODES = 1_000_000


@dataclass(frozen=True)
class Storage:
    """A run of numbers in the file: their type as in `STORAGES`, the name and how many."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Global:
    """A harmless name: a type of storage or of number, or a key of `_CALLABLES`."""

    name: str


@dataclass
class _NumpyType:
    code: str
    order: str = "<"


#: PyTorch's classes of storages, and NumPy's code of their numbers (NumPy has no bfloat16).
STORAGES = {
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}


def read_pickle(file: Any) -> tuple[Any, dict[str, Storage]]:
    """Reads one pickle from a file, up to where it ends.

    Args:
        file: Open for reading bytes; an `mmap.mmap` will do.

    Returns:
        What it holds, and all storages that it mentions, by their keys.

    Raises:
        CheckpointError: if it is damaged, or names anything but tensors and plain values.

    Example:
        >>> import io, os, pickle
        >>> from bnext_keras.importers.pickle_reader import read_pickle
        >>> read_pickle(io.BytesIO(pickle.dumps({"epoch": 3}, protocol=2)))
        ({'epoch': 3}, {})
        >>> read_pickle(io.BytesIO(pickle.dumps(os.getcwd, protocol=2)))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        bnext_keras.errors.CheckpointError: it refers to 'posix.getcwd', ...
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if count == MAX_OPCODES:
                raise CheckpointError(f"its pickle has more than {MAX_OPCODES:,} operations")
            machine.step(opcode.name, argument)
        if len(machine.stack) != 1:
            raise CheckpointError("its pickle is damaged (it does not end in one value)")
    except CheckpointError:
        raise
    # What an operation raises on a stack that no pickler would have built, and pickletools on bytes that are cut off.
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"its pickle is damaged or truncated ({shown(error)})") from error
    return machine.stack[0], machine.storages


def shown(value: object) -> str:
    """A stranger's text, or an error about it, fit for one line of a message; of anything else just the type."""
    # Writing out a few nested lists that share their parts can take forever.
    return printable(str(value)[:200] if isinstance(value, str | Exception) else type(value).__name__)


@dataclass
class _Machine:
    stack: list = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)

    def step(self, name, argument):
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _NEW:
            self.stack.append(_NEW[name]())
        elif name in _LITERALS:
            if isinstance(argument, int) and argument.bit_length() > 128:
                raise CheckpointError("its pickle holds a number of more than 128 bits")
            self.stack.append(argument)
        elif operation := _OPERATIONS.get(name):
            operation(self, argument)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise CheckpointError(f"its pickle is damaged, or not from torch.save (operation {name})")

    def take_from_mark(self):
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def take(self, count):
        if len(self.stack) < count:
            raise IndexError("nothing on the stack")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def append(self, items):
        _expect(self.stack[-1], list).extend(items)

    def set_items(self, items):
        target = _expect(self.stack[-1], dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Hashes of nested tuples and collisions of huge integers are ways to make a dictionary take forever.
            if not isinstance(key, str | int | float | None) or (isinstance(key, int) and key.bit_length() > 64):
                raise CheckpointError("its pickle has a dictionary with keys that are neither text nor numbers")
            target[key] = value

    def call(self, _):
        function, arguments = self.take(2)
        if not isinstance(function, Global) or function.name not in _CALLABLES:
            raise CheckpointError(f"its pickle calls {shown(getattr(function, 'name', function))}")
        self.stack.append(_CALLABLES[function.name](*_expect(arguments, tuple)))

    def set_state(self, _):
        (state,) = self.take(1)
        target = self.stack[-1]
        if isinstance(target, _NumpyType):
            target.order = _expect(state, tuple)[1]
        else:  # attributes of a dictionary, such as the version numbers of a state dict
            _expect(target, dict)

    def storage(self, _):
        (identity,) = self.take(1)
        kind, cls, key, _, count, *view = _expect(identity, tuple)
        if kind != "storage" or _expect(cls, Global).name not in STORAGES or any(part is not None for part in view):
            raise CheckpointError(f"its pickle refers to a {shown(getattr(cls, 'name', kind))} outside it")
        storage = Storage(STORAGES[cls.name], _expect(key, str), _natural(count))
        if self.storages.setdefault(key, storage) != storage:
            raise CheckpointError(f"its pickle describes the storage {shown(key)} in two ways")
        self.stack.append(storage)


def _expect(value, kind):
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value


def _natural(value):
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("a size or offset out of range")
    return value


def _global(name):
    if name not in _CALLABLES and name not in STORAGES and name not in _INERT:
        raise CheckpointError(
            f"it refers to '{shown(name)}', which is neither a tensor nor a plain value, and could run anything; "
            "nothing was run. If you trust its origin, load it with PyTorch and save its weights alone: "
            "torch.save(model.state_dict(), path)"
        )
    return Global(name)


def _tensor(storage, offset, shape, strides, *_):
    shape, strides = (tuple(map(_natural, _expect(value, tuple)[:9])) for value in (shape, strides))
    if len(shape) != len(strides) or len(shape) > 8:
        raise ValueError("a tensor with dimensions but no strides, or with more than 8")
    return Tensor(_expect(storage, Storage), _natural(offset), shape, strides)


def _first(cls):
    return lambda value, *_: _expect(value, cls)


def _mapping(*arguments):
    return next((value for value in arguments if isinstance(value, dict)), None) or {}


def _encode(text, encoding):
    # How Python 3 writes a few bytes in Python 2's protocol; here only numbers of NumPy have some.
    if encoding != "latin1" or len(text) > 16:
        raise CheckpointError("its pickle holds bytes")
    return text.encode(encoding)


def _numpy_scalar(kind, content):
    if kind.code not in _NUMPY_TYPES or kind.order not in ("<", ">", "|"):
        raise CheckpointError(f"its pickle holds a NumPy scalar of type {shown(kind.code)}")
    (value,) = np.frombuffer(content, np.dtype(kind.code).newbyteorder(kind.order))
    return value.item()


_NUMPY_TYPES = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}

#: Names that may be called, and what they do here.
_CALLABLES: dict[str, Callable] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _first(Tensor),
    "torch.Size": _first(tuple),
    "torch.device": lambda *_: None,
    "collections.OrderedDict": _mapping,
    "collections.defaultdict": _mapping,
    "collections.Counter": _mapping,
    "argparse.Namespace": _mapping,
    "numpy.dtype": lambda code, *_: _NumpyType(_expect(code, str)),
    "numpy.core.multiarray.scalar": _numpy_scalar,
    "numpy._core.multiarray.scalar": _numpy_scalar,
    "_codecs.encode": _encode,
}
#: Names that may be mentioned, as the type of something, and not called.
_INERT = {f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("dict", "float", "int", "list")} | {
    f"torch.{name}" for name in ("float16", "float32", "float64", "bfloat16", "int64", "strided", "contiguous_format")
}

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_NEW = {"EMPTY_LIST": list, "EMPTY_DICT": dict}
_LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINBYTES", "SHORT_BINBYTES"} | {
    "BINUNICODE",
    "SHORT_BINUNICODE",
}


def _put(machine, index):
    machine.memo[len(machine.memo) if index is None else index] = machine.stack[-1]


_OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "POP": lambda machine, _: machine.take(1),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.take_from_mark())),
    "TUPLE1": lambda machine, _: machine.stack.append(tuple(machine.take(1))),
    "TUPLE2": lambda machine, _: machine.stack.append(tuple(machine.take(2))),
    "TUPLE3": lambda machine, _: machine.stack.append(tuple(machine.take(3))),
    "APPEND": lambda machine, _: machine.append(machine.take(1)),
    "APPENDS": lambda machine, _: machine.append(machine.take_from_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.take(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.take_from_mark()),
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _put,
    "BINGET": lambda machine, index: machine.stack.append(machine.memo[index]),
    "LONG_BINGET": lambda machine, index: machine.stack.append(machine.memo[index]),
    "GLOBAL": lambda machine, name: machine.stack.append(_global(name.replace(" ", ".", 1))),
    "STACK_GLOBAL": lambda machine, _: machine.stack.append(_global(".".join(machine.take(2)))),
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.set_state,
    "BINPERSID": _Machine.storage,
}
