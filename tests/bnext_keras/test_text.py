"""A stranger's text on a terminal: what is shown of it, and what must not reach it."""

from bnext_keras.text import printable

import pytest


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),  # C1: the same as ESC [
        ("a\x7f\x00b", r"a\x7f\x00b"),
        ("a\rb\nc\td", r"a\rb\nc\td"),
        ("photo\u202egnp.exe", r"photo\u202egnp.exe"),
        ("\u202a\u202b\u202c\u202d", r"\u202a\u202b\u202c\u202d"),
        ("\u2066\u2067\u2068\u2069\u200e\u200f", r"\u2066\u2067\u2068\u2069\u200e\u200f"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("bad\udc80byte", r"bad\udc80byte"),  # how Python reads a file name that is no UTF-8
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_becomes_visible(text, shown):
    assert printable(text) == shown
    assert shown.isascii()


@pytest.mark.parametrize("text", ["", "tabby cat", "größer", "猫　犬", "a\xa0b", "👩\u200d🔬", "عربي", "\\x1b"])
def test_other_text_stays_as_it_is(text):
    assert printable(text) == text


def test_anything_can_be_shown():
    assert printable(ValueError("layer '\x1b[2J'")) == r"layer '\x1b[2J'"
