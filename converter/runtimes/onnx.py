"""Files for ONNX Runtime, and whatever else reads ONNX: written by `tf2onnx` from a ``.tflite`` file."""

import contextlib
import io
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bnext_keras.cli._tool import silenced
from bnext_keras.errors import ConversionError
from bnext_keras.extras import require
from bnext_keras.text import first_line

import numpy as np

from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import OneImageInterpreter
from converter.tflite.metadata import Metadata

#: Version of ONNX's operators: old enough for most runtimes, new enough for scales of channels.
OPSET = 17


def to_onnx(flatbuffer: Flatbuffer) -> bytes:
    """The ONNX file of a ``.tflite`` file without custom operators; its maps keep their order, channels last.

    Raises:
        MissingPackage: if tf2onnx is not installed.
        ConversionError: with tf2onnx's own message, if it refuses the file.
    """
    require("tf2onnx", "onnx", extra="onnx")
    with silenced(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        from tf2onnx import convert

        logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.tflite")
            path.write_bytes(flatbuffer.pack())
            try:
                model, _ = convert.from_tflite(str(path), opset=OPSET)
            # Whatever a converter of others raises of a file that it cannot convert.
            except Exception as error:
                raise ConversionError(f"tf2onnx refused the file: {first_line(error)}") from error
    return model.SerializeToString()


def encode(flatbuffer: Flatbuffer, metadata: Metadata) -> bytes:
    """The ONNX file with what it says about itself, as ONNX's own properties."""
    import onnx

    flatbuffer.name_interface(metadata.inputs, metadata.outputs)
    model = onnx.load_from_string(to_onnx(flatbuffer))
    properties = {
        "name": metadata.name,
        "input_orientation": metadata.input_orientation.value,
        "source_sha256": metadata.source_sha256,
        "version": metadata.version,
    }
    if metadata.normalization is not None:
        properties |= {"mean": _listed(metadata.normalization.mean), "std": _listed(metadata.normalization.std)}
    if metadata.labels is not None:
        properties["labels"] = "\n".join(metadata.labels)
    onnx.helper.set_model_props(model, properties)
    return model.SerializeToString()


def _listed(values: Sequence[float]) -> str:
    return ",".join(map(str, values))


class OnnxInterpreter(OneImageInterpreter):
    """An ONNX file, ready to run in ONNX Runtime.

    Args:
        content: The bytes of the file.
        threads: How many threads it runs on.

    Raises:
        MissingPackage: if ONNX Runtime is not installed.
    """

    def __init__(self, content: bytes, *, threads: int = 1):
        require("onnxruntime", extra="onnx")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._names = [value.name for value in inputs]
        self.input_shapes, self.output_shapes = ([tuple(value.shape) for value in each] for each in (inputs, outputs))
        self.input_types, self.output_types = ([_TYPES[value.type] for value in each] for each in (inputs, outputs))

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for inputs of the file's own shapes."""
        return self._session.run(None, dict(zip(self._names, inputs, strict=True)))


_TYPES: dict[str, type] = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int32)": np.int32}
