"""The terminal, for texts of strangers: names of models, phones and cores, messages of tools."""

from bnext_keras.text import printable

from rich.console import Console
from rich.text import Text


class SafeConsole(Console):
    r"""A console that takes every text as it is: no square bracket is markup, and no escape sequence gets through.

    Styles are those of `rich.text.Text` and of arguments.

    Example:
        >>> SafeConsole(width=40).print("Phone [/x]\x1b]0;title\x07")
        Phone [/x]\x1b]0;title\x07
    """

    def __init__(self, **options):
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text, **options):
        """What rich calls for every string that it is given, those in tables too."""
        return super().render_str(printable(text), **options)


def plain(text: str, style: str = "") -> Text:
    """A text as it is, for what rich would parse before any console sees it."""
    return Text(printable(text), style)
