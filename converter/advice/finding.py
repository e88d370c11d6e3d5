"""What a rule says, and what rules ask of layers."""

from collections.abc import Iterable
from dataclasses import dataclass

from bnext_keras.layer_graph import has_kernel, kernel_precision, precision

import tensorflow as tf

#: In this order: no file is written; answers on the device are not what was meant; time or bytes are wasted; a remark.
REFUSED, WRONG, SLOW, NOTE = SEVERITIES = ("refused", "wrong", "slow", "note")

#: Activations whose values are never negative, and those of them that are exactly zero for whole ranges of inputs.
NEVER_NEGATIVE = {"relu", "relu6", "sigmoid", "softmax", "softplus", "hard_sigmoid", "exponential"}
EXACTLY_ZERO = {"relu", "relu6", "hard_sigmoid"}


@dataclass(frozen=True)
class Advice:
    """One finding.

    Attributes:
        severity: One of `SEVERITIES`.
        layer: The layer's name.
        what: What is the matter.
        remedy: What to do about it.
    """

    severity: str
    layer: str
    what: str
    remedy: str

    def __str__(self):
        return f"{self.severity}: {self.layer}: {self.what}; {self.remedy}"


def merged(found: Iterable[Advice], names: int = 8) -> list[Advice]:
    """Advice with one entry for all layers to which the same applies.

    Args:
        found: What `advise` returned.
        names: How many layers an entry names at most.

    Example:
        >>> for advice in merged([Advice("slow", name, "is slow", "make it fast") for name in "abc"], names=2):
        ...     print(advice)
        slow: a, b and 1 more: is slow; make it fast
    """
    layers: dict[tuple[str, str, str], list[str]] = {}
    for advice in found:
        layers.setdefault((advice.severity, advice.what, advice.remedy), []).append(advice.layer)

    def listed(all_names):
        more = f" and {len(all_names) - names} more" if len(all_names) > names else ""
        return ", ".join(all_names[:names]) + more

    return [Advice(severity, listed(all_names), what, remedy) for (severity, what, remedy), all_names in layers.items()]


def binarizes_input(layer: tf.keras.layers.Layer) -> bool:
    """Whether a convolution or dense layer takes signs of its input."""
    return has_kernel(layer) and precision(getattr(layer, "input_quantizer", None)) == 1


def is_binary(layer: tf.keras.layers.Layer) -> bool:
    """Whether both the input and the kernel of a layer are meant to be binary."""
    return binarizes_input(layer) and kernel_precision(layer) == 1


def activation(layer: tf.keras.layers.Layer) -> str:
    """The name of the activation that a layer ends with, "" for none or an unnamed one."""
    if isinstance(layer, tf.keras.layers.ReLU):
        plain = not layer.negative_slope and not layer.threshold
        return ("relu" if layer.max_value is None else "relu6") if plain else ""
    if isinstance(layer, tf.keras.layers.Softmax):
        return "softmax"
    function = getattr(layer, "activation", None)
    return getattr(function, "__name__", "")
