"""Kinds of operators: what an operator's time and bytes are spent on.

Four vocabularies have names for the same work: TensorFlow Lite's graph (``CONV_2D``), Larq Compute Engine
(``LceBconv2d``), the engine's steps (``BinaryConv``), and the inside of XNNPACK, which profiles on devices tell of
(``Convolution (NHWC, F32) IGEMM``).

>>> str(kind_of("LceBconv2d")), str(kind_of("CONV_2D")), str(kind_of("Convolution (NHWC, F32) IGEMM"))
('binary convolution', 'float convolution', 'float convolution')
>>> str(kind_of("Static Reshape (NC)")), str(kind_of("TFLite_Detection_PostProcess"))
('data movement', 'other')
"""

import re
from enum import Enum


class Kind(str, Enum):
    """A kind of work, in the order in which reports show them."""

    BINARY_CONV = "binary convolution"
    BIT_PACKING = "bit packing"
    FLOAT_CONV = "float convolution"
    DENSE = "dense"
    ELEMENTWISE = "elementwise"
    POOLING = "pooling and mean"
    DATA_MOVEMENT = "data movement"
    OTHER = "other"

    # As in enum.StrEnum, which Python 3.10 does not have.
    __str__ = str.__str__


# The first pattern that is found in a name, in lower case and without separators, decides. Order matters where one name
# holds another: "convolution ... igemm", "LceDequantize" and "dequantize", "maxpool" and "max". Patterns rather than a
# list of names, because XNNPACK's names differ from version to version.
_PATTERNS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        # All of a delegate's operators in one: no kind can be told.
        (Kind.OTHER, "delegate"),
        (Kind.BINARY_CONV, "bconv2d|binaryconv"),
        (Kind.BIT_PACKING, "lcequantize|lcedequantize|lcebmaxpool"),
        (Kind.FLOAT_CONV, "conv(?!ert)|^depthwise$"),
        (Kind.DENSE, "fullyconnected|^dense$|matmul|matrixmultiply|gemm|lstm|gru|rnn"),
        (
            Kind.DATA_MOVEMENT,
            "reshape|concat|pad|transpose|slice|split|gather|copy|pack|squeeze|expanddims|spacetobatch|batchtospace"
            "|depthtospace|spacetodepth|tile|broadcast|shape|reverse|cast|quantize|convert|fill|embedding|resize",
        ),
        (Kind.POOLING, "pool|mean|sum|reduce"),
        (
            Kind.ELEMENTWISE,
            "^map$|add|mul|sub|div|relu|logistic|sigmoid|tanh|hardswish|gelu|elu|softmax|norm|max|min|clamp|abs|neg|sqrt|pow"
            "|^exp$|^log$|^sin$|^cos$|sign|square|floor|round|ceil|equal|greater|less|select|where|logical",
        ),
    )
)


def kind_of(type_name: str) -> Kind:
    """The kind of an operator's type; what stands in parentheses, XNNPACK's layouts and number formats, is ignored."""
    plain = re.sub(r"[\W_]", "", re.sub(r"\(.*?\)", "", type_name)).lower()
    return next((kind for kind, pattern in _PATTERNS if pattern.search(plain)), Kind.OTHER)
