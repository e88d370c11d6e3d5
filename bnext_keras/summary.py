"""What a model costs: parameters, multiply-accumulates, operations and megabytes, counted as the papers count them.

>>> import bnext_keras
>>> model = bnext_keras.models.BNextTiny()
>>> costs = bnext_keras.models.count(model)
>>> costs.parameters, costs.binary_parameters, round(costs.binary_macs / 1e9, 3)
(30853276, 28253184, 4.817)
>>> round(costs.ops(bits="8/4/8") / 1e9, 3), round(costs.mebibytes(bits="8/4/8"), 2)
(0.077, 5.36)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from bnext_keras.layer_graph import has_graph, number_of_calls, trained_bits, weight_precision
from bnext_keras.roles import BINARY, HEAD, OTHER, ROLES, SQUEEZE_EXPAND, STEM, Role, stated_role
from bnext_keras.structure import find_roles

import larq as lq
import tensorflow as tf
from larq.models import mac_containing_layers

_FLOAT = 32


@dataclass
class Costs:
    """Counts of one model for one image.

    Attributes:
        parameters_by_role: Trained parameters, without the running statistics of batch normalizations.
        macs_by_role: Multiply-accumulates of convolutions and dense layers.
        trained_bits: How many weights are trained in fewer than 32 bits, by these bits, those of one bit left out; see
            `bnext_keras.weight_bits`.
    """

    parameters_by_role: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    macs_by_role: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    trained_bits: dict[int, int] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        return sum(self.parameters_by_role.values())

    @property
    def binary_parameters(self) -> int:
        return self.parameters_by_role[BINARY]

    @property
    def macs(self) -> int:
        return sum(self.macs_by_role.values())

    @property
    def binary_macs(self) -> int:
        return self.macs_by_role[BINARY]

    @property
    def bytes(self) -> int:
        """Size in bytes with one bit for a binary weight, few for those trained in few, and float32 for the rest."""
        floats = self.parameters - self.binary_parameters - sum(self.trained_bits.values())
        bits = self.binary_parameters + sum(width * number for width, number in self.trained_bits.items())
        return -(-bits // 8) + 4 * floats

    def ops(self, bits: str = "32/32/32") -> float:
        """Operations: binary MACs / 64 + 4-bit MACs / 16 + 8-bit MACs / 8 + float MACs.

        Args:
            bits: Bit widths of stem, squeeze-and-expand and head. The papers use ``8/4/8`` for BNext and float for
                MeliusNet.
        """
        width = _widths(bits)
        per_operation = {1: 64, 4: 16, 8: 8, _FLOAT: 1}
        return sum(macs / per_operation[width[role]] for role, macs in self.macs_by_role.items())

    def macs_by_width(self, bits: str = "32/32/32") -> dict[str, int]:
        """Multiply-accumulates by the bits of their numbers: "1", "4", "8" and "32", those that occur."""
        return _by_width(self.macs_by_role, bits)

    def parameters_by_width(self, bits: str = "32/32/32") -> dict[str, int]:
        """Parameters by their bits, likewise."""
        return _by_width(self.parameters_by_role, bits)

    def binarization_degree(self, bits: str = "32/32/32") -> float:
        """Share of the operations that are binary."""
        return self.binary_macs / 64 / self.ops(bits)

    def mebibytes(self, bits: str = "32/32/32") -> float:
        """Size in MiB (2^20 bytes): binary weights at 1 bit, the named roles at ``bits``, the rest in float32."""
        width = _widths(bits)
        return sum(count * width[role] for role, count in self.parameters_by_role.items()) / 8 / 2**20


def _by_width(counts, bits):
    width = _widths(bits)
    found: dict[int, int] = {}
    for role, number in counts.items():
        if number:
            found[width[role]] = found.get(width[role], 0) + number
    return {str(key): found[key] for key in sorted(found)}


def _widths(bits):
    try:
        stem, squeeze_expand, head = (int(part) for part in bits.split("/"))
    except ValueError:
        stem = 0
    if stem not in (4, 8, _FLOAT) or squeeze_expand not in (4, 8, _FLOAT) or head not in (4, 8, _FLOAT):
        raise ValueError(f"bits must be three widths of 4, 8 or 32 such as '8/4/8', got {bits!r}")
    return {BINARY: 1, STEM: stem, SQUEEZE_EXPAND: squeeze_expand, HEAD: head, OTHER: _FLOAT}


def count(model: tf.keras.Model) -> Costs:
    """Counts a model's parameters and multiply-accumulates by role.

    A layer that is called several times, on maps of one size, has its parameters once and its operations each time.
    Kernels with one bit are binary. All other parameters of a convolution or dense layer belong to the layer's role,
    which it states or which is found from the model's structure (`bnext_keras.structure`); those of any other layer to
    ``"other"``. BNext-18's float shortcuts count as stem, as in the paper's table.

    Args:
        model: A built model of static input shape.
    """
    return _count(model, find_roles(model))


def _count(model, roles):
    costs = Costs()
    for layer in model.layers:
        counted = _count(layer, roles) if isinstance(layer, tf.keras.Model) else count_layer(layer, roles.get(layer))
        calls = number_of_calls(model, layer) if has_graph(model) else 1
        for role in ROLES:
            costs.parameters_by_role[role] += counted.parameters_by_role[role]
            costs.macs_by_role[role] += calls * counted.macs_by_role[role]
        _add_bits(costs, counted.trained_bits)
    return costs


def _add_bits(costs, trained_bits):
    for bits, number in trained_bits.items():
        costs.trained_bits[bits] = costs.trained_bits.get(bits, 0) + number


def count_layer(layer: tf.keras.layers.Layer, role: Role | None = None) -> Costs:
    """Counts one layer of a model, as `count` does.

    Args:
        layer: A built layer.
        role: What its parameters belong to, unless they have one bit; by default what the layer states. Roles that
            follow from the structure are known to `bnext_keras.structure.find_roles`.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> count_layer(model.get_layer("stem_conv")).macs_by_role["stem"] == 8 * 3 * 3 * 3 * 32 * 32
        True
    """
    costs = Costs()
    if hasattr(layer, "costs_by_role"):
        # A layer that keeps or multiplies its kernel more than once.
        for counted, own in zip((costs.parameters_by_role, costs.macs_by_role), layer.costs_by_role(), strict=True):
            counted.update(own)
        return costs
    role = role or stated_role(layer) or OTHER
    rest: Role = OTHER if role == BINARY else role  # a bias has more than one bit
    pixels = _output_pixels(layer) if isinstance(layer, mac_containing_layers) else 0
    bias, bits = getattr(layer, "bias", None), trained_bits(layer)
    for weight in parameters(layer):
        size = weight.shape.num_elements()
        belongs_to = BINARY if weight_precision(weight) == 1 else rest
        costs.parameters_by_role[belongs_to] += size
        if weight is not bias:
            # One-bit kernels of a stem, as the first papers have them, multiply floats.
            costs.macs_by_role[rest if role == STEM else belongs_to] += size * pixels
            if bits is not None:
                _add_bits(costs, {bits: size})
    return costs


def _output_pixels(layer):
    """Pixels of one map, 1 for a dense layer; a side that is open counts as one pixel."""
    shape = layer.output_shape
    shape = shape if isinstance(shape, tuple) else shape[0]
    return math.prod(side or 1 for side in shape[1:-1])


def parameters(layer: tf.keras.layers.Layer) -> list[tf.Variable]:
    """A layer's learned weights, frozen ones too: all but running statistics, measured bounds and temperatures."""
    statistics = [getattr(layer, name, None) for name in ("moving_mean", "moving_variance", "bounds")]
    statistics.append(getattr(getattr(layer, "kernel_quantizer", None), "temperature", None))
    return [weight for weight in layer.weights if not any(weight is statistic for statistic in statistics)]


