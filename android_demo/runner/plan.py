"""The plan: the file that the engine runs, as `native/core/plan.h` declares it. One for all machines.

A header of 128 bytes is followed by five sections, each from a multiple of 64 bytes on: tensors, steps, words (the
steps' arguments), names and data (constants). Everything is little endian.
"""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

MAGIC = 0x4E414C50584E42  # "BNXPLAN" and a zero.
VERSION = 4
ALIGNMENT = 64
HEADER_BYTES = 128
_FACTOR = 0x9E3779B97F4A7C15  # Of the checksum.
#: Marks an operand of a map's instruction that is a tensor, not a register.
TENSOR = 0x80000000
#: Stands for no tensor: the mean that nobody wants, the input of a copy that writes zeros.
NOTHING = 0xFFFFFFFF
#: Channels that lie beside each other in a blocked tensor.
CHANNEL_BLOCK = 32
#: At most so many instructions, registers and sums has a map.
MOST_INSTRUCTIONS, MOST_REGISTERS, MOST_SUMS = 64, 16, 8


class Type(IntEnum):
    """Type of a tensor's elements; signs are 32 to a word."""

    FLOAT, INT16, SIGNS, INT8 = range(4)


class Place(IntEnum):
    """Where a tensor lies."""

    ARENA, DATA = range(2)


class Kind(IntEnum):
    """What a step does."""

    BINARY_CONV, MAP, CONV, DEPTHWISE, DENSE, POOL, COPY, GATHER, SOFTMAX = range(9)


class Op(IntEnum):
    """An operation of a map, on single elements."""

    (
        COPY,
        AFFINE,
        AFFINE_PRELU,
        ADD,
        SUB,
        MUL,
        DIV,
        MIN,
        MAX,
        FMA,
        PRELU,
        LOGISTIC,
        EXP,
        SQRT,
        TANH,
        PACK,
        SUM,
        UNPACK,
        MEAN_POOL,
        MAX_POOL,
    ) = range(20)


@dataclass(frozen=True)
class Tensor:
    """A place in memory: pixels in rows, each with its channels, ``stride`` elements (of signs words) apart.

    If that is less than its channels, it is `CHANNEL_BLOCK`: so many channels of all pixels lie before the next ones.
    """

    type: Type
    place: Place
    height: int
    width: int
    channels: int
    stride: int
    offset: int

    def pack(self) -> bytes:
        """The 32 bytes of the file."""
        return struct.pack(
            "<6IQ", self.type, self.place, self.height, self.width, self.channels, self.stride, self.offset
        )


@dataclass(frozen=True)
class Step:
    """One step; ``words`` are its arguments, floats among them as NumPy's float32."""

    kind: Kind
    words: list[int | np.float32]
    name: str


@dataclass
class Plan:
    """What a plan consists of: inputs are the first tensors, outputs those behind them."""

    tensors: list[Tensor]
    steps: list[Step]
    data: bytes
    arena: int
    inputs: int
    outputs: int
    names: dict[str, int] = field(default_factory=dict)

    def pack(self) -> bytes:
        """The bytes of the file."""
        words: list[int | np.float32] = []
        names = bytearray()
        steps = bytearray()
        places: dict[str, int] = {}
        for step in self.steps:
            if step.name not in places:
                places[step.name] = len(names)
                names += step.name.encode().replace(b"\0", b" ") + b"\0"
            steps += struct.pack("<4I", step.kind, len(words), len(step.words), places[step.name])
            words += step.words
        packed_words = b"".join(struct.pack("<f" if isinstance(word, np.float32) else "<I", word) for word in words)
        tensors = b"".join(tensor.pack() for tensor in self.tensors)
        sections = [
            (tensors, len(self.tensors)),
            (bytes(steps), len(self.steps)),
            (packed_words, len(words)),
            (bytes(names) or b"\0", max(1, len(names))),
            (self.data, len(self.data)),
        ]
        body, table = bytearray(), []
        for content, count in sections:
            table += [HEADER_BYTES + len(body), count]
            body += content + bytes(-len(content) % ALIGNMENT)
        size = HEADER_BYTES + len(body)
        header = struct.pack("<QIIQQ", MAGIC, VERSION, checksum(body), size, self.arena)
        header += struct.pack("<10Q", *table) + struct.pack("<4I", self.inputs, self.outputs, 0, 0)
        assert len(header) == HEADER_BYTES
        return header + bytes(body)


@dataclass(frozen=True)
class Interface:
    """What a plan takes and gives: shapes with a batch of one, and NumPy's types. Signs are words of int32."""

    input_shapes: list[tuple[int, ...]]
    input_types: list[type]
    output_shapes: list[tuple[int, ...]]
    output_types: list[type]


def read_interface(plan: bytes) -> Interface:
    """Reads the shapes of inputs and outputs from a plan that is known to be whole."""
    header = np.frombuffer(plan, np.uint32, 4, 112)
    first = int.from_bytes(plan[32:40], "little")
    tensors = np.frombuffer(plan, np.uint32, 8 * int(header[0] + header[1]), first).reshape(-1, 8)
    # The stride of inputs and outputs is the number of their elements: of signs, words.
    shapes: list[tuple[int, ...]] = [(1, int(row[2]), int(row[3]), int(row[5])) for row in tensors]
    types: list[type] = [np.int32 if row[0] == Type.SIGNS else np.float32 for row in tensors]
    outputs = [
        (1, shape[3]) if type is np.float32 and shape[1:3] == (1, 1) else shape
        for shape, type in zip(shapes[header[0] :], types[header[0] :], strict=True)
    ]
    return Interface(shapes[: header[0]], types[: header[0]], outputs, types[header[0] :])


def checksum(body: bytes | bytearray) -> int:
    """The checksum of what stands behind a plan's header, as `native/core/check.cpp` computes it.

    Eight sums of words of eight bytes are made of each block of 256 rows. Here the blocks are what runs side by side.

    >>> hex(checksum(bytes(range(64)) * 300))
    '0xff6b07c5'
    """
    rows, block = np.frombuffer(body, "<u8").reshape(-1, 8), 256
    sums = np.zeros((-(-len(rows) // block), 8), np.uint64)
    for row in range(min(block, len(rows))):
        words = rows[row::block]
        products = (sums[: len(words)] ^ words) * np.uint64(_FACTOR)
        sums[: len(words)] = products ^ products >> np.uint64(32)
    total = 0
    for each in sums.ravel().tolist():
        product = (total ^ each) * _FACTOR % 2**64
        total = product ^ product >> 32
    return total % 2**32


def is_plan(content: bytes) -> bool:
    """Whether bytes begin like a plan."""
    return content[:8] == struct.pack("<Q", MAGIC)
