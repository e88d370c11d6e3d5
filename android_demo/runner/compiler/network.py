"""What the compiler works on: a list of nodes in the order of execution, with values between them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from android_demo.runner.plan import Type

#: Operations on single elements, and what else a map can do with its values: take signs, add up pixels, pool 2x2 of
#: them.
ELEMENTWISE = {
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Min",
    "Max",
    "Fma",
    "Prelu",
    "Logistic",
    "Exp",
    "Sqrt",
    "Tanh",
    "Copy",
    "Affine",
    "AffinePrelu",
    "Unpack",
}
SINKS = {"Pack", "Sum", "MeanPool", "MaxPool"}


@dataclass(eq=False)
class Value:
    """A map of pixels with channels, computed or constant.

    Attributes:
        height: Its rows; 1, as is the width, for a vector.
        width: Its columns.
        channels: Its channels.
        type: Type of its elements.
        data: The elements of a constant, None for what is computed. Signs as words.
        scale: A factor for each row of an int8 matrix.
        name: The name that it has in the ``.tflite`` file.
    """

    height: int
    width: int
    channels: int
    type: Type = Type.FLOAT
    data: np.ndarray | None = None
    scale: np.ndarray | None = None
    name: str = ""

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    @property
    def elements(self) -> int:
        """Elements of a pixel; of signs words."""
        return -(-self.channels // 32) if self.type == Type.SIGNS else self.channels

    def like(self, channels: int | None = None, type: Type | None = None) -> "Value":
        """A new computed value of the same pixels."""
        return Value(
            self.height,
            self.width,
            self.channels if channels is None else channels,
            self.type if type is None else type,
            name=self.name,
        )


@dataclass(eq=False)
class Node:
    """One operation: a step, part of a map, or, as ``Concat`` and ``View``, a way to look at values.

    Attributes:
        op: What it does: an operation of a map by its name in `ELEMENTWISE` or `SINKS`; ``BinaryConv``, ``Conv``,
            ``Depthwise``, ``Dense``, ``Pool``, ``Move``, ``Gather``, ``Softmax``, each a step; ``Mean``, which the
            binary convolution before it computes; ``Concat`` of channels; ``View``, a slice of channels from ``start``
            on, or another shape.
        inputs: What it reads.
        output: What it computes.
        attributes: Its settings by name.
    """

    op: str
    inputs: list[Value]
    output: Value
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def in_map(self) -> bool:
        """Whether it works on single elements."""
        return self.op in ELEMENTWISE or self.op in SINKS


@dataclass
class Network:
    """Nodes in the order of execution."""

    nodes: list[Node]
    inputs: list[Value]
    outputs: list[Value]

    def readers(self) -> dict[Value, list[Node]]:
        """The nodes that read each value."""
        readers: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                readers.setdefault(value, []).append(node)
        return readers

    def producers(self) -> dict[Value, Node]:
        """The node that computes each value."""
        return {node.output: node for node in self.nodes}

    def remove_dead(self) -> None:
        """Removes nodes whose results nobody reads."""
        wanted = set(self.outputs)
        kept = []
        for node in reversed(self.nodes):
            if node.output in wanted:
                wanted.update(node.inputs)
                kept.append(node)
        self.nodes = kept[::-1]


def vector(values: Any, name: str = "") -> Value:
    """A constant of one pixel."""
    data = np.ascontiguousarray(values, np.float32).reshape(-1)
    return Value(1, 1, len(data), data=data, name=name)
