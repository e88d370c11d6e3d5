"""The engine's library, which was compiled for this kind of machine when this distribution was made."""

from pathlib import Path

from bnext_keras.errors import UserError


class BuildError(UserError, RuntimeError):
    """The engine's library is missing from what was installed."""


def library() -> Path:
    """The shared library.

    Raises:
        BuildError: if it is not there.
    """
    found = [path for path in sorted(Path(__file__).parent.iterdir()) if path.suffix in (".so", ".dylib", ".dll")]
    if not found:
        raise BuildError("bnext-runtime is without its library", remedy="install it anew")
    return found[0]
