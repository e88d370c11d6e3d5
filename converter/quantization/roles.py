"""What a file's float convolutions and dense layers are there for, found from how operators are connected.

The definitions are those of `bnext_keras.structure`, on operators instead of layers: quantization works on the file,
where layers have been fused and rewritten. One thing only the Keras model knows, so that it is none of these: BNext-18
states that its float shortcuts count as stem; here they are "other".
"""

from collections.abc import Callable, Iterable

from converter.quantization.precision import ROLES
from converter.tflite.flatbuffer import Flatbuffer, Operation

#: Operators with weights worth quantizing; the first input is data and the second the weights.
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
BINARY = "LceBconv2d"


def find_roles(flatbuffer: Flatbuffer) -> dict[str, list[Operation]]:
    """Sorts the operators of `WEIGHTED` types by the roles of `converter.quantization.precision`.

    The stem is what the first binary convolutions are computed from; a squeeze-and-expand is what maps of one pixel go
    through on their way to a sigmoid whose result is a factor; the head is what an output is computed from without
    another convolution or dense layer, or a sum of two branches, in between.
    """
    graph = _OperatorGraph(flatbuffer)
    head, stem = _head(flatbuffer, graph), _stem(flatbuffer, graph)
    roles: dict[str, list[Operation]] = {role: [] for role in ROLES}
    for operation in flatbuffer.operations:
        if operation.type not in WEIGHTED or not flatbuffer.is_constant(operation.inputs[1]):
            continue
        if operation in head:
            role = "head"
        elif operation in stem:
            role = "stem"
        else:
            role = "se" if _is_gate(operation, flatbuffer, graph) else "other"
        roles[role].append(operation)
    return roles


def weight_bytes(flatbuffer: Flatbuffer) -> dict[str, int]:
    """Bytes of the weights of each role in a float file; one constant that several operators share counts once."""
    return {
        role: sum({flatbuffer.buffer(op.inputs[1]): flatbuffer.nbytes(op.inputs[1]) for op in operations}.values())
        for role, operations in find_roles(flatbuffer).items()
    }


class _OperatorGraph:
    """Which operator feeds which."""

    def __init__(self, flatbuffer):
        self.writers = {tensor: operation for operation in flatbuffer.operations for tensor in operation.outputs}
        self._readers: dict[int, list[Operation]] = {}
        for operation in flatbuffer.operations:
            for tensor in operation.inputs:
                self._readers.setdefault(tensor, []).append(operation)

    def producers(self, operation: Operation) -> list[Operation]:
        return [self.writers[tensor] for tensor in operation.inputs if tensor in self.writers]

    def consumers(self, operation: Operation) -> list[Operation]:
        return [reader for tensor in operation.outputs for reader in self._readers.get(tensor, [])]


def _stem(flatbuffer: Flatbuffer, graph: _OperatorGraph) -> set[Operation]:
    binary = [operation for operation in flatbuffer.operations if operation.type == BINARY]
    behind = _reachable(binary, graph.consumers)
    return _reachable([operation for operation in binary if operation not in behind], graph.producers)


def _reachable(operations: Iterable[Operation], neighbours: Callable[[Operation], list[Operation]]) -> set[Operation]:
    found: set[Operation] = set()
    pending = list(operations)
    while pending:
        new = [operation for operation in neighbours(pending.pop()) if operation not in found]
        found.update(new)
        pending += new
    return found


def _head(flatbuffer: Flatbuffer, graph: _OperatorGraph) -> set[Operation]:
    found = set()
    for tensor in flatbuffer.outputs:
        operation = graph.writers.get(tensor)
        while operation is not None and operation.type not in (*WEIGHTED, BINARY):
            producers = graph.producers(operation)
            operation = producers[0] if len(producers) == 1 else None
        if operation is not None:
            found.add(operation)
    return found


def _is_gate(operation, flatbuffer, graph):
    """Whether its result, never larger than one pixel, reaches a sigmoid that is multiplied with something."""
    pending, seen = [(operation, False)], set()
    while pending:
        current, is_factor = pending.pop()
        if (current, is_factor) in seen:
            continue
        seen.add((current, is_factor))
        if is_factor and current.type == "MUL":
            return True
        shape = flatbuffer.shape(current.outputs[0])
        if len(shape) == 4 and shape[1:3] != (1, 1):
            continue
        # Where the last maps have one pixel, gates of one block are computed from maps that those of another multiply.
        if current is not operation and current.type in ("MEAN", BINARY):
            continue
        is_factor = is_factor or current.type == "LOGISTIC"
        pending += [(reader, is_factor) for reader in graph.consumers(current)]
    return False
