"""The terminal, for texts of strangers: names of models, layers, phones and files, messages of tools.

Every command prints through a `SafeConsole`, and what is logged comes from `bnext_keras.logs`.
"""

import sys
from typing import Any, TextIO

from bnext_keras.text import printable

from rich.console import Console, RenderableType
from rich.status import Status
from rich.text import Text


class SafeConsole(Console):
    r"""A console that takes every text as it is: no square bracket is markup, and no escape sequence gets through.

    Styles are those of `rich.text.Text` (`plain`, `line`) and of arguments.

    Example:
        >>> SafeConsole(width=40).print("Phone [/x]\x1b]0;title\x07")
        Phone [/x]\x1b]0;title\x07
    """

    def __init__(self, **options: Any):
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """What rich calls for every string that it is given, those in tables too."""
        return super().render_str(printable(text), **options)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """A line that tells what is being done, and vanishes; rich's own would take its texts for markup."""
        return _SafeStatus(status, console=self, **options)


class _SafeStatus(Status):
    def __init__(self, status, **options):
        super().__init__(_as_it_is(status), **options)

    def update(self, status=None, **options):
        super().update(_as_it_is(status), **options)


class LiveLine:
    """A line that tells what is being done: it is written over by the next, and vanishes in the end.

    That works on a terminal and in a notebook. Elsewhere, in a file say, nothing is written.

    Args:
        stream: Where to; by default the process's own standard output, as it is when something is shown.

    Example:
        >>> with LiveLine() as show:
        ...     show("half of it")  # no terminal here
    """

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream
        self._length = 0

    @property
    def is_live(self) -> bool:
        """Whether anything is shown at all."""
        stream = self._stream or sys.stdout
        # Jupyter's streams are no terminals, but go back to the beginning of a line when they are told to.
        return stream.isatty() or type(stream).__module__.split(".")[0] == "ipykernel"

    def __call__(self, text: str) -> None:
        """Shows a text instead of the last one."""
        if self.is_live:
            text = printable(text)
            self._write(f"\r{text.ljust(self._length)}\r{text}")
            self._length = len(text)

    def clear(self) -> None:
        """Removes what is shown."""
        if self._length:
            self._write(f"\r{' ' * self._length}\r")
            self._length = 0

    def __enter__(self) -> "LiveLine":
        return self

    def __exit__(self, *error: object) -> None:
        self.clear()

    def _write(self, text):
        stream = self._stream or sys.stdout
        stream.write(text)
        stream.flush()


def plain(text: str, style: str = "") -> Text:
    """A text as it is, for what rich would parse before any console sees it."""
    return Text(printable(text), style)


def line(*parts: str | tuple[str, str]) -> Text:
    """Texts as they are, one behind the other, some with a style.

    Example:
        >>> str(line(("wrong", "bold red"), ": conv[1]"))
        'wrong: conv[1]'
    """
    return Text.assemble(*(plain(part) if isinstance(part, str) else plain(*part) for part in parts))


def _as_it_is(status):
    return plain(status) if isinstance(status, str) else status
