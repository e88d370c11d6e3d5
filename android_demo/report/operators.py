"""What an operator's time is spent on: binary work, float work, or moving data.

The converter's kinds of operators, of which pages show some together: what a profile calls an operator does not always
tell a convolution from a matrix product.

>>> classify("LceBconv2d").label
'binary convolution'
>>> classify("Static Reshape (NC)").label
'data movement'
"""

import re
from enum import Enum

from android_demo.tools.benchmark_model import Profile
from converter.tflite.kinds import Kind, kind_of


class Group(Enum):
    """Kinds of work that pages show together, in their order."""

    BINARY = "binary convolution"
    PACKING = "bit-packing, binary pooling"
    CONVOLUTION = "other convolution, dense"
    ELEMENTWISE = "element-wise, reductions, pooling"
    MOVEMENT = "data movement"
    OTHER = "unknown"

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.value


_GROUPS = {
    Kind.BINARY_CONV: Group.BINARY,
    Kind.BIT_PACKING: Group.PACKING,
    Kind.FLOAT_CONV: Group.CONVOLUTION,
    Kind.DENSE: Group.CONVOLUTION,
    Kind.ELEMENTWISE: Group.ELEMENTWISE,
    Kind.POOLING: Group.ELEMENTWISE,
    Kind.DATA_MOVEMENT: Group.MOVEMENT,
    Kind.OTHER: Group.OTHER,
}


def classify(type_name: str) -> Group:
    """The group of an operator's type."""
    return _GROUPS[kind_of(type_name)]


def by_type(profile: Profile) -> dict[str, float]:
    """Milliseconds of one inference by type of operator, largest first."""
    rows = profile.operators or profile.summary
    times: dict[str, float] = {}
    for row in rows:
        times[row.type] = times.get(row.type, 0.0) + (row.avg_ms or 0.0)
    # Some versions list a delegate's operators and then its node, whose time is their sum, once more.
    if any(getattr(row, "name", "").startswith("Delegate/") for row in rows):
        times = {name: time for name, time in times.items() if not re.fullmatch(r"TfLite\w*Delegate\w*", name)}
    return dict(sorted(times.items(), key=lambda item: -item[1]))


def by_group(times: dict[str, float]) -> dict[Group, float]:
    """Milliseconds by group of operators, in the groups' order; groups without time are left out.

    Args:
        times: Milliseconds by type of operator, from `by_type`.
    """
    sums = dict.fromkeys(Group, 0.0)
    for name, time in times.items():
        sums[classify(name)] += time
    return {group: time for group, time in sums.items() if time > 0}
