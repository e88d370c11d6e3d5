"""Flatbuffers of a few tables, written and read by the numbers of their fields, without generated code."""

from flatbuffers import number_types
from flatbuffers.table import Table

#: Longest list that is read.
MAX_ENTRIES = 1000


def write_table(builder, places, **fields):
    """Writes a table of strings, vectors and tables, by their offsets, and numbers, as ``("Int8", number)``."""
    builder.StartObject(max(places.values(), default=-1) + 1)
    for name, value in fields.items():
        if isinstance(value, tuple):
            getattr(builder, f"Prepend{value[0]}Slot")(places[name], value[1], 0)
        elif value is not None:
            builder.PrependUOffsetTRelativeSlot(places[name], value, 0)
    return builder.EndObject()


def write_tables(builder, offsets):
    """Writes a list of tables, or strings, by their offsets."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def write_floats(builder, values):
    """Writes a list of float32."""
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return builder.EndVector()


class TableReader(Table):
    """One table of a flatbuffer; whatever struct raises, if a number in it leads astray."""

    @classmethod
    def root(cls, buffer):
        """The outermost table."""
        return cls(buffer, int.from_bytes(buffer[:4], "little"))

    def _place(self, field):
        offset = self.Offset(4 + 2 * field)
        return self.Pos + offset if offset else None

    def byte(self, field):
        """A number of one byte, 0 if the field is not there."""
        place = self._place(field)
        return 0 if place is None else self.Get(number_types.Uint8Flags, place)

    def string(self, field):
        """A text, "" if the field is not there."""
        place = self._place(field)
        return "" if place is None else self.String(place).decode()

    def table(self, field):
        """Another table, None if the field is not there."""
        place = self._place(field)
        return None if place is None else TableReader(self.Bytes, self.Indirect(place))

    def tables(self, field):
        """A list of tables, [] if the field is not there."""
        return [TableReader(self.Bytes, self.Indirect(place)) for place in self._elements(field)]

    def floats(self, field):
        """A list of float32, [] if the field is not there."""
        return [self.Get(number_types.Float32Flags, place) for place in self._elements(field)]

    def _elements(self, field):
        offset = self.Offset(4 + 2 * field)
        if not offset:
            return []
        start, length = self.Vector(offset), self.VectorLen(offset)
        if length > MAX_ENTRIES:
            raise ValueError("a list has more entries than any of this kind")
        return [start + 4 * index for index in range(length)]
