"""Kernels of binary convolutions: as floats for a moment, and packed, one bit per weight, for the rest of the way.

LCE has no groups, so a layer with G groups has G kernels ``(height, width, channels / G, filters / G)``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from converter.graph import BinaryCall
from converter.source.binary_layers import quantized_kernel
from converter.tflite.bits import pack_signs, unpack_signs


def float_kernels(call: BinaryCall) -> list[np.ndarray]:
    """The kernels that a call convolves with, one per group: the layer's own, with flipped channels negated."""
    kernels = np.split(quantized_kernel(call.layer), call.layer.groups, axis=-1)
    if call.flips is None:
        return kernels
    flips = np.split(call.flips.astype(np.float32), call.layer.groups)
    return [kernel * flip[:, np.newaxis] for kernel, flip in zip(kernels, flips, strict=True)]


def filter_scales(kernel: np.ndarray) -> np.ndarray:
    """The c of each output channel of a kernel ``(height, width, in, out)`` of +-c."""
    return np.abs(kernel[0, 0, 0])


@dataclass(frozen=True, eq=False)
class PackedKernel:
    """The kernel of one convolution operator, one bit per weight.

    Attributes:
        words: Its signs, int32 ``(filters, height, width, words)`` as LCE packs them.
        scale: float32 ``(filters,)``, the absolute value of a filter's weights. It becomes a multiplication behind the
            convolution, see `converter.compiler.lower`.
        channels: Number of input channels.
    """

    words: np.ndarray
    scale: np.ndarray
    channels: int

    @classmethod
    def of(cls, kernel: np.ndarray) -> "PackedKernel":
        """Packs a kernel ``(height, width, in, out)`` of one +-c per output channel."""
        return cls(pack_signs(kernel), filter_scales(kernel), kernel.shape[2])

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(height, width, in, out)``."""
        filters, height, width, _ = self.words.shape
        return height, width, self.channels, filters

    def signs(self) -> np.ndarray:
        """-1 and +1, float32 ``(height, width, in, out)``: times the scale they are the kernel as it was."""
        return unpack_signs(self.words, self.channels).transpose(1, 2, 3, 0)

    def equals(self, other: "PackedKernel") -> bool:
        """Whether both hold the same numbers."""
        return np.array_equal(self.words, other.words) and np.array_equal(self.scale, other.scale)

    def turned(self, filters: np.ndarray) -> np.ndarray:
        """The words with all signs of some filters negated.

        Args:
            filters: Which ones, bool ``(filters,)``.
        """
        every_sign = pack_signs(np.full((1, 1, self.channels, 1), -1.0))
        return np.where(filters[:, np.newaxis, np.newaxis, np.newaxis], self.words ^ every_sign, self.words)


def pack_kernels(calls: Iterable[BinaryCall]) -> dict[BinaryCall, list[PackedKernel]]:
    """Each call's kernels, one per group. Calls of one layer with the same flips share theirs."""
    packed: dict[tuple, list[PackedKernel]] = {}
    kernels = {}
    for call in calls:
        key = id(call.layer), None if call.flips is None else call.flips.tobytes()
        if key not in packed:
            packed[key] = [PackedKernel.of(kernel) for kernel in float_kernels(call)]
        kernels[call] = packed[key]
    return kernels
