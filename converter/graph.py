"""The graph between Keras and Larq Compute Engine: a small one of our own, which the passes rewrite.

A node is one operator and, at the same time, its result: nodes have nodes for inputs. Most are TensorFlow's operators
with its names and attributes (``Mul``, ``AddV2``, ``Mean``, ``Conv2D``, ...). These differ:

- ``Const`` holds an array. Passes compute constants in float64; they are rounded to float32 once, on emission. A kernel
  that was trained in few bits says so, see `TRAINED_BITS`.
- ``BinaryConv2D`` is sign, padding and convolution in one, see `BinaryCall`. Its kernel stays in the Keras layer.
- ``PRelu`` is TFLite's: inputs are a map and one slope per channel.
- ``Item`` is one of several results of its input, chosen by the attribute ``index``.
- ``Input`` is an image, or whatever else a model takes, and ``Result`` reads what the model returns.

`compiler.trace` makes a graph from a Keras model, `compiler.emit` makes TensorFlow operators from a graph.

>>> import numpy as np
>>> image = Node("Input", shape=(1, 4, 4, 2))
>>> graph = Graph(image, Node("Relu", [image], shape=image.shape))
>>> relu = graph.output
>>> graph.replace(relu, graph.multiply(relu, np.array([2.0, 3.0])))
>>> [node.op for node in graph.nodes()]
['Input', 'Relu', 'Const', 'Mul', 'Result']
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import larq as lq
import numpy as np
import tensorflow as tf

from converter.source.forms import Form

#: What the file of a model calls its input if there is no other, and its output.
IMAGE, ANSWER = "image", "Identity"

#: Attribute of a ``Const`` that is a kernel trained in few bits (`bnext_keras.weight_bits`): how many. Its values are
#: whole numbers times one step for each output channel, and stay so.
TRAINED_BITS = "trained_bits"


@dataclass(frozen=True, eq=False)
class BinaryCall:
    """One call of a binary convolution: signs of the input x, padded with p, convolved with the kernel W.

    What is convolved are signs u, for input channel c with threshold t and flip f

        u = +1 where x >= t, or x <= t if ``falling``, else -1

    with the kernel f W and the padding f p, so that f u is the layer's own sign. That is +1 on the threshold: where f
    is -1, the comparison is strict.

    Attributes:
        layer: The Keras layer with the kernel, strides, padding and so on; of what is no `QuantConv2D` that of its
            form (`converter.source.forms`), which has the layer's name.
        number: Place of the call in the order of the Python program, the same in every run of the model. A shared layer
            has several calls.
        thresholds: One for each input channel, float64; None if all are zero.
        falling: Whether small values are the positive ones.
        flips: +1 or -1 for each input channel, float64; None if all are +1.
        form: How the Keras layer is that convolution; None is as good for a `QuantConv2D`, which is one.
    """

    layer: lq.layers.QuantConv2D
    number: int
    thresholds: np.ndarray | None = None
    falling: bool = False
    flips: np.ndarray | None = None
    form: Form | None = None

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return self.layer.input_spec.axes[-1]

    @property
    def pad_value(self) -> float:
        """What the layer pads signs with; whether it pads at all, `padding` says."""
        return float(tf.keras.backend.get_value(self.layer.pad_values))

    def padding(self, height: int, width: int) -> list[tuple[int, int]]:
        """How many rows are padded before and after a map of this size, and how many columns."""
        layer = self.layer
        if layer.padding != "same":
            return [(0, 0), (0, 0)]
        sides = zip((height, width), layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
        totals = [
            max((-(-side // stride) - 1) * stride + (size - 1) * rate + 1 - side, 0)
            for side, size, stride, rate in sides
        ]
        return [(total // 2, total - total // 2) for total in totals]

    @property
    def is_plain(self) -> bool:
        """Whether u is the layer's own sign of x: no pass has changed the call yet."""
        return self.thresholds is None and not self.falling and self.flips is None

    def turned(self) -> "BinaryCall":
        """The same call with every u negated, and so every flip."""
        flips = np.ones(self.channels) if self.flips is None else self.flips
        return replace(self, falling=not self.falling, flips=-flips)


class Node:
    """One operator and its result.

    Args:
        op: The operator's type.
        inputs: What it reads, in TensorFlow's order.
        shape: Static shape of the result; None for operators with several.
        attributes: TensorFlow's attributes by name, as Python values or as ``AttrValue`` messages.
        value: The array of a ``Const``.
        call: What a ``BinaryConv2D`` computes.
        name: Name in TensorFlow's graph, for messages.
    """

    def __init__(
        self,
        op: str,
        inputs: "Iterable[Node]" = (),
        *,
        shape: Iterable[int] | None = None,
        attributes: Mapping[str, Any] | None = None,
        value: Any = None,
        call: BinaryCall | None = None,
        name: str = "",
    ):
        self.op = op
        self.inputs = list(inputs)
        self.shape: tuple[int, ...] | None = None if shape is None else tuple(shape)
        self.attributes = dict(attributes or {})
        self.value = value
        self.call = call
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.op} {self.name} {self.shape}>"

    def copy(self, inputs: Iterable["Node"], **changes: Any) -> "Node":
        """The same operator on other inputs of the same shapes."""
        fields = {name: getattr(self, name) for name in ("shape", "attributes", "value", "call", "name")}
        return Node(self.op, inputs, **{**fields, **changes})

    def attribute(self, name: str) -> Any:
        """An attribute as a Python value, None where it was not given."""
        value = self.attributes.get(name)
        if isinstance(value, tf.compat.v1.AttrValue):
            kind = value.WhichOneof("value")
            value = list(value.list.i) if kind == "list" else getattr(value, kind)
        return value.decode() if isinstance(value, bytes) else value

    @property
    def rank(self) -> int:
        """Number of dimensions of the result; 0 for operators with several."""
        return 0 if self.shape is None else len(self.shape)

    @property
    def channels(self) -> int:
        """Last dimension of the result."""
        assert self.shape is not None, f"{self} has several results"
        return self.shape[-1]

    @property
    def size(self) -> int:
        """Number of elements of the result."""
        return int(np.prod(self.shape)) if self.shape is not None and None not in self.shape else 0

    @property
    def is_map(self) -> bool:
        """Whether the result is a feature map, ``(batch, height, width, channels)``, of more than one pixel."""
        return self.shape is not None and len(self.shape) == 4 and self.shape[1] * self.shape[2] > 1


