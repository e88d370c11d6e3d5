"""Writes scheduled nodes as a plan."""

from typing import Any

import numpy as np

from android_demo.runner.compiler.memory import Storage, lay_out
from android_demo.runner.compiler.network import SINKS, Network, Node, Value
from android_demo.runner.compiler.schedule import Group, size_of
from android_demo.runner.plan import ALIGNMENT, NOTHING, TENSOR, Kind, Op, Place, Plan, Step, Tensor

_OPS = {
    "Copy": Op.COPY,
    "Affine": Op.AFFINE,
    "AffinePrelu": Op.AFFINE_PRELU,
    "Add": Op.ADD,
    "Sub": Op.SUB,
    "Mul": Op.MUL,
    "Div": Op.DIV,
    "Min": Op.MIN,
    "Max": Op.MAX,
    "Fma": Op.FMA,
    "Prelu": Op.PRELU,
    "Logistic": Op.LOGISTIC,
    "Exp": Op.EXP,
    "Sqrt": Op.SQRT,
    "Tanh": Op.TANH,
    "Pack": Op.PACK,
    "Sum": Op.SUM,
    "Unpack": Op.UNPACK,
    "MeanPool": Op.MEAN_POOL,
    "MaxPool": Op.MAX_POOL,
}
_CONV_BLOCK = 16  # As in native/kernels/kernels.h.
_LARGEST = np.finfo(np.float32).max


def emit(network: Network, groups: list[Group], storage: dict[Value, Storage]) -> Plan:
    """The plan of scheduled groups.

    Args:
        network: The network.
        groups: Its nodes in order, from `schedule`.
        storage: From `place_parts`.
    """
    return _Emitter(network, groups, storage).emit()


