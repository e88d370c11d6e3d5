"""Random numbers that depend on where in a training run they are drawn, and on nothing else.

Neither threads nor workers nor interruptions change them: every example of an epoch has a generator of its own.
"""

import numpy as np


def generator(seed: int, *place: int) -> np.random.Generator:
    """The generator of one place in a training run.

    Args:
        seed: Seed of the run, 0 or more.
        *place: Whole numbers from 0 on; by convention the epoch, then the position in it.

    Returns:
        Philox, seeded by NumPy's ``SeedSequence(seed, spawn_key=place)``: generators of different places are
        independent of each other.

    Example:
        >>> generator(7, 0, 41).integers(100) == generator(7, 0, 41).integers(100)
        True
    """
    spawn_key = tuple(int(number) for number in place)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(int(seed), spawn_key=spawn_key)))
