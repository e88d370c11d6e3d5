"""Converts the networks that have cards, and notes what became of them in ``bnext_keras/cards/conversions.json``.

    python benchmarks/zoo_conversion.py                      those that are not noted yet, the small ones first
    python benchmarks/zoo_conversion.py WRPNResNet34-1x      these, anew
    python benchmarks/zoo_conversion.py --input-size 64 --dry BoolNet

Each is built at its published input size with fresh weights, converted and verified in Larq Compute Engine: on two
cores that takes from seconds to several minutes. What is noted does not depend on the weights. A line is printed for
each: bytes, operators, binary convolutions, seconds; or why the network is refused.
"""

import argparse
import gc
import json
import time
from dataclasses import asdict

import bnext_keras
from bnext_keras.cards import CARDS, Card, Conversion, find
from bnext_keras.cards.card import CONVERSIONS, CONVERSIONS_FILE
from bnext_keras.errors import UserError, VerificationError
from bnext_keras.files import write_atomically

import tensorflow as tf


def converted(card: Card, size: int) -> Conversion:
    """What becomes of one network.

    Raises:
        VerificationError: if the file is wrong, which is nothing to note.
    """
    tf.keras.utils.set_random_seed(0)
    try:
        result = bnext_keras.convert(card.build(input_shape=(size, size, 3)))
    except VerificationError:
        raise
    except (UserError, ValueError) as error:
        return Conversion(input_size=size, refused=str(error))
    finally:
        tf.keras.backend.clear_session()
        gc.collect()
    return Conversion(
        input_size=size,
        bytes=result.size,
        operators=sum(result.operators.values()),
        binary_convolutions=result.operators["LceBconv2d"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks to convert anew")
    parser.add_argument("--input-size", type=int, metavar="N", help="height and width (default: as published)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no other network after that")
    parser.add_argument("--dry", action="store_true", help="print only")
    arguments = parser.parse_args()
    cards = [card for card in CARDS if card.name not in CONVERSIONS]
    if arguments.names:
        cards = [find(name) or parser.error(f"no such network: {name}") for name in arguments.names]
    start = time.monotonic()
    for card in sorted(cards, key=lambda card: card.binary_macs):
        if time.monotonic() - start > arguments.seconds:
            break
        began = time.monotonic()
        try:
            found = converted(card, arguments.input_size or card.input_size)
        except VerificationError as error:
            print(f"{card.name}: WRONG: {error}", flush=True)
            continue
        print(f"{card.name}: {found}, {time.monotonic() - began:.0f} s", flush=True)
        if not arguments.dry:
            CONVERSIONS[card.name] = asdict(found)
            ordered = {entry.name: CONVERSIONS[entry.name] for entry in CARDS if entry.name in CONVERSIONS}
            write_atomically(CONVERSIONS_FILE, (json.dumps(ordered, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
