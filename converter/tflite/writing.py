"""Writes the bytes of ``.tflite`` files."""

import flatbuffers
import numpy as np

from converter.tflite.parsing import IDENTIFIER
from converter.tflite.schema import ModelT

#: TFLite wants constants at addresses that are multiples of this.
ALIGNMENT = 16


def serialize(model: ModelT) -> bytes:
    """The file of unpacked tables."""
    size = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    # Room for all of it: a builder that runs out of it copies everything into one of twice the size.
    builder = _Builder(size + size // 16 + 2**16)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


class _Builder(flatbuffers.Builder):
    """Aligns constants as the schema demands, which the generated code forgets for NumPy arrays, and writes equal lists
    of other numbers once: the shapes of tensors, and the zero points that all quantized channels have."""

    def __init__(self, size):
        super().__init__(size)
        self._written = {}

    def CreateNumpyVector(self, x):
        if x.dtype == np.uint8:
            self.Prep(ALIGNMENT, x.size)
            return super().CreateNumpyVector(x)
        key = (x.dtype, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]
