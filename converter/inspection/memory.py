"""How much memory the results of a file's operators take at the same time."""

from converter.inspection.operators import stored_weights, tensor_bytes
from converter.tflite.flatbuffer import Flatbuffer


def peak_memory(flatbuffer: Flatbuffer) -> int:
    """The most bytes of results that have to be kept at one moment, those of inputs and outputs included.

    A result is kept from the operator that writes it to the last one that reads it. Operators run in the order of the
    file. No runtime can do with less unless it computes in place; constants and a runtime's own tables come on top.
    """
    written = dict.fromkeys(flatbuffer.inputs, 0)
    last_read = dict.fromkeys(flatbuffer.inputs, 0)
    operations, weights = flatbuffer.operations, stored_weights(flatbuffer)
    for place, operation in enumerate(operations):
        for tensor in operation.outputs:
            # Weights become floats once, when the file is first run, and stay.
            written[tensor] = 0 if tensor in weights else place
            last_read[tensor] = len(operations) if tensor in weights else place
        for tensor in operation.inputs:
            if tensor in written:
                last_read[tensor] = max(last_read[tensor], place)
    last_read.update(dict.fromkeys(set(flatbuffer.outputs) & written.keys(), len(operations)))
    sizes = {tensor: tensor_bytes(flatbuffer, tensor) for tensor in written}
    return max(
        (
            sum(size for tensor, size in sizes.items() if written[tensor] <= place <= last_read[tensor])
            for place in range(len(operations))
        ),
        default=0,
    )
