"""Archives whose bytes depend on what is in them alone: no dates, no users, one order."""

import io
import zipfile
from collections.abc import Collection, Mapping

#: The first date that the format has.
_DATE = (1980, 1, 1, 0, 0, 0)
#: Of a local header without its name.
_HEADER_BYTES = 30


def pack(files: Mapping[str, bytes], *, stored: Collection[str] = ()) -> bytes:
    """A ZIP file.

    Args:
        files: Contents by name, in order.
        stored: Names of those that are not compressed. They begin at multiples of 4 bytes, where Android maps them.

    Example:
        >>> content = pack({"a": b"1" * 1000, "bc": b"2"}, stored=["bc"])
        >>> content == pack({"a": b"1" * 1000, "bc": b"2"}, stored=["bc"])
        True
        >>> content.index(b"2PK") % 4
        0
        >>> with zipfile.ZipFile(io.BytesIO(content)) as archive:
        ...     archive.read("a") == b"1" * 1000
        True
    """
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o100644 << 16
            if name not in stored:
                entry.compress_type = zipfile.ZIP_DEFLATED
            else:
                entry.extra = bytes(-(written.tell() + _HEADER_BYTES + len(name.encode())) % 4)
            archive.writestr(entry, content)
    return written.getvalue()
