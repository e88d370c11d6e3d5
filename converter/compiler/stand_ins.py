"""Kernels that LCE's compiler need not see.

LCE holds several float copies of every binary kernel while it compiles: ten gigabytes for BNext-L. But nothing in the
file depends on a kernel's signs except the kernel itself, so the compiler gets constants in place of kernels, +c or -c
everywhere, which it keeps as one number each, and the signs are put into the finished file.

Two things must not get lost on the way. LCE merges equal operators, so two convolutions of the same input need
different stand-ins: `plan` finds out which ones. And each convolution must be found again in the file: LCE names
tensors after the nodes that they come from, joined and cut at 50 characters, so nodes have names of a few characters
while LCE compiles (`Names`), and their own again afterwards.
"""

import itertools
import re
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from converter.tflite.bits import pack_signs, unpack_signs
from converter.tflite.flatbuffer import BinaryConv, Flatbuffer


@dataclass(frozen=True, eq=False)
class BinaryKernel:
    """The kernel of one convolution operator, one bit per weight.

    Attributes:
        words: int32 ``(filters, height, width, words)`` as LCE packs them.
        scale: float32 ``(filters,)``, the absolute value of a filter's weights.
        channels: Number of input channels.
    """

    words: np.ndarray
    scale: np.ndarray
    channels: int

    @classmethod
    def of(cls, kernel: np.ndarray) -> "BinaryKernel":
        """Packs a kernel ``(height, width, in, out)`` of one +-c per output channel."""
        return cls(pack_signs(kernel), np.abs(kernel[0, 0, 0]), kernel.shape[2])

    @property
    def is_uniform(self) -> bool:
        """Whether all filters have the same scale."""
        return self.scale.size > 0 and bool((self.scale == self.scale[0]).all())

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(height, width, in, out)``."""
        filters, height, width, _ = self.words.shape
        return height, width, self.channels, filters

    def dense(self) -> np.ndarray:
        """The kernel as it was, float32 ``(height, width, in, out)``."""
        return unpack_signs(self.words, self.channels).transpose(1, 2, 3, 0) * self.scale

    def equals(self, other: "BinaryKernel") -> bool:
        """Whether both hold the same numbers."""
        return np.array_equal(self.words, other.words) and np.array_equal(self.scale, other.scale)

    def turned(self, filters: np.ndarray) -> np.ndarray:
        """The words with the signs of some filters, a boolean ``(filters,)``, turned around."""
        every_sign = pack_signs(np.full((1, 1, self.channels, 1), -1.0))
        return np.where(filters[:, np.newaxis, np.newaxis, np.newaxis], self.words ^ every_sign, self.words)


@dataclass(frozen=True)
class GraphConv:
    """A binary convolution that the graph has once or several times, from the same values.

    Attributes:
        nodes: The nodes' names; the first is the one that is compiled.
        kernel: Its kernel.
        sign: +1 or -1 if it is compiled with that times its scale everywhere, 0 if with its kernel.
    """

    nodes: list[str]
    kernel: BinaryKernel
    sign: int

    @property
    def name(self) -> str:
        return self.nodes[0]

    def constant(self, name: str) -> tf.compat.v1.NodeDef:
        """The node with the kernel that it is compiled with."""
        node = tf.compat.v1.NodeDef(name=name, op="Const")
        node.attr["dtype"].type = tf.float32.as_datatype_enum
        tensor = node.attr["value"].tensor
        if self.sign:
            tensor.dtype = tf.float32.as_datatype_enum
            tensor.tensor_shape.CopyFrom(tf.TensorShape(self.kernel.shape).as_proto())
            tensor.float_val.append(self.sign * float(self.kernel.scale[0]))
        else:
            tensor.CopyFrom(tf.make_tensor_proto(self.kernel.dense()))
        return node


def plan(graph: tf.compat.v1.GraphDef, kernels: dict[str, BinaryKernel]) -> list[GraphConv]:
    """Finds the binary convolutions of a graph and what to compile them with.

    Values get numbers, equal ones the same number. Convolutions that differ in nothing but their kernels get +c, -c
    and, from the third on, which is rare, their kernels; so do those of more than one c.

    Args:
        graph: Nodes in an order in which they can run.
        kernels: Kernels by the names of the placeholders that stand for them.
    """
    numbers: dict[str, object] = {}
    known: dict[tuple, int] = {}
    rivals: dict[tuple, list[GraphConv]] = {}
    for node in graph.node:
        inputs = tuple(_number(reference, numbers) for reference in node.input)
        key = (node.name if node.op == "Placeholder" else _content(node), *inputs)
        if node.op == "Identity":
            numbers[node.name] = inputs[0]
            continue
        if node.op == "Conv2D" and node.input[1] in kernels:
            kernel = kernels[node.input[1]]
            key = (_content(node), inputs[0], kernel.shape, kernel.scale.tobytes())
            convs = rivals.setdefault(key, [])
            place = next((place for place, conv in enumerate(convs) if conv.kernel.equals(kernel)), len(convs))
            if place == len(convs):
                convs.append(GraphConv([], kernel, (1, -1, 0)[min(place, 2)] if kernel.is_uniform else 0))
            convs[place].nodes.append(node.name)
            key = (key, place)
        numbers[node.name] = known.setdefault(key, len(known))
    return [conv for convs in rivals.values() for conv in convs]


def _number(reference, numbers):
    name, _, output = reference.partition(":")
    number = numbers.get(name, name)
    return (number, output) if output else number


def _content(node):
    attributes = {name: value for name, value in node.attr.items() if not name.startswith("_")}
    return tf.compat.v1.NodeDef(op=node.op, attr=attributes).SerializeToString(deterministic=True)


def readers(graph: tf.compat.v1.GraphDef, placeholder: str) -> list[str]:
    """The convolutions that read a kernel, in the order of the graph."""
    return [node.name for node in graph.node if node.op == "Conv2D" and node.input[1] == placeholder]


class Names:
    """Short names for the nodes of a graph, and back.

    Args:
        graph: The graph.
        image: Name of the input, which is kept.
        output: Name of the output, which is kept.
        convs: Nodes of one of these share a name.
    """

    def __init__(self, graph: tf.compat.v1.GraphDef, image: str, output: str, convs: list[GraphConv]):
        self._output = output
        self._convs = convs
        self._short = {node.name: f"n{i:x}_" for i, node in enumerate(graph.node)} | {image: image, output: output}
        self._long = {short: name for name, short in self._short.items()}
        for conv in convs:
            self._short.update(dict.fromkeys(conv.nodes, self._short[conv.name]))

    def shorten(self, reference: str) -> str:
        """The short form of a node's name, or of a reference to it as nodes have for inputs: ``^name``, ``name:1``."""
        control, name, output = re.fullmatch(r"(\^?)([^:]*)(.*)", reference).groups()
        return control + self._short[name] + output

    def split(self, tensor_name: str) -> list[str]:
        """The nodes, by their own names, that a tensor of the file is named after."""
        # LCE tells equal names apart by numbers behind them.
        parts = (re.sub(r"(?<=_)\d*$", "", part) for part in tensor_name.split(";"))
        return [self._long[part] for part in parts if part in self._long]

    def restore(self, flatbuffer: Flatbuffer) -> None:
        """Names the tensors of a file after the nodes of the graph, results of binary convolutions after those."""
        convs = {conv.name for conv in self._convs}
        results = {conv.name for conv in flatbuffer.binary_convs}
        names = {}
        for short in flatbuffer.names:
            nodes = self.split(short)
            if short in results:
                # What writes the output bears its name alone; all other convolutions come before it.
                binary = [self._convs[-1].name] if short == self._output else [name for name in nodes if name in convs]
                nodes = binary if len(set(binary)) == 1 else nodes
            name = nodes[0] if nodes else short
            candidates = (f"{name}_{count}" if count > 1 else name for count in itertools.count(1))
            names[next(candidate for candidate in candidates if candidate not in names)] = short
        flatbuffer.names = list(names)


def put_signs(flatbuffer: Flatbuffer, convs: list[GraphConv]) -> list[GraphConv]:
    """Puts the signs of kernels in the place of their stand-ins.

    Returns:
        The convolutions that are not among the file's binary ones: they have stayed float, or been merged.
    """
    found = {conv.name: conv for conv in flatbuffer.binary_convs}
    readers: dict[tuple, list[BinaryConv]] = {}
    kernels = {}
    for conv in convs:
        if conv.sign and conv.name in found:
            # Where LCE compares with thresholds, it turns filters around whose results would have to be below them.
            turned = (found[conv.name].kernel[:, 0, 0, 0] & 1) != (conv.sign < 0)
            key = (id(conv.kernel), turned.tobytes())
            readers.setdefault(key, []).append(found[conv.name])
            kernels[key] = conv.kernel.turned(turned)
    for key, kernel in kernels.items():
        flatbuffer.set_kernel(readers[key], kernel)
    flatbuffer.prune()
    return [conv for conv in convs if conv.name not in found]
