"""A small graph of our own, between Keras and Larq Compute Engine: what the simplification passes rewrite.

A node is one TensorFlow operator and, at the same time, its result: nodes have nodes for inputs. Most are ordinary
operators by TensorFlow's names and with its attributes (``Mul``, ``AddV2``, ``Mean``, ``Conv2D``, ...). These differ:

- ``Const`` holds an array. Passes compute constants in float64; they are rounded to float32 once, on emission.
- ``BinaryConv2D`` is sign, padding and convolution in one, see `SignConv`. Its kernel stays in the Keras layer.
- ``PRelu`` is TFLite's: inputs are a map and one slope per channel.
- ``Item`` is one of several results of its input, chosen by the attribute ``index``.
- ``Input`` is the image, and ``Result`` reads what the model returns.

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
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import larq as lq
import numpy as np


@dataclass(frozen=True, eq=False)
class SignConv:
    """One call of a binary convolution: signs u of the input x, convolved with the kernel W, with padding p.

    u is +1 where ``x >= thresholds`` and -1 elsewhere; with ``falling``, where ``x <= thresholds``. Where ``flips`` is
    -1, W and p of that channel are negated, and a comparison that would be true at ``x == thresholds`` is not: the
    layer's own sign is always ``flips * u``, and +1 on the threshold.

    Attributes:
        layer: The Keras layer with the kernel, strides, padding and so on.
        call: Number of the call, in the order of the Python program.
        thresholds: One for each input channel, float64; None if all are zero.
        falling: Whether the comparison is turned around.
        flips: +1 or -1 for each input channel, float64; None if all are +1.
    """

    layer: lq.layers.QuantConv2D
    call: int
    thresholds: np.ndarray | None = None
    falling: bool = False
    flips: np.ndarray | None = None

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return self.layer.input_spec.axes[-1]

    def turned(self) -> "SignConv":
        """The same convolution with every u negated, and so every flip."""
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
        conv: What a ``BinaryConv2D`` computes.
        name: Name in TensorFlow's graph, for messages.
    """

    def __init__(self, op, inputs=(), *, shape=None, attributes=None, value=None, conv=None, name=""):
        self.op = op
        self.inputs = list(inputs)
        self.shape = None if shape is None else tuple(shape)
        self.attributes = dict(attributes or {})
        self.value = value
        self.conv = conv
        self.name = name

    def __repr__(self):
        return f"<{self.op} {self.name} {self.shape}>"

    def copy(self, inputs: Iterable["Node"], **changes) -> "Node":
        """The same operator on other inputs of the same shapes."""
        fields = {name: getattr(self, name) for name in ("shape", "attributes", "value", "conv", "name")}
        return Node(self.op, inputs, **{**fields, **changes})

    def attribute(self, name: str):
        """An attribute as a Python value, None where it was not given."""
        value = self.attributes.get(name)
        kind = getattr(value, "WhichOneof", lambda _: None)("value")
        if kind == "list":
            return list(value.list.i)
        value = getattr(value, kind) if kind else value
        return value.decode() if isinstance(value, bytes) else value

    @property
    def size(self) -> int:
        """Number of elements of the result."""
        return int(np.prod(self.shape)) if self.shape is not None and None not in self.shape else 0

    @property
    def is_map(self) -> bool:
        """Whether it is a feature map, ``(1, height, width, channels)``, of more than one pixel."""
        return self.shape is not None and len(self.shape) == 4 and self.shape[1] * self.shape[2] > 1


class Graph:
    """Nodes from one input to one output, and who reads which.

    Args:
        image: The ``Input``.
        output: What the model returns.
    """

    def __init__(self, image: Node, output: Node):
        self.image = image
        self._result = Node("Result", [output], shape=output.shape)
        self._users: dict[Node, Counter] = {}
        self._register(self._result)

    @property
    def output(self) -> Node:
        """What the model returns."""
        return self._result.inputs[0]

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

    def replace(self, old: Node, new: Node, only: Iterable[Node] | None = None) -> None:
        """Lets the users of one node read another instead, and forgets what nobody reads any more.

        The new node may read the old one, which it then goes on doing.

        Args:
            old: A node of the graph.
            new: A node of the same shape, in the graph or not.
            only: The users that change; by default all.
        """
        users = [user for user in (self.users(old) if only is None else only) if user is not new]
        self._register(new)
        for user in users:
            times = self._users[old].pop(user, 0)
            user.inputs = [new if source is old else source for source in user.inputs]
            if times:
                self._users.setdefault(new, Counter())[user] += times
        self._forget(old)

    def rewrite(self, rule: Callable[["Graph", Node], bool]) -> None:
        """Tries a rule at every node, again and again, until it applies nowhere.

        Args:
            rule: Called with the graph and a node; changes the graph around it or not, and says so.
        """
        while sum(rule(self, node) for node in self.nodes() if self.users(node)):
            pass

    def _register(self, node):
        pending = [node]
        while pending:
            user = pending.pop()
            for source in user.inputs:
                users = self._users.setdefault(source, Counter())
                if user not in users:
                    users[user] = user.inputs.count(source)
                    pending.append(source)

    def _forget(self, node):
        pending = [node]
        while pending:
            node = pending.pop()
            if self._users.get(node):
                continue
            self._users.pop(node, None)
            for source in node.inputs:
                if self._users.get(source, {}).pop(node, None):
                    pending.append(source)

    @staticmethod
    def constant(value) -> Node:
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
