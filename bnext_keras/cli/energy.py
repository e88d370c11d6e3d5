"""``bnext-models energy``: what an inference costs in energy, estimated."""

import argparse
import json

from bnext_keras.cards import CARDS, card_named
from bnext_keras.cli._tool import run, tool_parser
from bnext_keras.energy import MEMORIES, TECHNOLOGIES, of_card
from bnext_keras.text import as_table

TOOL = "bnext-models energy"

DESCRIPTION = """\
Estimate the energy of an inference: published picojoules for each operation and each byte,
times a network's multiply-accumulates and the bytes of its parameters, each read once.

An estimate for silicon made for such a network, to compare networks by. Maps between
layers, instructions and leakage are left out; it says nothing about a phone."""

EPILOG = """\
examples:
  bnext-models energy
  bnext-models energy BNextTiny QuickNet --technology 7nm --memory sram
  bnext-models energy --json

exit status: 0, or 2 if there is no such network"""

HEADER = ("model", "operations, mJ", "memory, mJ", "together, mJ", "in floats, mJ", "saved")


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    return run("bnext-models", _energy, _parser().parse_args(argv))


def _energy(arguments):
    cards = [card_named(name) for name in arguments.names] or CARDS
    options = (arguments.technology, arguments.memory)
    found = [(card, of_card(card, *options), of_card(card, *options, in_floats=True)) for card in cards]
    technology = TECHNOLOGIES[arguments.technology]
    if arguments.json:
        entries = [
            {
                "name": card.name,
                "is_estimate": True,
                "technology": technology.name,
                "memory": arguments.memory,
                "source": technology.source,
                "source_checked": technology.checked,
                "operations_mj": energy.operations,
                "memory_mj": energy.memory,
                "in_floats_mj": floats.total,
            }
            for card, energy, floats in found
        ]
        print(json.dumps(entries, indent=2))
        return 0
    rows = [
        (
            card.name,
            f"{energy.operations:.3f}",
            f"{energy.memory:.3f}",
            f"{energy.total:.3f}",
            f"{floats.total:.2f}",
            f"{floats.total / energy.total:.1f}x",
        )
        for card, energy, floats in found
    ]
    print(as_table(HEADER, rows, text=("model",)))
    print(f"\nEstimates, not measurements. {technology.source}{'' if technology.checked else ' (as others cite it)'}.")
    print("8-bit operations: a product and a 32-bit sum; fewer bits: in proportion to the bits of both factors.")
    print("In floats: the same network with every number a float32.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="networks, as bnext-models lists them (default: all)")
    add("--technology", choices=tuple(TECHNOLOGIES), default="45nm", help="of the silicon (default %(default)s)")
    text = "what parameters are read from (default %(default)s)"
    add("--memory", choices=MEMORIES, default="dram", help=text)
    add("--json", action="store_true", help="as JSON, with the sources")
    return parser
