"""Files for ONNX Runtime, and whatever else reads ONNX: written by `tf2onnx` from a ``.tflite`` file.

**Weights of 8 bits** are initializers of int8 with a ``Cast`` and, but for signs, a ``Mul`` by their steps behind it. A
``DequantizeLinear``, which tf2onnx writes, says the same, and ONNX Runtime reads it otherwise: it takes one in front of
a matrix product for leave to round the activations to int8 as well (``MatMulNBits``), and computes all others anew for
each image. A cast of a constant it computes once, when it loads the file, to the same floats.
"""

import contextlib
import io
import logging
import tempfile
from collections import Counter
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

    Args:
        flatbuffer: The file, whose int8 constants stand for floats without an offset, as all weights here do.

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
    _cast_weights(model.graph)
    return model.SerializeToString()


def _cast_weights(graph):
    """Has int8 constants made floats by a cast and a product, see above."""
    from onnx import TensorProto, helper, numpy_helper

    constants, nodes = {constant.name: constant for constant in graph.initializer}, []
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            nodes.append(node)
            continue
        levels, (result,) = constants[node.input[0]], node.output
        steps = numpy_helper.to_array(constants[node.input[1]])
        if (steps == 1).all():
            nodes.append(helper.make_node("Cast", [levels.name], [result], name=result, to=TensorProto.FLOAT))
            continue
        sides = [1] * len(levels.dims)
        if steps.size > 1:
            sides[next(attribute.i for attribute in node.attribute if attribute.name == "axis")] = steps.size
        graph.initializer.append(numpy_helper.from_array(steps.reshape(sides), f"{result}/steps"))
        floats = f"{result}/levels"
        nodes.append(helper.make_node("Cast", [levels.name], [floats], name=floats, to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [floats, f"{result}/steps"], [result], name=result))
    read = {name for node in nodes for name in node.input}
    kept = [constant for constant in graph.initializer if constant.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)


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


def count_operators(content: bytes) -> Counter[str]:
    """How many operators an ONNX file has of each type, by ONNX's names.

    Args:
        content: Its bytes.

    Raises:
        MissingPackage: if onnx is not installed.
    """
    require("onnx", extra="onnx")
    import onnx

    return Counter(node.op_type for node in onnx.load_from_string(content).graph.node)


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
