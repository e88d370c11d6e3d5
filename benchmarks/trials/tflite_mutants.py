"""What a prediction makes of damaged ``.tflite`` files: mutants of a small real one.

    python benchmarks/trials/tflite_mutants.py --seconds 300 --seed 0

Half of the mutants have other bytes, half another number somewhere in the tree of the file's tables. Each goes through
what ``bnext-predict`` does with a file and one image. Printed is how many ran, were refused in one line, or crashed the
interpreter's own process; and every traceback, of which there must be none. That this program reaches its end says that
no mutant has ended the process itself. Exit status 1 if there was a traceback.
"""

import argparse
import collections
import copy
import random
import sys
import time
import traceback

import bnext_keras
from bnext_keras.errors import PredictionError

import numpy as np

from converter import convert
from converter.predict.classifier import from_tflite
from converter.tflite.flatbuffer import Flatbuffer

#: Numbers that are at the edge of something.
EDGES = (-(2**31), -2, -1, 0, 1, 2, 3, 127, 128, 255, 2**15, 2**16, 2**31 - 1)


def main() -> int:
    """Runs mutants until the time is up; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
    content = convert(model).content
    counts: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        mutate = generator.choice((mutate_bytes, mutate_tree))
        counts[f"{mutate.__name__}: {outcome(mutate(content, generator))}"] += 1
    for kind, count in sorted(counts.items()):
        print(f"{count:6}  {kind}")
    print(f"{counts.total():6}  in all")
    return int(any("TRACEBACK" in kind for kind in counts))


def outcome(content: bytes) -> str:
    """What becomes of a file, in a few words."""
    try:
        classifier = from_tflite(content)
        height, width, channels = classifier.input_shape
        classifier.probabilities(np.zeros((height, width, channels), np.float32))
    except PredictionError as error:
        message = str(error)
        if len(message.splitlines()) != 1 or not message.isprintable():
            return f"TRACEBACK (not one line): {message!r}"
        return message[message.index("ended with") :] if "ended with" in message else "refused in one line"
    except Exception as error:
        traceback.print_exc()
        return f"TRACEBACK {type(error).__name__}"
    return "ran"


def mutate_bytes(content: bytes, generator: random.Random) -> bytes:
    """A file with up to eight other bytes, mostly among the tables before the weights' end, or cut off."""
    changed = bytearray(content)
    for _ in range(generator.randint(1, 8)):
        changed[generator.randrange(len(changed))] = generator.choice((0, 1, 127, 128, 255, generator.randrange(256)))
    return bytes(changed[: generator.randrange(len(changed))] if generator.random() < 0.05 else changed)


def mutate_tree(content: bytes, generator: random.Random) -> bytes:
    """A well-formed file in which up to three numbers are others."""
    while True:
        flatbuffer = Flatbuffer(content)
        model = flatbuffer.model
        model.buffers = copy.copy(model.buffers)
        for _ in range(generator.randint(1, 3)):
            owner, key = generator.choice(list(numbers_below(model)))
            old = owner[key] if isinstance(owner, list | np.ndarray) else getattr(owner, key)
            new = generator.choice((*EDGES, int(old) + 1, int(old) - 1))
            try:
                if isinstance(owner, list | np.ndarray):
                    owner[key] = new
                else:
                    setattr(owner, key, new)
            except (OverflowError, ValueError):  # too large for the field; an array that may not be written
                continue
        try:
            return flatbuffer.pack()
        except Exception:  # the number does not fit into its field: take another
            continue


def numbers_below(value: object, depth: int = 0):
    """Where whole numbers stand in a tree of tables: the owner, and the key or name in it. Buffers' bytes are not."""
    if depth > 8:
        return
    if isinstance(value, list | np.ndarray):
        for index, item in enumerate(value):
            if isinstance(item, int | np.integer) and not isinstance(item, bool):
                yield value, index
            else:
                yield from numbers_below(item, depth + 1)
    elif hasattr(value, "__dict__"):
        for name, item in vars(value).items():
            if isinstance(item, int | np.integer) and not isinstance(item, bool):
                yield value, name
            elif name != "data":
                yield from numbers_below(item, depth + 1)


if __name__ == "__main__":
    sys.exit(main())