class _Emitter:
    def __init__(self, network: Network, groups: list[Group], storage: dict[Value, Storage]):
        self.network, self.groups, self.storage = network, groups, storage
        # A value that only its own map reads is a register, and has no place in memory.
        self.stored = {*network.inputs, *network.outputs}
        for group in groups:
            own = {node.output for node in group.nodes} if group.is_map else set()
            self.stored |= {value for node in group.nodes for value in node.inputs if value not in own}
            if not group.is_map or any(node.op in SINKS for node in group.nodes):
                self.stored |= {node.output for node in group.nodes if not node.in_map or node.op in SINKS}
        kept = {value: place for value, place in storage.items() if value in self.stored}
        self.offsets, self.arena = lay_out(groups, kept, network)
        self.tensors: list[Tensor] = []
        self.numbers: dict[Any, int] = {}
        self.data = bytearray()
        self.steps: list[Step] = []
        self.means = {node.inputs[0]: node for group in groups for node in group.nodes if node.op == "Mean"}

    def emit(self) -> Plan:
        for value in [*self.network.inputs, *self.network.outputs]:
            # Each has a number of its own, in order.
            self.numbers[value] = len(self.tensors)
            self.tensors.append(self.describe(value))
        for group in self.groups:
            if group.is_map:
                self.map(group)
            elif group.nodes[0].op not in ("View", "Concat", "Mean"):
                node = group.nodes[0]
                getattr(self, f"write_{node.op.lower()}")(node, *node.inputs)
        return Plan(
            self.tensors,
            self.steps,
            bytes(self.data),
            self.arena,
            len(self.network.inputs),
            len(self.network.outputs),
        )

    # Tensors.

    def describe(self, value: Value) -> Tensor:
        if value.data is None:
            place = self.storage[value]
            offset = self.offsets[place.root] + place.offset
            return Tensor(value.type, Place.ARENA, value.height, value.width, value.channels, place.stride, offset)
        content = value.data.tobytes()
        key = ("data", content)
        if key not in self.numbers:
            self.data += bytes(-len(self.data) % ALIGNMENT)
            self.numbers[key] = len(self.data)
            self.data += content
        return Tensor(
            value.type, Place.DATA, value.height, value.width, value.channels, value.elements, self.numbers[key]
        )

    def tensor(self, value: Value) -> int:
        if value not in self.numbers:
            described = self.describe(value)
            if described not in self.numbers:
                self.numbers[described] = len(self.tensors)
                self.tensors.append(described)
            self.numbers[value] = self.numbers[described]
        return self.numbers[value]

    def step(self, kind: Kind, node: Node, *words: Any) -> None:
        self.steps.append(Step(kind, list(words), node.output.name[:120]))

    # Steps.

    def map(self, group: Group) -> None:
        last = {value: place for place, node in enumerate(group.nodes) for value in node.inputs}
        registers: dict[Value, int] = {}
        free: list[int] = []
        count = 0
        words: list[int] = []
        for place, node in enumerate(group.nodes):
            operands = [
                registers[value] if value in registers else TENSOR | self.tensor(value) for value in node.inputs
            ]
            for value in dict.fromkeys(node.inputs):
                if value in registers and last[value] == place:
                    free.append(registers[value])
            if node.output in self.stored:
                result = TENSOR | self.tensor(node.output)
            else:
                if not free:
                    free.append(count)
                    count += 1
                result = registers[node.output] = free.pop()
            if node.op == "Pack":
                operands.append(self.shares_word(node.output))
            words += [_OPS[node.op], result, *operands, *[0] * (4 - len(operands))]
        self.step(Kind.MAP, group.nodes[-1], *size_of(group.nodes[0]), count, *words)

    def shares_word(self, signs: Value) -> int:
        """Whether others of the same pixel follow behind its last channel, in the same word."""
        place = self.storage[signs]
        end = place.start + signs.channels
        return int(end % 32 > 0 and end < place.root.channels)

    def write_binaryconv(self, node: Node, value: Value, kernel: Value) -> None:
        tensors = self.tensor(value), self.tensor(kernel), self.tensor(node.output)
        mean = self.means.get(node.output)
        words = [self.tensor(value) for value in (mean.output, *mean.inputs[1:])] if mean else [NOTHING, 0, 0]
        window, ones = node.attributes["window"], int(node.attributes["ones"])
        self.step(Kind.BINARY_CONV, node, *tensors, *window, ones, *words)

    def write_conv(self, node: Node, value: Value, kernel: Value, bias: Value) -> None:
        tensors = [self.tensor(each) for each in (value, _in_blocks(kernel), bias, node.output)]
        self.step(Kind.CONV, node, *tensors, *node.attributes["window"], *_bounds(node))

    def write_depthwise(self, node: Node, *inputs: Value) -> None:
        tensors = [self.tensor(value) for value in (*inputs, node.output)]
        words = (*tensors, *node.attributes["window"], *_bounds(node), node.attributes["multiplier"])
        self.step(Kind.DEPTHWISE, node, *words)

    def write_dense(self, node: Node, value: Value, kernel: Value, scale: Value, bias: Value) -> None:
        tensors = [self.tensor(each) for each in (value, _in_blocks(kernel), scale, bias, node.output)]
        self.step(Kind.DENSE, node, *tensors, *_bounds(node))

    def write_pool(self, node: Node, value: Value) -> None:
        tensors = self.tensor(value), self.tensor(node.output)
        words = (*tensors, *node.attributes["window"], *_bounds(node), int(node.attributes["mean"]))
        self.step(Kind.POOL, node, *words)

    def write_gather(self, node: Node, value: Value) -> None:
        self.step(Kind.GATHER, node, self.tensor(value), self.tensor(node.output), *node.attributes["indices"])

    def write_softmax(self, node: Node, value: Value) -> None:
        beta = np.float32(node.attributes["beta"])
        self.step(Kind.SOFTMAX, node, self.tensor(value), self.tensor(node.output), beta)

    def write_move(self, node: Node, value: Value) -> None:
        into, out = self.storage[value], self.storage[node.output]
        if "pixels" in node.attributes:
            move = [value.pixels, value.elements], 0, [into.stride, 1], 0, [out.stride, 1]
            self.copy(node, self.tensor(value), *move)
            return
        # A single pixel has no gaps, wherever it lies.
        for moved, place in ((value, into), (node.output, out)):
            assert place.stride == moved.elements or moved.pixels == 1, "elements are moved without gaps"
        if node.attributes.get("zeros"):
            size = node.output.pixels * node.output.elements
            self.copy(node, NOTHING, [size], 0, [0], 0, [1])
        for move in node.attributes["moves"]:
            self.copy(node, self.tensor(value), *move)

    def copy(self, node, value, sizes, start, strides, out_start, out_strides):
        lists = [[1] * (6 - len(sizes)) + list(sizes)]
        lists += [[0] * (6 - len(sizes)) + list(values) for values in (strides, out_strides)]
        words = (value, self.tensor(node.output), start, out_start, *lists[0], *lists[1], *lists[2])
        self.step(Kind.COPY, node, *words)


def _in_blocks(kernel):
    """Weights of `_CONV_BLOCK` filters beside each other, for all taps and channels, before those of the next."""
    filters = range(0, kernel.channels, _CONV_BLOCK)
    matrix = kernel.data.reshape(kernel.pixels, kernel.channels)
    blocks = [matrix[:, first : first + _CONV_BLOCK].ravel() for first in filters]
    data = np.concatenate(blocks)
    return Value(kernel.height, kernel.width, kernel.channels, kernel.type, data=data, name=kernel.name)


def _bounds(node):
    return [np.float32(np.clip(bound, -_LARGEST, _LARGEST)) for bound in node.attributes["bounds"]]
