"""Figures and messages as people read them."""

import unicodedata
from collections.abc import Container, Sequence
from html import escape

#: Categories of Unicode whose characters a terminal obeys, hides or cannot encode: controls, formats such as the
#: reversal of a text's direction, halves of surrogate pairs, and separators of lines.
_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
#: Formats that belong to words: emoji of several parts and many scripts are written with them.
_JOINERS = "\u200c\u200d"


def format_bytes(number: float) -> str:
    """
    >>> format_bytes(0), format_bytes(1152), format_bytes(14093517)
    ('0', '1.12 KiB', '13.44 MiB')
    """
    for unit, size in (("MiB", 2**20), ("KiB", 2**10)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number:.0f} B" if number else "0"


def format_count(number: float) -> str:
    """
    >>> format_count(0), format_count(864), format_count(9437184), format_count(4816896000)
    ('0', '864', '9.44 M', '4.82 G')
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"


def counted(number: int, name: str, several: str = "") -> str:
    """
    >>> counted(1, "device"), counted(2, "device"), counted(1, "class", "classes"), counted(2000, "class", "classes")
    ('1 device', '2 devices', '1 class', '2,000 classes')
    """
    return f"{number:,} {name if number == 1 else several or f'{name}s'}"


def format_percent(share: float) -> str:
    """Shares that are not all or nothing do not become so by rounding.

    >>> format_percent(1), format_percent(0.99999), format_percent(0.5), format_percent(1e-5), format_percent(0)
    ('100%', '99.99%', '50.0%', '<0.1%', '0%')
    >>> format_percent(1.574)
    '157%'
    """
    if share == 0 or share >= 1:
        return f"{share:.0%}"
    if 0 < share < 0.0005:
        return "<0.1%"
    return f"{min(100 * share, 99.99):.2f}%" if share > 0.99 else f"{100 * share:.1f}%"


def format_milliseconds(milliseconds: float) -> str:
    """
    >>> format_milliseconds(60.12), format_milliseconds(0.0042)
    ('60.1 ms', '4.2 µs')
    """
    if milliseconds < 0.1:
        return f"{1e3 * milliseconds:.1f} µs"
    return f"{milliseconds:.3g} ms" if milliseconds < 1000 else f"{milliseconds:,.0f} ms"


def as_table(header: Sequence[str], rows: Sequence[Sequence[str]], text: Container[str] = ()) -> str:
    """Rows for the terminal, in columns: numbers at the right, those of the titles in ``text`` at the left.

    >>> print(as_table(("model", "ms"), [("tiny", "9.5"), ("small", "12.5")], text=("model",)))
    model    ms
    tiny    9.5
    small  12.5
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def aligned(row):
        cells = zip(row, widths, header, strict=True)
        return "  ".join(cell.ljust(width) if title in text else cell.rjust(width) for cell, width, title in cells)

    return "\n".join(aligned(row).rstrip() for row in (header, *rows))


def first_line(error: BaseException, limit: int = 300) -> str:
    r"""The first line of an exception's message, or its type where it has none.

    >>> first_line(ValueError("  bad shape\n at layer 3")), first_line(KeyError()), first_line(OSError(28, "No space"))
    ('bad shape', 'KeyError', 'No space')
    """
    message = getattr(error, "strerror", None) or str(getattr(error, "message", error))
    return next((line.strip() for line in message.splitlines() if line.strip()), type(error).__name__)[:limit]


def one_line(text: object) -> str:
    r"""A text without line breaks or runs of spaces.

    >>> one_line("missing:\n  a,\n  b")
    'missing: a, b'
    """
    return " ".join(str(text).split())


def printable(text: object) -> str:
    r"""A stranger's text, safe to show: what a terminal would obey becomes visible as an escape, line breaks as well.

    Names of files, layers, classes and devices come from whoever made them. Written as they are, they could move the
    cursor, set the window's title or turn the direction of the line.

    >>> print(printable("cat\x1b[2J"), printable("photo\u202egnp.exe"), printable("two\nlines"), printable("größer 猫"))
    cat\x1b[2J photo\u202egnp.exe two\nlines größer 猫
    """
    text = str(text)
    return text if text.isprintable() else "".join(map(_visible, text))


def shown(text: object) -> str:
    r"""A stranger's text for a page that no template fills in: `printable`, and without a meaning for HTML.

    >>> print(shown(" <b>cat\x1b[2J</b> "))
    &lt;b&gt;cat\x1b[2J&lt;/b&gt;
    """
    return escape(printable(str(text).strip()))


def finalized(value: object) -> object:
    r"""What a template of a page is about to show, `printable` if it is a text: for Jinja's ``finalize``.

    >>> finalized("x\u202egnp"), finalized(0.5)
    ('x\\u202egnp', 0.5)
    """
    return printable(value) if type(value) is str else value


def _visible(character):
    if unicodedata.category(character) in _UNPRINTABLE and character not in _JOINERS:
        return character.encode("unicode_escape").decode()
    return character
