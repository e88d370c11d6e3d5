"""What an operator's time is spent on: binary work, float work, or moving data.

Names are those of TensorFlow Lite's graph (``CONV_2D``), of Larq Compute Engine (``LceBconv2d``) and of the inside of
XNNPACK (``Convolution (NHWC, F32) IGEMM``).

>>> classify("LceBconv2d").label
'binary convolution'
>>> classify("Static Reshape (NC)").label
'data movement'
"""

import re
from enum import Enum

from android_demo.tools.benchmark_model import Profile


class Group(Enum):
    """A kind of work; in the order in which pages show them."""

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


# The first pattern that is found in the name, in lower case and without separators, decides.
_PATTERNS = (
    (Group.OTHER, "delegate"),
    (Group.BINARY, "bconv2d"),
    (Group.PACKING, "lcequantize|lcedequantize|lcebmaxpool"),
    (Group.CONVOLUTION, "conv(?!ert)|fullyconnected|matmul|matrixmultiply|gemm|lstm|gru|rnn"),
    (
        Group.MOVEMENT,
        "reshape|concat|pad|transpose|slice|split|gather|copy|pack|squeeze|expanddims|spacetobatch|batchtospace"
        "|depthtospace|spacetodepth|tile|broadcast|shape|reverse|cast|quantize|convert|fill|embedding",
    ),
    (
        Group.ELEMENTWISE,
        "add|mul|sub|div|relu|logistic|sigmoid|tanh|hardswish|gelu|elu|softmax|mean|sum|reduce|pool|norm|max|min|clamp"
        "|abs|neg|sqrt|pow|^exp$|^log$|sign|square|floor|round|ceil|equal|greater|less|select|where|logical|resize",
    ),
)


def classify(type_name: str) -> Group:
    """The group of an operator's type."""
    plain = re.sub(r"[\W_]", "", re.sub(r"\(.*?\)", "", type_name)).lower()
    return next((group for group, pattern in _PATTERNS if re.search(pattern, plain)), Group.OTHER)


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
    """Milliseconds of one inference by group, in the groups' order; groups without time are left out."""
    sums = dict.fromkeys(Group, 0.0)
    for name, time in times.items():
        sums[classify(name)] += time
    return {group: time for group, time in sums.items() if time > 0}
