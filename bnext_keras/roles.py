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


def check_role(role: str) -> Role:
    """The role, if a layer can state it.

    Raises:
        ValueError: if there is no such role, or it is that of one-bit kernels, which their quantizer tells.
    """
    if role not in ROLES or role == BINARY:
        raise ValueError(f"role must be one of {', '.join(map(repr, ROLES[1:]))}, got {role!r}")
    return role


def stated_role(layer: object) -> Role | None:
    """The role that a layer was given by who made it; None for a layer that cannot tell."""
    role = getattr(layer, "role", None)
    # A stranger's layer may have an attribute of that name with a meaning of its own.
    return role if isinstance(role, str) and role in ROLES else None
