"""Settings as texts, ``key=value``: whose they are, and of which type.

A key is written in full, ``optimizer.learning_rate``, or without its section, ``learning_rate``, where only one section
has it.
"""

import difflib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from bnext_keras.errors import RecipeError
from bnext_keras.recipes._method import Distillation, Optimizer, Schedule
from bnext_keras.recipes._sections import Compute, Data, Start

SECTIONS = {
    "data": Data,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "start": Start,
    "distillation": Distillation,
    "compute": Compute,
}
#: What stands in no section.
TOP_LEVEL = {"model": str, "float_twin": bool, "signs": str, "weight_bits": str, "seed": int}
#: A section's name alone means its name giver.
SHORT = {"data": "data.source", "optimizer": "optimizer.name"}
#: Options of networks that need no section, whether a recipe states them or not.
#: Others are written in full, model_options.stem=conv7x7, and take what their text looks like.
OPTIONS = {
    "widths": tuple[int, ...],
    "stem_stride": int | None,
    "elm_attention": bool,
    "info_recoupling": bool,
}
MODEL_OPTIONS = "model_options"

_EXAMPLES = {int: ("a whole number", 20), float: ("a number", 2e-3)}
#: What an argument of each type must be, in words; of several, each of them.
_IN_WORDS = {int: "a whole number", float: "a number", bool: "true or false", types.NoneType: "none"}


