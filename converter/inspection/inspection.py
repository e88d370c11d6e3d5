"""What a converted network consists of: the layers of the Keras model, and the operators of the file.

>>> import bnext_keras
>>> from converter import convert
>>> result = convert(bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10))
>>> conv = next(operator for operator in result.inspection.operators if operator.type == "LceBconv2d")
>>> conv.layer, conv.kind, conv.output_shape, conv.macs
('block1_3x3_conv', 'binary convolution', (1, 32, 32, 32), 9437184)

Multiply-accumulates and bytes are counted as in `bnext_keras.models.count`: those of convolutions and dense layers, for
one image. Bytes are those of the constants in the file.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from bnext_keras.cards import CARDS, Card
from bnext_keras.layer_graph import LayerGraph, has_kernel, is_quant_layer, kernel_quantizer, precision
from bnext_keras.models import Costs, count
from bnext_keras.structure import find_roles
from bnext_keras.summary import count_layer

import larq as lq
import tensorflow as tf

from converter.inspection.operators import BINARY_CONV, KINDS, Operator, read_operators

#: Height and width of maps on which a float layer costs next to nothing.
POINTWISE_SHAPE = (1, 1)
_SUMMED = ("macs", "bytes", "output_bytes")


@dataclass(frozen=True)
class Layer:
    """One layer of a Keras model.

    Attributes:
        name: The layer's name.
        type: Its class.
        role: What its parameters belong to, in the terms of `bnext_keras.models.count`; "" without any.
        output_shape: For one image.
        input_bits: What its input quantizer leaves of a value, 32 without one.
        kernel_bits: Of its kernel, None if it has none.
        parameters: Trained parameters.
        macs: Multiply-accumulates.
        bytes: Parameters at their bit widths, float32 where there is no quantizer.
        is_binarized: Whether it runs bitpacked; None for a layer without a kernel, which has nothing to binarize.
        reason: Why not, "" if it is or has nothing to.
    """

    name: str
    type: str
    role: str
    output_shape: tuple[int, ...]
    input_bits: int
    kernel_bits: int | None
    parameters: int
    macs: int
    bytes: int
    is_binarized: bool | None
    reason: str


@dataclass(frozen=True)
class KindTotals:
    """All operators of one kind together."""

    kind: str
    operators: int
    macs: int
    bytes: int
    output_bytes: int


@dataclass
class Inspection:
    """The layers of a model, the operators of its file, and their totals.

    Attributes:
        layers: In the model's order, those of nested models too.
        operators: In the order of execution.
        costs: What the model's parameters and multiply-accumulates amount to, see `bnext_keras.models.count`.
        other_bytes: Bytes of the file beside constants: tables, names, alignment.
        card: The published variant of just these counts, None if the model is none.
    """

    layers: list[Layer]
    operators: list[Operator]
    costs: Costs
    other_bytes: int
    card: Card | None

    @property
    def kinds(self) -> list[KindTotals]:
        """Totals by kind of operator, in the order of `KINDS`; kinds that the file has none of are left out."""
        totals = []
        for kind in KINDS:
            operators = [operator for operator in self.operators if operator.kind == kind]
            if operators:
                sums = (sum(getattr(operator, name) for operator in operators) for name in _SUMMED)
                totals.append(KindTotals(kind, len(operators), *sums))
        return totals

    @property
    def binary_mac_share(self) -> float:
        """Share of the file's multiply-accumulates that run on bits."""
        macs = {kind.kind: kind.macs for kind in self.kinds}
        return macs.get(BINARY_CONV, 0) / max(1, sum(macs.values()))

    def to_dict(self) -> dict:
        """Everything, ready for JSON."""
        return {
            "layers": [asdict(layer) for layer in self.layers],
            "operators": [asdict(operator) for operator in self.operators],
            "kinds": [asdict(kind) for kind in self.kinds],
            "other_bytes": self.other_bytes,
            "totals": {
                "parameters": self.costs.parameters,
                "binary_parameters": self.costs.binary_parameters,
                "macs": self.costs.macs,
                "binary_macs": self.costs.binary_macs,
                "ops": self.costs.ops(),
                "binary_mac_share": self.binary_mac_share,
            },
            "published": None if self.card is None else self.card.to_dict(),
        }


def inspect(model: tf.keras.Model, content: bytes, binarized: Collection[str]) -> Inspection:
    """Describes a model and the file that it became.

    Args:
        model: A built model of static input shape.
        content: The ``.tflite`` file.
        binarized: Names of the layers whose convolution runs bitpacked in it.
    """
    graph, costs, roles = LayerGraph(model), count(model), find_roles(model)
    operators = read_operators(content, graph)
    return Inspection(
        layers=[_layer(graph, layer, roles.get(layer), layer.name in binarized) for layer in graph.layers],
        operators=operators,
        costs=costs,
        other_bytes=len(content) - sum(operator.bytes for operator in operators),
        card=_published(costs),
    )


def _published(costs):
    counts = (costs.parameters, costs.binary_parameters, costs.binary_macs, costs.macs - costs.binary_macs)
    fields = ("parameters", "binary_parameters", "binary_macs", "other_macs")
    return next((card for card in CARDS if counts == tuple(getattr(card, name) for name in fields)), None)


def _layer(graph, layer, role, is_binarized):
    costs = count_layer(layer, role)
    roles = [role for role, parameters in costs.parameters_by_role.items() if parameters]
    binary_parameters = costs.binary_parameters
    shape = layer.output_shape
    shape = shape if isinstance(shape, tuple) else shape[0]
    with_kernel = has_kernel(layer)
    quantizer = kernel_quantizer(layer)
    bits = precision(quantizer)
    return Layer(
        name=layer.name,
        type=type(layer).__name__,
        role=roles[0] if roles else "",
        output_shape=(1, *shape[1:]),
        input_bits=precision(getattr(layer, "input_quantizer", None)),
        kernel_bits=bits if with_kernel else None,
        parameters=costs.parameters,
        macs=costs.macs,
        bytes=-(-binary_parameters // 8) + 4 * (costs.parameters - binary_parameters),
        is_binarized=is_binarized if with_kernel else None,
        reason=_reason(graph, layer) if with_kernel and not is_binarized else "",
    )


def _reason(graph, layer):
    input_bits, kernel_bits = precision(getattr(layer, "input_quantizer", None)), precision(kernel_quantizer(layer))
    if (input_bits, kernel_bits) == (1, 1):
        if isinstance(layer, lq.layers.QuantConv2D):
            return "LCE did not recognize its quantizers"
        return f"LCE has no binary {type(layer).__name__}"
    if 1 < input_bits < 32 or 1 < kernel_bits < 32:
        return f"{input_bits} x {kernel_bits} bits; LCE has 1 x 1 or float"
    if graph.reads_image(layer):
        return "reads the image"
    if graph.gives_answer(layer):
        return "gives the answer"
    if not graph.follows(layer, lambda other: precision(getattr(other, "input_quantizer", None)) == 1):
        return "before the first binary convolution"
    if kernel_bits == 1:
        return "no input quantizer"
    if input_bits == 1:
        return "no kernel quantizer"
    shape = layer.output_shape
    if len(shape) < 4 or tuple(shape[1:3]) == POINTWISE_SHAPE:
        return "on 1 x 1 maps"
    return "no quantizers" if is_quant_layer(layer) else "a float layer"
