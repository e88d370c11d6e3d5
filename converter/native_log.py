"""Keeps the start-up chatter of native libraries off the terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced() -> Iterator[None]:
    """Sends what native code writes to standard error to nowhere; for imports and the start of an interpreter only.

    TensorFlow and LCE greet with half a page before their log levels take effect, so that no environment variable can
    stop them. Python's exceptions still get through.

    Example:
        >>> from converter.native_log import silenced
        >>> with silenced():
        ...     import bnext_keras
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