def changes(settings: Sequence[str], options: Mapping[str, object]) -> dict[str, typing.Any]:
    """What settings say, as arguments of `Recipe.derive`.

    Args:
        settings: Texts ``"key=value"``; of two with the same key the last one counts.
        options: The recipe's ``model_options``: their names, too, need no section.

    Raises:
        RecipeError: if a key is unknown or ambiguous, or a value is not of its type.

    Example:
        >>> changes(["epochs=20", "model_options.stem=conv7x7", "seed=1"], {})
        {'schedule': {'epochs': 20}, 'model_options': {'stem': 'conv7x7'}, 'seed': 1}
    """
    found: dict[str, typing.Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise RecipeError(f"{setting!r}: write settings as key=value, such as epochs=20")
        section, name = resolve(key, options)
        if not section:
            found[name] = parse(key, TOP_LEVEL[name], text)
        elif section != MODEL_OPTIONS:
            found.setdefault(section, {})[name] = parse(key, kinds(section)[name], text)
        elif name in OPTIONS and text:
            found.setdefault(section, {})[name] = parse(key, OPTIONS[name], text)
        else:
            # An empty text takes an option away, as derive does with None.
            found.setdefault(section, {})[name] = guess(text) if text else None
    return found


def resolve(key: str, options: Iterable[str] = ()) -> tuple[str, str]:
    """The section and the name that a key means; the section is empty for what stands in none.

    Example:
        >>> resolve("learning_rate"), resolve("optimizer.learning_rate"), resolve("optimizer"), resolve("model")
        (('optimizer', 'learning_rate'), ('optimizer', 'learning_rate'), ('optimizer', 'name'), ('', 'model'))
    """
    owners: dict[str, list[str]] = {name: [""] for name in TOP_LEVEL}
    for section in SECTIONS:
        for name in kinds(section):
            owners.setdefault(name, []).append(section)
    for name in dict.fromkeys((*OPTIONS, *options)):
        owners.setdefault(name, []).append(MODEL_OPTIONS)

    section, dot, name = SHORT.get(key, key).rpartition(".")
    if section == MODEL_OPTIONS and name.isidentifier():
        return section, name
    if dot and section in owners.get(name, ()):
        return section, name
    if not dot and len(owners.get(name, ())) == 1:
        return owners[name][0], name
    if not dot and name in owners:
        raise RecipeError(f"{key}: say which, {' or '.join(_full(owner, name) for owner in owners[name])}")
    # Compared alike: with sections if the key has one, without if not.
    known = {_full(owner, name) for name in owners for owner in owners[name]} if dot else owners
    raise RecipeError(f"no recipe has a setting {key!r}{near_misses(key, known)}")


def kinds(section: str) -> dict[str, typing.Any]:
    """The types of a section's settings by name."""
    hints = typing.get_type_hints(SECTIONS[section])
    return {field.name: hints[field.name] for field in fields(SECTIONS[section])}


def parse(key: str, kind: typing.Any, text: str) -> typing.Any:
    """A text as a value of a type: of words, numbers, truths, tuples of them, or ``T | None``."""
    if isinstance(kind, types.UnionType):  # int | None
        if text.lower() in ("", "none"):
            return None
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is tuple:
        return tuple(parse(key, typing.get_args(kind)[0], part) for part in text.split(",") if part)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise RecipeError(f"{key}={text}: must be true or false")
        return text.lower() == "true"
    try:
        value = kind(text)
    except ValueError:
        value = None
    # "nan" and "inf" are numbers to Python.
    if value is None or (kind is float and value - value != 0):
        what, example = _EXAMPLES[kind]
        raise RecipeError(f"{key}={text}: must be {what}, such as {example}")
    return value


def guess(text: str) -> typing.Any:
    """A text as what it looks like, where nothing says what it should be.

    Example:
        >>> guess("4,5,4"), guess("-1"), guess("0.5"), guess("true"), guess("conv7x7")
        ((4, 5, 4), -1, 0.5, True, 'conv7x7')
    """
    if "," in text:
        return tuple(guess(part) for part in text.split(",") if part)
    constants = {"true": True, "false": False, "none": None}
    if text.lower() in constants:
        return constants[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def fitted(key: str, kind: typing.Any, value: typing.Any) -> typing.Any:
    """A value as an argument of some type takes it: where that is a sequence, one alone becomes a sequence of one.

    Args:
        key: What the error calls it.
        kind: The argument's type. Only numbers, truths, sequences of them and ``T | None`` are looked at: of the words
            that it takes the network itself tells.
        value: What a recipe says, or what `guess` made of a text.

    Raises:
        RecipeError: if it is of another type.

    Example:
        >>> fitted("transitions", Sequence[int], 96), fitted("transitions", Sequence[int], (64, 96))
        ((96,), (64, 96))
        >>> fitted("groups", int, (2, 3))
        Traceback (most recent call last):
        ...
        bnext_keras.errors.RecipeError: groups=2,3: must be a whole number
    """
    is_sequence = typing.get_origin(kind) is Sequence
    one = typing.get_args(kind)[0] if is_sequence else kind
    kinds = typing.get_args(one) if isinstance(one, types.UnionType) else (one,)
    values = value if isinstance(value, tuple) and is_sequence else (value,)
    if all(each in _IN_WORDS for each in kinds) and not all(_is_one_of(kinds, each) for each in values):
        what = " or ".join(_IN_WORDS[each] for each in kinds)
        raise RecipeError(f"{key}={as_text(value)}: must be {what}{', or several with commas between' * is_sequence}")
    return values if is_sequence else value


def _is_one_of(kinds, value):
    """Whether a value is of one of these types: truths are no numbers, and whole numbers are numbers."""
    return type(value) in kinds or (type(value) is int and float in kinds)


def as_text(value: object) -> str:
    """A value as it is written in a setting.

    Example:
        >>> as_text((32, 64)), as_text(True), as_text(1e-3), as_text(None)
        ('32,64', 'true', '0.001', 'none')
    """
    if isinstance(value, tuple):
        # The comma at the end makes one number a tuple of numbers.
        return ",".join(map(as_text, value)) + "," * (len(value) == 1 and not isinstance(value[0], str))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def near_misses(word: str, words: Iterable[str]) -> str:
    """A question to append to an error: which of ``words`` may have been meant. Empty if none is near.

    Example:
        >>> near_misses("epoch", ["epochs", "seed"])
        '; did you mean epochs?'
    """
    by_small_letters = {known.lower(): known for known in words}
    matches = difflib.get_close_matches(word.lower(), list(by_small_letters), n=3, cutoff=0.6)
    found = [by_small_letters[match] for match in matches]
    return f"; did you mean {' or '.join(found)}?" if found else ""


def _full(section, name):
    return f"{section}.{name}" if section else name
