"""Where an example is kept: all that the process which decodes its image needs to know of it.

Nothing here needs TensorFlow, so that it may be used in processes of its own (`bnext_keras.data.processes`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


class Location(Protocol):
    """An example that has not been read yet; can be pickled. Its text is what messages call it."""

    def read(self) -> tuple[bytes | np.ndarray, int]:
        """Does what `bnext_keras.data.Examples.read` does."""


@dataclass(frozen=True)
class ImageFile:
    """An image that is a file of its own."""

    path: Path
    label: int

    def read(self) -> tuple[bytes, int]:
        return self.path.read_bytes(), self.label

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class InMemory:
    """An image that has been read."""

    image: bytes | np.ndarray
    label: int

    def read(self) -> tuple[bytes | np.ndarray, int]:
        return self.image, self.label
