"""Signs as Larq Compute Engine stores them: 32 channels to a word, bit 0 first, 1 for -1."""

import numpy as np


def pack_signs(kernel: np.ndarray) -> np.ndarray:
    """LCE's bit-packing of a kernel ``(height, width, in, out)``: int32 ``(out, height, width, ceil(in / 32))``.

    Example:
        >>> import numpy as np
        >>> pack_signs(np.array([1.0, -1.0, -1.0]).reshape(1, 1, 3, 1)).ravel().tolist()
        [6]
    """
    return pack_channels(kernel.transpose(3, 0, 1, 2))


def pack_channels(values: np.ndarray) -> np.ndarray:
    """LCE's bit-packing of the signs of activations ``(..., channels)``: int32 ``(..., ceil(channels / 32))``.

    Example:
        >>> pack_channels(np.array([1.0, -1.0, -1.0])).tolist()
        [6]
    """
    bits = np.packbits(values < 0, axis=-1, bitorder="little")
    padded = np.pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, -bits.shape[-1] % 4)])
    return np.ascontiguousarray(padded).view(np.int32)


def unpack_signs(words: np.ndarray, channels: int) -> np.ndarray:
    """The +-1 that bit-packed activations ``(..., words)`` stand for, float32 ``(..., channels)``.

    Example:
        >>> import numpy as np
        >>> unpack_signs(np.array([6], np.int32), 3).tolist()
        [1.0, -1.0, -1.0]
    """
    bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little")
    return 1.0 - 2.0 * bits[..., :channels].astype(np.float32)
