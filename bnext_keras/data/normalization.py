"""The last step of every image: from bytes to the numbers that a network is trained on."""

from dataclasses import dataclass

from bnext_keras.preprocessing import IMAGENET_MEAN, IMAGENET_STD

import numpy as np

CIFAR_MEAN = (0.507, 0.487, 0.441)
CIFAR_STD = (0.267, 0.256, 0.276)


@dataclass(frozen=True)
class Normalization:
    """``(pixels / 255 - mean) / std``, per channel.

    Args:
        mean: Mean of red, green and blue in [0, 1].
        std: Standard deviation of red, green and blue.

    Example:
        >>> white = np.full((1, 1, 3), 255, np.uint8)
        >>> Normalization(mean=(0.5, 0.5, 0.5), std=(0.25, 0.5, 1.0))(white)
        array([[[2. , 1. , 0.5]]], dtype=float32)
    """

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self):
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(f"mean and std must be three numbers each, std above 0, got {self.mean} and {self.std}")

    @classmethod
    def imagenet(cls) -> "Normalization":
        """The normalization of every published ImageNet model here."""
        return cls()

    @classmethod
    def cifar(cls) -> "Normalization":
        """The normalization of BNext-18 on CIFAR."""
        return cls(CIFAR_MEAN, CIFAR_STD)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Takes uint8 ``(..., 3)``, returns float32 of the same shape."""
        normalized = np.asarray(pixels, np.float32) / 255
        normalized -= np.asarray(self.mean, np.float32)
        normalized /= np.asarray(self.std, np.float32)
        return normalized
