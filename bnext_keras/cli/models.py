"""``bnext-models``: which variants there are, what was published of them and what they cost.

The list comes from `bnext_keras.cards` and needs no TensorFlow; only ``show`` builds a model.
"""

import json
import sys
from collections.abc import Sequence

from bnext_keras.cards import CARDS, Card, find
from bnext_keras.cli._tool import dispatch, quiet_tensorflow, run, silenced, tool_parser
from bnext_keras.energy import of_card
from bnext_keras.errors import UserError
from bnext_keras.text import as_table, format_bytes

TOOL = "bnext-models"

DESCRIPTION = """\
List the BNext and MeliusNet variants and the networks they are compared with, with their
published ImageNet accuracies and what they cost, or print one network's layers."""

EPILOG = """\
examples:
  bnext-models
  bnext-models --json
  bnext-models show BNextTiny
  bnext-models compare comparison.html         accuracy against cost, see its --help
  bnext-models energy BNextTiny QuickNet       what an inference costs, estimated

exit status: 0, or 2 if there is no such variant"""

HEADER = (
    "model",
    "top-1 %",
    "top-5 %",
    "accuracy by",
    "parameters",
    "binary",
    "MiB",
    "MiB published",
    "OPs",
    "binary MACs",
    "other MACs",
    "mJ",
    "file MiB",
    "operators",
    "input",
    "source",
)

#: Columns of words, which begin at the left.
TEXTS = ("model", "accuracy by", "source")

NOTES = (
    "MiB: a binary weight is one bit and everything else float32. "
    "MiB published: BNext-T, S, M and L with 8, 4 and 8 bits in stem, squeeze-and-expand and head.",
    "OPs: binary MACs / 64 + 4-bit MACs / 16 + 8-bit MACs / 8 + float MACs, at the bits of the published sizes.",
    "mJ: an estimate of the energy for an image, 45 nm and DRAM, see bnext-models energy. "
    "File MiB and operators: of the .tflite file at that input size; nothing where it has not been made.",
    "~: as others cite the paper, not checked against it.",
)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    commands = {
        "": _main_list,
        "compare": _main_compare,
        "energy": _main_energy,
        "show": lambda rest: run(TOOL, _show, _show_parser().parse_args(rest)),
    }
    return dispatch(commands, argv)


def _main_compare(argv):
    from bnext_keras.cli import compare  # listing must not pay for it

    return compare.main(argv)


def _main_energy(argv):
    from bnext_keras.cli import energy

    return energy.main(argv)


def _main_list(argv):
    parser = _list_parser()
    if argv and not argv[0].startswith("-"):
        parser.error(f"{argv[0]} is no subcommand; bnext-models show {argv[0]} shows a variant")
    return run(TOOL, _list, parser.parse_args(argv))


def _list(arguments):
    print({"text": as_text, "markdown": as_markdown, "json": as_json}[arguments.format](CARDS), flush=True)
    return 0


def as_text(cards: Sequence[Card]) -> str:
    """The cards as a table for the terminal, with notes below it."""
    return "\n".join([as_table(HEADER, list(map(_cells, cards)), TEXTS), "", *_notes(cards)])


def as_markdown(cards: Sequence[Card]) -> str:
    """The cards as a Markdown table, with notes below it: what stands in docs/results.md.

    Example:
        >>> from bnext_keras.cards import CARDS
        >>> print(as_markdown(CARDS[:1]).splitlines()[2])
        | BNextTiny | 72.4 |  | hpi-xnor/BNext | 30.85 M | 91.6% | 13.29 | 5.4 | 0.077 G | 4.82 G | 13.3 M | 0.94 | \
13.05 | 478 | 224 | arXiv 2211.12933 |
    """
    rules = ["---" if title in TEXTS else "---:" for title in HEADER]
    table = "\n".join(f"| {' | '.join(row)} |" for row in (HEADER, rules, *map(_cells, cards)))
    return "\n\n".join([table, *_notes(cards)])


def as_json(cards: Sequence[Card]) -> str:
    """Everything that the cards hold."""
    return json.dumps([card.to_dict() for card in cards], indent=2)


def _cells(card):
    best = card.accuracies[0] if card.accuracies else None
    return (
        card.name,
        _accuracy(best, "top1"),
        _accuracy(best, "top5"),
        best.by if best else "",
        f"{card.parameters / 1e6:.2f} M",
        f"{card.binary_share:.1%}",
        f"{card.mebibytes:.2f}",
        _number(card.published_mebibytes),
        f"{card.ops / 1e9:.3f} G",
        f"{card.binary_macs / 1e9:.2f} G",
        f"{card.other_macs / 1e6:.1f} M",
        f"{of_card(card).total:.2f}",
        *_file_cells(card.conversion),
        str(card.input_size),
        card.source,
    )


def _file_cells(conversion):
    if conversion is None:
        return "", ""
    if conversion.refused:
        return "refused", ""
    return f"{conversion.bytes / 2**20:.2f}", str(conversion.operators)


def _accuracy(accuracy, name):
    """One figure, marked where it was not checked; empty where there is none."""
    value = accuracy and getattr(accuracy, name)
    return "" if value is None else f"{'' if accuracy.checked else '~'}{value}"


def _number(value):
    return "" if value is None else str(value)


def _notes(cards):
    others = [f"{card.name}: also {_sentence(accuracy)}" for card in cards for accuracy in card.accuracies[1:]]
    return [*NOTES, *others]


def _sentence(accuracy):
    top5 = "" if accuracy.top5 is None else f" / {accuracy.top5}"
    return f"{'' if accuracy.checked else '~'}{accuracy.top1}{top5}% by {accuracy.by}."


def _show(arguments):
    card = find(arguments.name)
    if card is None:
        names = ", ".join(card.name for card in CARDS)
        raise UserError("no such variant", where=arguments.name, remedy=f"there are {names}")
    quiet_tensorflow()
    with silenced():
        from bnext_keras import models

        model = card.build()
    models.summary(model, bits=card.bits)
    for accuracy in card.accuracies:
        print(f"  published on ImageNet: {_sentence(accuracy)}")
    print(f"  architecture: {card.source}")
    energy = of_card(card)
    print(
        f"  energy, an estimate at 45 nm: {energy.operations:.2f} mJ for operations, {energy.memory:.2f} mJ to read "
        "the parameters from DRAM once"
    )
    if card.conversion is not None:
        print(f"  converted: {_conversion_sentence(card.conversion)}")
    return 0


def _conversion_sentence(conversion):
    if conversion.refused:
        return f"refused, {conversion.refused}"
    return (
        f"{format_bytes(conversion.bytes)}, {conversion.operators} operators, of them {conversion.binary_convolutions} "
        f"binary convolutions, at {conversion.input_size}x{conversion.input_size}"
    )


def _list_parser():
    usage = (
        "bnext-models [-h] [--json | --markdown]\n       bnext-models show NAME\n       bnext-models compare FILE ...\n"
        "       bnext-models energy [NAME ...]"
    )
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG, usage=usage)
    formats = parser.add_mutually_exclusive_group()
    formats.set_defaults(format="text")
    formats.add_argument("--json", dest="format", action="store_const", const="json", help="everything, as JSON")
    formats.add_argument(
        "--markdown", dest="format", action="store_const", const="markdown", help="the table of docs/results.md"
    )
    return parser


def _show_parser():
    parser = tool_parser(f"{TOOL} show", "Print one variant's layers.", "")
    parser.add_argument("name", metavar="NAME", help="a name of the list, in upper or lower case")
    return parser


if __name__ == "__main__":
    sys.exit(main())
