"""Constants that stand in for binary kernels while LCE compiles.

LCE's compiler holds several float copies of every binary kernel at once: BNext-L took 10 GiB. But of a kernel's signs
nothing in the file depends except the kernel itself. So the compiler gets a constant of one value in place of each
kernel, +1 or -1, which it keeps as a single number, and the signs are put into the finished file: 4.9 GiB.

LCE merges equal operators. So convolutions that differ in nothing but their kernels need different stand-ins:
`choose_stand_ins` finds them.
"""

from dataclasses import dataclass

import tensorflow as tf

from converter.compiler.kernels import PackedKernel
from converter.tflite.flatbuffer import BinaryConv, Flatbuffer


@dataclass(frozen=True)
class StandIn:
    """What a binary convolution is compiled with in place of its kernel.

    Attributes:
        nodes: Names of the ``Conv2D`` nodes, several if they compute the same. Only the first is compiled, and all that
            read the others read it.
        kernel: The kernel that the file must have in the end.
        sign: The stand-in constant; 0: compiled with the real kernel's signs.
    """

    nodes: list[str]
    kernel: PackedKernel
    sign: int

    @property
    def name(self) -> str:
        """Name of the node that is compiled."""
        return self.nodes[0]

    def constant(self, name: str) -> tf.compat.v1.NodeDef:
        """A ``Const`` node of this name with what the convolution is compiled with."""
        node = tf.compat.v1.NodeDef(name=name, op="Const")
        node.attr["dtype"].type = tf.float32.as_datatype_enum
        tensor = node.attr["value"].tensor
        if self.sign:
            # One number for a tensor of any shape is TensorFlow's own short form of a constant.
            tensor.dtype = tf.float32.as_datatype_enum
            tensor.tensor_shape.CopyFrom(tf.TensorShape(self.kernel.shape).as_proto())
            tensor.float_val.append(self.sign)
        else:
            tensor.CopyFrom(tf.make_tensor_proto(self.kernel.signs()))
        return node


def choose_stand_ins(graph_def: tf.compat.v1.GraphDef, kernels: dict[str, PackedKernel]) -> list[StandIn]:
    """Finds the binary convolutions of a graph and what to compile them with.

    Nodes that compute the same value get the same number, as the compiler sees it: by operation, attributes and the
    numbers of their inputs. Of convolutions that differ in nothing but their kernels the first is compiled with +1, the
    second with -1, and others, which are rare, with their kernels' signs.

    Args:
        graph_def: Nodes in an order in which they can run.
        kernels: Kernels by the names of the ``Placeholder`` nodes in their places.
    """
    numbers: dict[str, object] = {}
    known: dict[tuple, int] = {}
    rivals: dict[tuple, list[StandIn]] = {}
    for node in graph_def.node:
        inputs = tuple(_number(reference, numbers) for reference in node.input)
        if node.op == "Identity":
            numbers[node.name] = inputs[0]
            continue
        if node.op == "Conv2D" and node.input[1] in kernels:
            kernel = kernels[node.input[1]]
            alike = (_content(node), inputs[0], kernel.shape)
            group = rivals.setdefault(alike, [])
            place = next((place for place, stand_in in enumerate(group) if stand_in.kernel.equals(kernel)), len(group))
            if place == len(group):
                group.append(StandIn([], kernel, (1, -1, 0)[min(place, 2)]))
            group[place].nodes.append(node.name)
            key: tuple = (alike, place)
        else:
            key = (node.name if node.op == "Placeholder" else _content(node), *inputs)
        numbers[node.name] = known.setdefault(key, len(known))
    return [stand_in for group in rivals.values() for stand_in in group]


def convs_that_read(graph_def: tf.compat.v1.GraphDef, placeholder: str) -> list[str]:
    """The convolutions whose kernel a ``Placeholder`` node is, in the order of the graph."""
    return [node.name for node in graph_def.node if node.op == "Conv2D" and node.input[1] == placeholder]


def put_kernels(flatbuffer: Flatbuffer, stand_ins: list[StandIn]) -> list[StandIn]:
    """Puts the real kernels into a file that was compiled with stand-ins.

    Returns:
        Those whose convolutions are not among the file's binary ones: they have stayed float, or been merged.
    """
    found = {conv.name: conv for conv in flatbuffer.binary_convs}
    readers: dict[tuple, list[BinaryConv]] = {}
    kernels = {}
    for stand_in in stand_ins:
        if stand_in.sign and stand_in.name in found:
            # Where LCE turns the next sign into a comparison of sums with thresholds, it negates filters whose sums
            # would have to lie below. A stand-in has one sign everywhere, so its first bit shows whether it did.
            turned = (found[stand_in.name].kernel[:, 0, 0, 0] & 1) != (stand_in.sign < 0)
            key = (id(stand_in.kernel), turned.tobytes())
            readers.setdefault(key, []).append(found[stand_in.name])
            kernels[key] = stand_in.kernel.turned(turned)
    for key, kernel in kernels.items():
        flatbuffer.set_kernel(readers[key], kernel)
    flatbuffer.prune()
    return [stand_in for stand_in in stand_ins if stand_in.name not in found]


def _number(reference, numbers):
    name, _, output = reference.partition(":")
    number = numbers.get(name, name)
    return (number, output) if output else number


def _content(node):
    attributes = {name: value for name, value in node.attr.items() if not name.startswith("_")}
    return tf.compat.v1.NodeDef(op=node.op, attr=attributes).SerializeToString(deterministic=True)
