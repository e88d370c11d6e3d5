"""The head of an ELF file: for which machine a program is, and whether all of it is there."""

import struct
from dataclasses import dataclass
from pathlib import Path

#: Bytes of the longest head, that of 64-bit files.
_HEAD = 64
#: By the class of a file (1: 32 bits, 2: 64 bits), where its head says: begin of the program headers, begin of the
#: section headers; size and number of both.
_TABLES = {1: ("II", 28, "HHHH", 42), 2: ("QQ", 32, "HHHH", 54)}


@dataclass(frozen=True)
class Elf:
    """What the head says.

    Attributes:
        machine: Number of the kind of machine: 183 for 64-bit ARM.
        end: Bytes up to the end of both tables of headers. Linkers put that of the sections last, so that a file which
            is shorter has been cut off.
    """

    machine: int
    end: int


def read_elf(file: Path) -> Elf | None:
    """Reads the head; None if the file is no ELF file.

    Raises:
        OSError: if it cannot be read.
    """
    with file.open("rb") as opened:
        return parse_elf(opened.read(_HEAD))


def parse_elf(head: bytes) -> Elf | None:
    """Reads the first bytes of a file; None if it is no ELF file, or shorter than its head.

    Example:
        >>> head = bytearray(64)
        >>> head[:6], head[18:20] = b"\\x7fELF\\x02\\x01", (183).to_bytes(2, "little")
        >>> head[40:48], head[58:62] = (7000).to_bytes(8, "little"), bytes([64, 0, 12, 0])
        >>> parse_elf(bytes(head))
        Elf(machine=183, end=7768)
    """
    if head[:4] != b"\x7fELF" or len(head) < _HEAD or head[4] not in _TABLES:
        return None
    order = ">" if head[5] == 2 else "<"
    starts, at, counts, counts_at = _TABLES[head[4]]
    (machine,) = struct.unpack_from(f"{order}H", head, 18)
    begins = struct.unpack_from(order + starts, head, at)
    program_size, programs, section_size, sections = struct.unpack_from(order + counts, head, counts_at)
    return Elf(machine, max(begins[0] + program_size * programs, begins[1] + section_size * sections))
