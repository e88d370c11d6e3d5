"""What a converted network consists of: the layers of the Keras model, and the operators of the file.

>>> import bnext_keras
>>> from converter import convert
>>> result = convert(bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10))
>>> conv = next(operator for operator in result.inspection.operators if operator.type == "LceBconv2d")
>>> conv.layer, str(conv.kind), conv.output_shape, conv.macs
('block1_3x3_conv', 'binary convolution', (1, 32, 32, 32), 9437184)

Multiply-accumulates and bytes are counted as in `bnext_keras.models.count`: those of convolutions and dense layers, for
one image. Bytes are those of the constants in the file.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from bnext_keras.cards import CARDS, Card
from bnext_keras.layer_graph import LayerGraph
from bnext_keras.models import Costs, count
from bnext_keras.structure import find_roles
from bnext_keras.text import counted

import tensorflow as tf

from converter.inspection.layers import Layer, describe_layer
from converter.inspection.memory import peak_memory
from converter.inspection.operators import Operator, read_operators
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.kinds import Kind

_SUMMED = ("macs", "bytes", "output_bytes")


@dataclass(frozen=True)
class KindTotals:
    """All operators of one kind together."""

    kind: Kind
    operators: int
    macs: int
    bytes: int
    output_bytes: int


@dataclass(repr=False)
class Inspection:
    """The layers of a model, the operators of its file, and their totals.

    Attributes:
        layers: The layers in the model's order, those of nested models too.
        operators: The operators in the order of execution.
        costs: The model's parameters and multiply-accumulates, see `bnext_keras.models.count`.
        other_bytes: Bytes of the file beside constants: tables, names, alignment.
        card: The published network of just these counts, None if there is none.
        peak_memory: The most bytes of results that must be kept at one moment (`converter.inspection.memory`).
    """

    layers: list[Layer]
    operators: list[Operator]
    costs: Costs
    other_bytes: int
    card: Card | None
    peak_memory: int = 0

    def __repr__(self) -> str:
        layers, operators = counted(len(self.layers), "layer"), counted(len(self.operators), "operator")
        return f"<Inspection: {layers}, {operators}>"

    @property
    def kinds(self) -> list[KindTotals]:
        """Totals by kind of operator, in the order of `Kind`; kinds that the file has none of are left out."""
        totals = []
        for kind in Kind:
            operators = [operator for operator in self.operators if operator.kind == kind]
            if operators:
                sums = (sum(getattr(operator, name) for operator in operators) for name in _SUMMED)
                totals.append(KindTotals(kind, len(operators), *sums))
        return totals

    @property
    def binary_mac_share(self) -> float:
        """Share of the file's multiply-accumulates that run on bits."""
        macs = {kind.kind: kind.macs for kind in self.kinds}
        return macs.get(Kind.BINARY_CONV, 0) / max(1, sum(macs.values()))

    def to_dict(self) -> dict:
        """Everything, ready for JSON."""
        return {
            "layers": [asdict(layer) for layer in self.layers],
            "operators": [{**asdict(operator), "kind": operator.kind.value} for operator in self.operators],
            "kinds": [{**asdict(kind), "kind": kind.kind.value} for kind in self.kinds],
            "other_bytes": self.other_bytes,
            "peak_memory": self.peak_memory,
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


def inspect(
    model: tf.keras.Model, file: bytes | Flatbuffer, binarized: Collection[str], size: int | None = None
) -> Inspection:
    """Describes a model and the file that it became.

    Args:
        model: A built model of static input shape.
        file: The ``.tflite`` file, or its tables.
        binarized: Names of the layers whose convolution runs bitpacked in it.
        size: Bytes of what is written; by default those of ``file``, if it is no tables.
    """
    flatbuffer = Flatbuffer(file) if isinstance(file, bytes) else file
    if size is None:
        size = len(file) if isinstance(file, bytes) else len(flatbuffer.pack())
    graph, costs, roles = LayerGraph(model), count(model), find_roles(model)
    operators = read_operators(flatbuffer, graph)
    return Inspection(
        layers=[describe_layer(graph, layer, roles.get(layer), layer.name in binarized) for layer in graph.layers],
        operators=operators,
        costs=costs,
        other_bytes=size - sum(operator.bytes for operator in operators),
        card=_published(costs),
        peak_memory=peak_memory(flatbuffer),
    )


def _published(costs):
    counts = (costs.parameters, costs.binary_parameters, costs.binary_macs, costs.macs - costs.binary_macs)
    fields = ("parameters", "binary_parameters", "binary_macs", "other_macs")
    return next((card for card in CARDS if counts == tuple(getattr(card, name) for name in fields)), None)
