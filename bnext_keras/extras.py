"""Packages that only some uses need; looked for without being imported."""

import importlib.util

from bnext_keras.errors import UserError


class MissingPackage(UserError, ImportError):
    """A package is not installed that this use needs."""


def require(*packages: str, extra: str) -> None:
    """Raises MissingPackage if one of some packages is not installed, and says how to install them.

    Args:
        *packages: Names as they are imported.
        extra: Name of the extra of this project that brings them.

    Example:
        >>> require("json", "no_such_package", extra="train")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        bnext_keras.extras.MissingPackage: no_such_package is not installed: pip install '.[train]' in a clone...
    """
    for package in packages:
        try:
            found = importlib.util.find_spec(package) is not None
        except ValueError:  # in sys.modules, but as nothing
            found = False
        if not found:
            raise MissingPackage(f"{package} is not installed: {how_to_install(extra)}")


def how_to_install(extra: str) -> str:
    """The command that installs an extra; its quotes are for zsh, to which brackets are a pattern."""
    return f"pip install '.[{extra}]' in a clone of bnext-keras"
