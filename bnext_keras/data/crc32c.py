"""The checksum of TFRecord files, without TensorFlow.

The checksum is a remainder: data, as a polynomial over bits, divided by one of degree 32. What is divided by a multiple
of that first has the same remainder in the end. With a multiple of few terms this is fast: blocks of thousands of words
are added (exclusive or) to what comes behind them. Multiples of ever lower degrees leave a few words to Python.

As the polynomial of x^32 is the 32nd power of that of x, a multiple in x is one in whole words, too.

Reference:
    Castagnoli, Bräuer and Herrmann, "Optimization of Cyclic Redundancy-Check Codes with 24 and 32 Parity Bits", 1993.
"""

import functools

import numpy as np

#: The polynomial, its highest power in the lowest bit, and without the 32nd.
_POLYNOMIAL = 0x82F63B78
#: Powers of multiples that have few terms, found by search. Steps are as long as the first two are far from each other.
_MULTIPLES = (
    (5685, 1362, 426, 0),
    (1492, 330, 323, 75, 31, 0),
    (290, 136, 113, 107, 32, 0),
)


def masked_crc32c(data: bytes | memoryview) -> int:
    """CRC-32C as TFRecord files have it: turned and raised, for data may hold checksums themselves.

    Example:
        >>> hex(masked_crc32c(b"123456789"))
        '0xc78ab0e5'
    """
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes | memoryview) -> int:
    """CRC-32C.

    Example:
        >>> hex(crc32c(b"123456789")), hex(crc32c(bytes(100_000)))
        ('0xe3069283', '0xe5f88f3d')
    """
    if len(data) <= 4 * _MULTIPLES[-1][0]:
        return _remainder(data, 0xFFFFFFFF) ^ 0xFFFFFFFF
    # Zeros before the data change nothing where the register begins with zeros. It begins with ones: as if the first
    # four bytes were turned over.
    padding = -len(data) % 4
    padded = np.zeros(padding + len(data), np.uint8)
    padded[padding:] = np.frombuffer(data, np.uint8)
    padded[padding : padding + 4] ^= 0xFF
    words = padded.view(np.uint32)
    for powers in _MULTIPLES:
        words = _reduced(words, powers)
    return _remainder(words.tobytes(), 0) ^ 0xFFFFFFFF


def _reduced(words, powers):
    """The remainder of division by a multiple: as many words as its degree. The words given are changed."""
    degree, second = powers[:2]
    surplus = max(0, len(words) - degree)
    for start in range(0, surplus, degree - second):
        block = words[start : min(start + degree - second, surplus)]
        for power in powers[1:]:
            words[start + degree - power :][: len(block)] ^= block
    return words[surplus:]


def _remainder(data, register):
    table = _table()
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register


@functools.cache
def _table():
    table = list(range(256))
    for _ in range(8):
        table = [number >> 1 ^ (_POLYNOMIAL if number & 1 else 0) for number in table]
    return table
