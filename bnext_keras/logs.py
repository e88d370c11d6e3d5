"""Loggers whose lines are safe to show, whoever made up the names in them."""

import logging
from collections.abc import MutableMapping
from os import PathLike
from typing import Any

from bnext_keras.text import printable


class SafeLogger(logging.LoggerAdapter):
    """A logger that makes visible what a terminal would obey in the texts and paths among a message's arguments."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Leaves message and options as they are: a message is this project's own."""
        return msg, kwargs

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """What all other methods call."""
        super().log(level, msg, *(printable(arg) if isinstance(arg, str | PathLike) else arg for arg in args), **kwargs)


def get_logger(name: str) -> SafeLogger:
    r"""The logger of a module.

    Args:
        name: The module's ``__name__``.

    Example:
        >>> import logging, sys
        >>> log = get_logger("bnext_keras.example")
        >>> log.logger.addHandler(logging.StreamHandler(sys.stdout))
        >>> log.warning("%s: broken image, skipped", "cat\x1b[2J.png")
        cat\x1b[2J.png: broken image, skipped
        >>> log.logger.handlers.clear()
    """
    return SafeLogger(logging.getLogger(name), {})
