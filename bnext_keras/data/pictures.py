"""Pictures in a user's files as a network takes them, without those that cannot be read."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from bnext_keras.data.broken import BrokenImages
from bnext_keras.preprocessing import Normalization, load_image

import numpy as np


def read_pictures(
    files: Iterable[Path],
    input_shape: tuple[int, int, int],
    normalization: Normalization,
    broken: BrokenImages,
    *,
    upright: bool = False,
) -> Iterator[tuple[int, np.ndarray]]:
    """Resizes, crops and normalizes pictures (`bnext_keras.preprocessing.load_image`), one after the other.

    Args:
        files: The pictures.
        input_shape: ``(height, width, channels)`` of the network.
        normalization: How it wants them.
        broken: Is told of those that cannot be read, which are left out.
        upright: Whether to turn photos as their cameras noted.

    Yields:
        The place of a picture among the files, and the picture.
    """
    height, width, channels = input_shape
    options = {"channels": channels, "mean": normalization.mean, "std": normalization.std, "upright": upright}
    for place, file in enumerate(files):
        try:
            picture = load_image(file, (height, width), **options)
        # Pillow's decoders let through whatever a broken file provokes: SyntaxError, struct.error, EOFError ...
        except Exception as error:
            broken.report(str(file), error)
            continue
        yield place, picture