def summary(model: tf.keras.Model, bits: str = "8/4/8", print_fn: Callable[[str], object] = print) -> Costs:
    """Prints Larq's layer table and, below it, the totals as the papers count them.

    Args:
        model: A built model of static input shape.
        bits: Bit widths of stem, squeeze-and-expand and head in the last two columns.
        print_fn: Where to print, a line or a table at a time.

    Returns:
        The counts that were printed.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> costs = bnext_keras.models.summary(model, print_fn=lambda text: None)
        >>> costs.binary_parameters
        704
    """
    lq.models.summary(model, print_fn=print_fn)
    costs = count(model)
    print_fn(f"{model.name} as published ({bits}: bits of stem, squeeze-and-expand and head)")
    rows = [(role, costs.parameters_by_role[role], costs.macs_by_role[role]) for role in ROLES]
    print_fn(f"  {'role':20}{'parameters':>14}{'MACs':>16}")
    for role, parameters, macs in [*rows, ("total", costs.parameters, costs.macs)]:
        print_fn(f"  {role:20}{parameters:14,}{macs:16,}")
    if costs.trained_bits:
        widths = ", ".join(
            f"{number:,} weights of {width} bits" for width, number in sorted(costs.trained_bits.items())
        )
        print_fn(f"  {'as trained':20}{costs.bytes / 2**20:10.2f} MiB: {widths}, the rest in float32")
    for label, widths in (("rest in float32", "32/32/32"), (bits, bits)):
        print_fn(
            f"  {label:20}{costs.mebibytes(widths):10.2f} MiB{costs.ops(widths) / 1e9:12.3f} GOPs"
            f"{100 * costs.binarization_degree(widths):9.2f}% of them binary"
        )
    return costs
