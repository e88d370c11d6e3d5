"""A way to change a layer or a model for a while, which callbacks and the converter do."""

from collections.abc import Iterator
from contextlib import contextmanager

_MISSING = object()


@contextmanager
def attribute(target: object, name: str, value: object) -> Iterator[None]:
    """Sets an attribute of an object past Keras' tracking, and at the end restores what was there before."""
    previous = vars(target).get(name, _MISSING)
    vars(target)[name] = value
    try:
        yield
    finally:
        if previous is _MISSING:
            del vars(target)[name]
        else:
            vars(target)[name] = previous
