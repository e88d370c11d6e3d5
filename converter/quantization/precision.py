"""How many bits the weights of float layers take in the file, by the layers' roles, and how many activations take.

>>> parse_weights("int8")
{'stem': 'int8', 'se': 'int8', 'head': 'int8', 'other': 'int8'}
>>> parse_weights("se=int8,head=int8")
{'stem': 'float32', 'se': 'int8', 'head': 'int8', 'other': 'float32'}
>>> parse_weights("8/4/8")
{'stem': 'int8', 'se': 'int4', 'head': 'int8', 'other': 'float32'}
"""

from collections.abc import Mapping

from bnext_keras.errors import ConversionError
from bnext_keras.roles import HEAD, OTHER, SQUEEZE_EXPAND, STEM, Role, parse_bits

#: Roles of float layers, by their names on the command line and in reports.
ROLES: dict[str, Role] = {"stem": STEM, "se": SQUEEZE_EXPAND, "head": HEAD, "other": OTHER}

#: Types that a role's weights can have, by their bits.
WEIGHTS = {32: "float32", 8: "int8", 4: "int4"}
#: Types that activations can have.
ACTIVATIONS = ("float32", "int8")


def parse_weights(weights: str | Mapping[str, str]) -> dict[str, str]:
    """The type of each role's weights.

    Args:
        weights: One type for all roles; or ``"stem=float32,se=int8"``, or the same as a dictionary, where roles that
            are not named stay float32; or bits of stem, squeeze-and-expand and head as in training, ``"8/4/8"``. Roles
            may be spelled as in `bnext_keras.roles` too.

    Returns:
        Types by the keys of `ROLES`.

    Raises:
        ConversionError: if there is no such role or type.
    """
    if isinstance(weights, str) and "/" in weights:
        return _of_bits(weights)
    if isinstance(weights, str) and "=" not in weights:
        return dict.fromkeys(ROLES, _checked(weights))
    pairs = [part.partition("=")[::2] for part in weights.split(",")] if isinstance(weights, str) else weights.items()
    short: dict[str, str] = {role: name for name, role in ROLES.items()}
    types: dict[str, str] = {}
    for role, kind in pairs:
        name = short.get(role, role)
        if name not in ROLES:
            raise ConversionError(f"--weights: no role '{role}'; there are {', '.join(ROLES)}")
        if name in types:
            raise ConversionError(f"--weights {weights}: names a role twice")
        types[name] = _checked(kind)
    return {name: types.get(name, "float32") for name in ROLES}


def _of_bits(weights):
    try:
        bits = parse_bits(weights)
    except ValueError as error:
        raise ConversionError(str(error), where=f"--weights {weights}") from error
    if not {*bits.values()} <= WEIGHTS.keys():
        widths = ", ".join(map(str, WEIGHTS))
        raise ConversionError(f"files have weights of {widths} bits", where=f"--weights {weights}")
    return {name: WEIGHTS[bits.get(role, 32)] for name, role in ROLES.items()}


def check_weights(weights: Mapping[str, str], target: str) -> None:
    """Refuses weights of 4 bits where nothing would read them.

    Args:
        weights: Types by role, from `parse_weights`.
        target: What the file is for.

    Raises:
        ConversionError: if it is not for this project's engine.
    """
    if "int4" in weights.values() and target != "engine":
        raise ConversionError(
            "--weights: 4 bits are for this project's engine alone; Larq Compute Engine 0.16's interpreter does not "
            "load them (its DEQUANTIZE does not know INT4)",
            remedy="add --target engine, or store them as int8",
        )


def check_activations(
    activations: str, weights: Mapping[str, str], *, is_calibrated: bool, target: str, engine: bool
) -> None:
    """Refuses what does not go with the type of activations that is asked for.

    Args:
        activations: That type.
        weights: Types by role, from `parse_weights`.
        is_calibrated: Whether there is calibration data.
        target: What the file is for.
        engine: Whether another engine than LCE is to run it.

    Raises:
        ConversionError: if there is no such type, or something is missing or too much.
    """
    if activations not in ACTIVATIONS:
        raise ConversionError(f"--activations: no type '{activations}'; there are {', '.join(ACTIVATIONS)}")
    if activations == "float32":
        if is_calibrated:
            raise ConversionError(
                "--calibration-data: nothing is calibrated on it", remedy="add --activations int8, or leave it out"
            )
        return
    if not is_calibrated:
        raise ConversionError(
            "--activations int8 needs to know which values the network's activations take",
            remedy="give --calibration-data: a folder of some hundred images like those that it will see, or a .npy "
            "file of model inputs",
        )
    if len({*weights.values()}) > 1:
        raise ConversionError("--activations int8 quantizes the weights of all roles", remedy="leave out --weights")
    if target != "lce":
        raise ConversionError(f"--activations int8 is for LCE's files, not for --target {target}")
    if engine:
        raise ConversionError(
            "--activations int8 writes no file for the engine, whose activations are floats",
            remedy="leave out --verify-engine",
        )


def _checked(kind):
    if kind not in WEIGHTS.values():
        raise ConversionError(f"--weights: no type '{kind}'; there are {', '.join(WEIGHTS.values())}, or bits as 8/4/8")
    return kind
