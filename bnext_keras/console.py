"""The terminal, for texts of strangers: names of models, layers, phones and files, messages of tools.

Every command prints through a `SafeConsole`, and what is logged comes from `bnext_keras.logs`.
"""

from typing import Any

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
