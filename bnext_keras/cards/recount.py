"""Counts every network that has an entry, anew, and writes ``counts.json``: ``python -m bnext_keras.cards.recount``.

Run it after a network has been added or changed; it builds them all, in about five minutes and 3 GB.
"""

import json
from typing import Any

from bnext_keras.cards import PUBLISHED
from bnext_keras.cards.card import COUNTS_FILE, Published
from bnext_keras.files import write_atomically


def counted(published: Published) -> dict[str, Any]:
    """The counts of one variant, by the names that `Card` has for them; builds the model."""
    from bnext_keras import models  # the room itself needs no TensorFlow

    side = published.input_size
    costs = models.count(published.build(input_shape=(side, side, 3)))
    return {
        "parameters": costs.parameters,
        "binary_parameters": costs.binary_parameters,
        "binary_macs": costs.binary_macs,
        "other_macs": costs.macs - costs.binary_macs,
        "ops": round(costs.ops(published.bits)),
        "mebibytes": round(costs.mebibytes(), 2),
        "parameters_by_width": costs.parameters_by_width(published.bits),
        "macs_by_width": costs.macs_by_width(published.bits),
    }


def main() -> None:
    """Counts and writes."""
    counts = {published.name: counted(published) for published in PUBLISHED}
    write_atomically(COUNTS_FILE, (json.dumps(counts, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
