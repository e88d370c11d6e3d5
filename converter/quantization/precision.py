"""How many bits the weights of float layers take in the file, by the layers' roles.

>>> parse_weights("int8")
{'stem': 'int8', 'se': 'int8', 'head': 'int8', 'other': 'int8'}
>>> parse_weights("se=int8,head=int8")
{'stem': 'float32', 'se': 'int8', 'head': 'int8', 'other': 'float32'}
"""

from collections.abc import Mapping

from bnext_keras.errors import ConversionError

#: The float convolutions and dense layers before the first binary convolution; those of squeeze-and-expand, whose
#: result is a gate; the one that makes the output; all others.
ROLES = ("stem", "se", "head", "other")

#: Types that a role's weights can have.
TYPES = ("float32", "int8")

#: What BNext's paper counts sizes with: 8 bits in the stem, 4 in squeeze-and-expand and 8 in the head. LCE 0.16 runs
#: 4-bit dense layers in one form only, which rounds what they read to 8 bits as well.
PAPER = "paper"


def parse_weights(weights: str | Mapping[str, str]) -> dict[str, str]:
    """The type of each role's weights.

    Args:
        weights: One type for all roles; or ``"stem=float32,se=int8"``, or the same as a dictionary, where roles that
            are not named stay float32.

    Raises:
        ConversionError: if there is no such role or type, or LCE cannot run it.
    """
    if weights == PAPER:
        raise ConversionError(
            "--weights paper: 4-bit weights of squeeze-and-expand are not possible with float arithmetic: Larq Compute "
            "Engine 0.16's interpreter does not load them (its DEQUANTIZE does not know INT4); use --weights int8"
        )
    if isinstance(weights, str) and "=" not in weights:
        return {role: _checked(weights) for role in ROLES}
    if isinstance(weights, str):
        pairs = [part.partition("=")[::2] for part in weights.split(",")]
        if len(dict(pairs)) < len(pairs):
            raise ConversionError(f"--weights {weights}: names a role twice")
        weights = dict(pairs)
    for role in weights:
        if role not in ROLES:
            raise ConversionError(f"--weights: no role '{role}'; there are {', '.join(ROLES)}")
    return {role: _checked(weights.get(role, "float32")) for role in ROLES}


def _checked(kind):
    if kind not in TYPES:
        raise ConversionError(f"--weights: no type '{kind}'; there are {', '.join(TYPES)}")
    return kind
