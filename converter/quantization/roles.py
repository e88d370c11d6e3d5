"""What a file's float convolutions and dense layers are there for, found from how operators are connected."""

from collections.abc import Iterator

from converter.tflite.flatbuffer import Flatbuffer, Operation

#: Operators with weights worth quantizing; the first input is data and the second the weights.
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def find_roles(flatbuffer: Flatbuffer) -> dict[str, list[Operation]]:
    """Sorts the operators of `WEIGHTED` types by the roles of `converter.quantization.precision`.

    The stem is what the first binary convolution is computed from; a squeeze-and-expand is what maps of one pixel go
    through on their way to a sigmoid whose result is a factor; the head is what the output is computed from without
    another operator of these types, or a sum of two branches, in between.
    """
    operations = flatbuffer.operations
    producers = {tensor: operation for operation in operations for tensor in operation.outputs}
    readers: dict[int, list[Operation]] = {}
    for operation in operations:
        for tensor in operation.inputs:
            readers.setdefault(tensor, []).append(operation)
    first_binary = next((operation for operation in operations if operation.type == "LceBconv2d"), None)
    stem = set() if first_binary is None else {operation.index for operation in _before(first_binary, producers)}
    head = _head(flatbuffer, producers)
    roles = {"stem": [], "se": [], "head": [], "other": []}
    for operation in operations:
        if operation.type not in WEIGHTED or not flatbuffer.is_constant(operation.inputs[1]):
            continue
        if operation == head:
            role = "head"
        elif operation.index in stem:
            role = "stem"
        elif _is_gate(operation, flatbuffer, readers):
            role = "se"
        else:
            role = "other"
        roles[role].append(operation)
    return roles


def _before(operation, producers) -> Iterator[Operation]:
    pending, seen = [operation], set()
    while pending:
        for tensor in pending.pop().inputs:
            if tensor in producers and producers[tensor].index not in seen:
                seen.add(producers[tensor].index)
                pending.append(producers[tensor])
                yield producers[tensor]


def _head(flatbuffer, producers):
    operation = producers.get(flatbuffer.outputs[0])
    while operation is not None and operation.type not in WEIGHTED:
        data = [tensor for tensor in operation.inputs if tensor in producers]
        operation = producers[data[0]] if len(data) == 1 else None
    return operation


def _is_gate(operation, flatbuffer, readers):
    """Whether its result, never larger than one pixel, reaches a sigmoid that is multiplied with something."""
    pending, seen = [(operation, False)], set()
    while pending:
        current, is_factor = pending.pop()
        if (current.index, is_factor) in seen:
            continue
        seen.add((current.index, is_factor))
        if is_factor and current.type == "MUL":
            return True
        shape = flatbuffer.shape(current.outputs[0])
        if len(shape) == 4 and shape[1:3] != (1, 1):
            continue
        # Gates of one operator are computed from maps that those of another are factors of.
        if current is not operation and current.type in ("MEAN", "LceBconv2d"):
            continue
        is_factor = is_factor or current.type == "LOGISTIC"
        pending += [(reader, is_factor) for reader in readers.get(current.outputs[0], [])]
    return False
