"""How much memory the maps of a network take at once."""

from converter.inspection.operators import stored_weights, tensor_bytes
from converter.tflite.flatbuffer import Flatbuffer


def peak_map_bytes(content: bytes) -> int:
    """Bytes of all maps that must be in memory together, where these are most.

    A map is there from the operator that writes it to the last one that reads it; the input is there from the start,
    and the answer until the end. While an operator runs, what it reads and what it writes are both there. An
    interpreter takes no less unless it works in place; LCE's adds what single operators need for themselves, such as
    the rows of an indirect convolution. Constants and the interpreter's own tables are not counted.

    Args:
        content: A ``.tflite`` file.

    Example:
        >>> import bnext_keras
        >>> from converter import convert
        >>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
        >>> peak_map_bytes(convert(model).content)  # two maps of 64 channels, and the mean of one of 32
        524416
    """
    flatbuffer = Flatbuffer(content)
    weights = stored_weights(flatbuffer)
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    operations = flatbuffer.operations
    for place, operation in enumerate(operations):
        for tensor in (*operation.inputs, *operation.outputs):
            if not flatbuffer.is_constant(tensor) and tensor not in weights:
                first.setdefault(tensor, place if tensor in operation.outputs else 0)
                last[tensor] = place
    last.update(dict.fromkeys(flatbuffer.outputs, len(operations) - 1))
    return max(
        (
            sum(tensor_bytes(flatbuffer, tensor) for tensor in first if first[tensor] <= place <= last[tensor])
            for place in range(len(operations))
        ),
        default=0,
    )
