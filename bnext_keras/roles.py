"""What a layer is there for: the roles by which the papers count, and by which float layers get their bit widths.

Whoever builds a network says so, layer by layer, and the layer keeps it in every file format:

>>> import bnext_keras
>>> from bnext_keras.roles import STEM, stated_role
>>> stated_role(bnext_keras.layers.Conv2D(32, 3, role=STEM)), stated_role(bnext_keras.layers.BinaryConv2D(32, 3))
('stem', None)

A network of plain Keras and Larq layers states nothing; its roles follow from how its layers are connected
(`bnext_keras.structure.find_roles`). Names play no part in either.

Nothing is imported here, so that commands can name roles before TensorFlow starts.
"""

from collections.abc import Mapping
from typing import Literal, get_args

Role = Literal["binary", "stem", "squeeze-and-expand", "head", "other"]

#: One-bit kernels. No layer states it: the quantizer does.
BINARY: Role = "binary"
#: Float convolutions that the first binary convolutions are computed from.
STEM: Role = "stem"
#: What maps of one pixel go through on their way to a sigmoid that something is multiplied with.
SQUEEZE_EXPAND: Role = "squeeze-and-expand"
#: The last convolution or dense layer before the answer.
HEAD: Role = "head"
OTHER: Role = "other"

ROLES: tuple[Role, ...] = get_args(Role)

#: Roles whose weights may have few bits, in the order in which the papers write widths, ``8/4/8``; with short names.
LOW_BIT_ROLES: dict[str, Role] = {"stem": STEM, "se": SQUEEZE_EXPAND, "head": HEAD}
#: The width of weights that nothing quantizes.
FLOAT_BITS = 32
_BITS = range(2, 9)


def check_role(role: str) -> Role:
    """The role, if a layer can state it.

    Raises:
        ValueError: if there is no such role, or it is that of one-bit kernels, which their quantizer tells.
    """
    if role not in ROLES or role == BINARY:
        raise ValueError(f"role must be one of {', '.join(map(repr, ROLES[1:]))}, got {role!r}")
    return role


def check_bits(bits: int) -> int:
    """The bits, if a kernel can be trained in so many.

    Raises:
        ValueError: if they are not a whole number from 2 to 8.
    """
    if not isinstance(bits, int) or bits not in _BITS:
        raise ValueError(f"bits must be from {_BITS[0]} to {_BITS[-1]}, got {bits!r}")
    return bits


def parse_bits(bits: str | Mapping[str, int]) -> dict[Role, int]:
    """Bits of weights by role.

    Args:
        bits: Those of stem, squeeze-and-expand and head, ``"8/4/8"``; or some of them by role, which may be called
            ``"se"``. 2 to 8, or 32 for floats.

    Raises:
        ValueError: if they are something else.

    Example:
        >>> parse_bits("8/4/32"), parse_bits({"se": 4})
        ({'stem': 8, 'squeeze-and-expand': 4, 'head': 32}, {'squeeze-and-expand': 4})
    """
    named = bits if isinstance(bits, Mapping) else dict(zip(LOW_BIT_ROLES, _whole_numbers(bits), strict=False))
    found = {LOW_BIT_ROLES.get(role, role): width for role, width in named.items()}
    if not set(found) <= set(LOW_BIT_ROLES.values()):
        raise ValueError(f"bits are those of {', '.join(LOW_BIT_ROLES)}, got {', '.join(map(repr, named))}")
    if not all(isinstance(width, int) and (width in _BITS or width == FLOAT_BITS) for width in found.values()) or (
        isinstance(bits, str) and len(_whole_numbers(bits)) != len(LOW_BIT_ROLES)
    ):
        raise ValueError(
            f"must be bits of stem, squeeze-and-expand and head from {_BITS[0]} to {_BITS[-1]}, or {FLOAT_BITS} for "
            f"floats, such as 8/4/8; got {bits!r}"
        )
    return found  # type: ignore[return-value]


def _whole_numbers(bits):
    return [int(part) if part.isdecimal() and part.isascii() else -1 for part in bits.split("/")]


def stated_role(layer: object) -> Role | None:
    """The role that a layer was given by who made it; None for a layer that cannot tell."""
    role = getattr(layer, "role", None)
    # A stranger's layer may have an attribute of that name with a meaning of its own.
    return role if isinstance(role, str) and role in ROLES else None