class Graph:
    """Nodes from inputs to outputs, and who reads which.

    Args:
        inputs: The ``Input`` nodes by name; a single one need not be named.
        outputs: What the model returns, likewise. These are the names that the file has, see
            `converter.source.interface`.

    Attributes:
        inputs: The ``Input`` nodes by name, in the model's order, among them those that nobody reads.
    """

    def __init__(self, inputs: Node | Mapping[str, Node], outputs: Node | Mapping[str, Node]):
        self.inputs = {IMAGE: inputs} if isinstance(inputs, Node) else dict(inputs)
        named = {ANSWER: outputs} if isinstance(outputs, Node) else dict(outputs)
        self._output_names = list(named)
        shapes = [node.shape for node in named.values()]
        self._result = Node("Result", named.values(), shape=shapes[0] if len(shapes) == 1 else None)
        self._users: dict[Node, Counter] = {}
        self._register(self._result)

    @property
    def outputs(self) -> dict[str, Node]:
        """What the model returns by name, in the model's order."""
        return dict(zip(self._output_names, self._result.inputs, strict=True))

    @property
    def output(self) -> Node:
        """What a model of one output returns."""
        (output,) = self._result.inputs
        return output

    def users(self, node: Node) -> list[Node]:
        """Who reads a node, each once; the ``Result`` is one of them."""
        return list(self._users.get(node, ()))

    def has_one_user(self, node: Node) -> bool:
        """Whether a single input of a single node reads it."""
        return sum(self._users.get(node, Counter()).values()) == 1

    def nodes(self) -> list[Node]:
        """All nodes, every one behind its inputs, the ``Result`` last."""
        order, seen = [], set()
        stack = [(self._result, False)]
        while stack:
            node, inputs_done = stack.pop()
            if inputs_done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((source, False) for source in reversed(node.inputs) if source not in seen)
        return order

    def replace(self, old: Node, new: Node) -> None:
        """Lets the users of one node read another instead, and forgets what nobody reads any more.

        The new node may itself read the old one, and goes on doing so.

        Args:
            old: A node of the graph.
            new: A node of the same shape, in the graph or not.
        """
        users = [user for user in self.users(old) if user is not new]
        self._register(new)
        for user in users:
            times = self._users[old].pop(user)
            user.inputs = [new if source is old else source for source in user.inputs]
            self._users.setdefault(new, Counter())[user] += times
        self._forget(old)

    def rewrite(self, rule: Callable[["Graph", Node], bool]) -> None:
        """Tries a rule at every node, again and again, until it applies nowhere.

        Args:
            rule: Called with the graph and a node; changes the graph around it or not, and says so.

        Raises:
            RuntimeError: if the rule does not come to an end, as one that undoes what it did.
        """
        # What moves gets far in one sweep, which follows the order of the nodes, so a handful of sweeps do. A rule that
        # needs more sweeps than there are nodes goes in circles.
        most = 10 + len(self.nodes())
        for _ in range(most):
            # A rule may have removed nodes that this sweep still has before it: they have no users.
            if not sum(rule(self, node) for node in self.nodes() if self.users(node)):
                return
        raise RuntimeError(f"{rule.__module__}.{rule.__qualname__} still changes the graph after {most} sweeps over it")

    def _register(self, node: Node) -> None:
        pending = [node]
        while pending:
            user = pending.pop()
            for source in user.inputs:
                users = self._users.setdefault(source, Counter())
                if user not in users:
                    users[user] = user.inputs.count(source)
                    pending.append(source)

    def _forget(self, node: Node) -> None:
        pending = [node]
        while pending:
            node = pending.pop()
            if self._users.get(node):
                continue
            self._users.pop(node, None)
            for source in node.inputs:
                if self._users.get(source, Counter()).pop(node, None):
                    pending.append(source)

    @staticmethod
    def constant(value: Any) -> Node:
        """A ``Const``."""
        value = np.asarray(value)
        return Node("Const", shape=value.shape, value=value)

    @classmethod
    def multiply(cls, x: Node, y: "Node | np.ndarray") -> Node:
        """x * y."""
        return cls._elementwise("Mul", x, y)

    @classmethod
    def add(cls, x: Node, y: "Node | np.ndarray") -> Node:
        """x + y."""
        return cls._elementwise("AddV2", x, y)

    @classmethod
    def _elementwise(cls, op, x, y):
        y = y if isinstance(y, Node) else cls.constant(y)
        return Node(op, [x, y], shape=np.broadcast_shapes(x.shape, y.shape), name=x.name)
