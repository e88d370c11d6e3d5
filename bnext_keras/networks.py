"""Every network by its name, whichever room builds it: what recipes and cards name.

Float ones that teach are among them, for a run may train one before the network that it is for.
"""

import importlib
import inspect
from collections.abc import Callable

#: The rooms that have networks, in the order in which they are looked through.
_ROOMS = ("models", "zoo", "teachers")


def names() -> list[str]:
    """The names of all networks; starts TensorFlow.

    >>> {"BNextTiny", "MeliusNet22", "QuickNet"} <= set(names())
    True
    """
    return [name for room in _ROOMS for name in _room(room).__all__ if _network(room, name)]


def find(name: str) -> Callable | None:
    """The function that builds the network of that name, None if there is none; starts TensorFlow.

    >>> find("QuickNet").__module__, find("quicknet")
    ('bnext_keras.zoo.quicknet', None)
    """
    found = (_network(room, name) for room in _ROOMS if name in _room(room).__all__)
    return next(filter(None, found), None)


def _room(name):
    return importlib.import_module(f"bnext_keras.{name}")


def _network(room, name):
    value = getattr(_room(room), name) if name[0].isupper() else None
    return value if inspect.isfunction(value) else None
