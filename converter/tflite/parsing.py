"""Reads the bytes of ``.tflite`` files that anybody may have made.

The generated code trusts a flatbuffer: a damaged one sends it astray, and one that was made for it keeps it busy
forever, with a million entries of a list that are all the same long list. So counts and lengths are looked at before
anything is unpacked, and references between parts after it.
"""

from collections.abc import Callable
from typing import TypeVar

from bnext_keras.errors import ConversionError

import numpy as np

from converter.tflite.schema import BUILTIN_NAMES, TENSOR_TYPES, Model, ModelT, TensorType

IDENTIFIER = b"TFL3"
#: More operators, tensors or buffers than any network has.
MAX_PARTS = 100_000
#: The largest number that the older field for an operator's type holds; TFLite's own tools put it where more is meant.
_LAST_OLD_CODE = 127

_Result = TypeVar("_Result")


class DamagedFile(ConversionError):
    """Bytes that are no ``.tflite`` file, or not a whole one.

    Attributes:
        reason: What is wrong with them.
    """

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(f"not a .tflite file, or a truncated one ({reason})")


def is_tflite(content: bytes) -> bool:
    """Whether bytes begin like a ``.tflite`` file."""
    return content[4:8] == IDENTIFIER


def parse(content: bytes) -> ModelT:
    """Unpacks a file of one subgraph.

    Raises:
        DamagedFile: if the bytes are none, or a damaged one; nothing else, whatever the bytes.
    """
    return _guarded(_parse, content)


def custom_operators(content: bytes) -> set[str]:
    """The names of the custom operators that a file needs; LCE's begin with ``Lce``.

    Unlike `parse`, it takes what LCE never writes and other tools do: several subgraphs, sparse tensors.

    Raises:
        DamagedFile: if the bytes are no whole file; nothing else, whatever the bytes.
    """
    return _guarded(_custom_operators, content)


def has_int4(content: bytes) -> bool:
    """Whether a file has numbers of 4 bits, which LCE does not read. It takes what `custom_operators` takes.

    Raises:
        DamagedFile: if the bytes are no whole file; nothing else, whatever the bytes.
    """
    return _guarded(_has_int4, content)


def _guarded(read: Callable[[bytes], _Result], content: bytes) -> _Result:
    try:
        return read(content)
    except (DamagedFile, MemoryError):
        raise
    # Whatever struct, numpy or a decoder raise where a number does not fit.
    except Exception as error:
        raise DamagedFile("its parts do not fit together") from error


def _require(condition, reason):
    if not condition:
        raise DamagedFile(reason)


def _require_count(count, name, size):
    _require(count <= min(MAX_PARTS, size // 4), f"it has {count} {name}")


def _parse(content):
    _require(is_tflite(content), "it does not begin like one")
    lazy = Model.GetRootAsModel(content, 0)
    _check_sizes(lazy, len(content))
    model = ModelT.InitFromObj(lazy)
    for buffer in model.buffers:
        # Newer tools put constants behind the tables, 0 and 1 being no places.
        if buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    total = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    _require(total <= len(content), "its constants overlap")
    for code in model.operatorCodes:
        # Tools from before 2021 know the older field only, which had room for 127 types; some of today's leave it 0,
        # and a reader that looks at it alone, as tf2onnx does, sees an addition in its place.
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
        code.deprecatedBuiltinCode = min(code.builtinCode, _LAST_OLD_CODE)
    _check_references(model)
    return model


def _check_sizes(model, size):
    """Refuses what would take much longer to unpack than the file is long."""
    _require(model.SubgraphsLength() == 1, f"it has {model.SubgraphsLength()} subgraphs")
    graph = model.Subgraphs(0)
    counts = {
        "operators": graph.OperatorsLength(),
        "tensors": graph.TensorsLength(),
        "buffers": model.BuffersLength(),
        "types of operators": model.OperatorCodesLength(),
        "metadata": model.MetadataLength(),
        "signatures": model.SignatureDefsLength(),
    }
    for name, count in counts.items():
        _require_count(count, name, size)
    _require(model.SignatureDefsLength() <= 1, "it has several signatures")
    names = [model.Description(), graph.Name()]
    for signature in map(model.SignatureDefs, range(model.SignatureDefsLength())):
        parts = signature.InputsLength() + signature.OutputsLength()
        _require(parts <= graph.TensorsLength(), "its signature has more parts than there are tensors")
    length = sum(len(name) for name in names if name is not None)
    named = [
        *((model.OperatorCodes(i), "CustomCode") for i in range(model.OperatorCodesLength())),
        *((model.Metadata(i), "Name") for i in range(model.MetadataLength())),
        *((graph.Tensors(i), "Name") for i in range(graph.TensorsLength())),
    ]
    for part, name in named:
        length += len(getattr(part, name)() or b"")
        _require(length <= size, "its names overlap")
    for tensor in map(graph.Tensors, range(graph.TensorsLength())):
        _require(tensor.Sparsity() is None and tensor.VariantTensorsLength() == 0, "it has sparse or variant tensors")


def _check_references(model):
    graph, codes, buffers = model.subgraphs[0], len(model.operatorCodes), len(model.buffers)
    tensors = len(graph.tensors)
    for tensor in graph.tensors:
        (tensor.name or b"").decode()
        _require(0 <= tensor.buffer < buffers, "a tensor has no buffer")
        _require(tensor.shape is None or min(tensor.shape, default=0) >= 0, "a shape is negative")
        _require(tensor.type in TENSOR_TYPES, "a tensor is of an unknown type")
    for entry in model.metadata or []:
        _require(0 <= entry.buffer < buffers, "metadata have no buffer")
    for code in model.operatorCodes:
        (code.customCode or b"").decode()
        _require(code.customCode or code.builtinCode in BUILTIN_NAMES, "an operator is of an unknown type")
    lists = [(graph.inputs, 0), (graph.outputs, 0)]
    for operator in graph.operators:
        _require(0 <= operator.opcodeIndex < codes, "an operator is of an unknown type")
        lists += [(operator.inputs, -1), (operator.outputs, 0), (operator.intermediates, -1)]
        operator.inputs = _or_empty(operator.inputs)
        operator.outputs = _or_empty(operator.outputs)
    graph.inputs, graph.outputs = _or_empty(graph.inputs), _or_empty(graph.outputs)
    for indices, least in lists:
        if indices is not None and len(indices):
            _require(
                least <= min(indices) and max(indices) < tensors, "an operator refers to a tensor that is not there"
            )


def _or_empty(indices):
    return np.zeros(0, np.int32) if indices is None else indices


def _custom_operators(content):
    _require(is_tflite(content), "it does not begin like one")
    model, size = Model.GetRootAsModel(content, 0), len(content)
    counts = {
        "subgraphs": model.SubgraphsLength(),
        "buffers": model.BuffersLength(),
        "types of operators": model.OperatorCodesLength(),
    }
    for name, count in counts.items():
        _require_count(count, name, size)
    _require(model.SubgraphsLength(), "it has no graph")
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        _require_count(graph.OperatorsLength(), "operators", size)
    # Constants are most of a file and mostly at its end: where they are all there, nothing has been cut off.
    for buffer in map(model.Buffers, range(model.BuffersLength())):
        end = buffer.Offset() + buffer.Size() if buffer.Offset() > 1 else 0
        try:
            buffer.DataAsNumpy()
        except ValueError:
            end = size + 1
        _require(end <= size, f"it ends after {size:,} bytes, in the middle of its data")
    names, length = set(), 0
    for code in map(model.OperatorCodes, range(model.OperatorCodesLength())):
        encoded = code.CustomCode() or b""
        length += len(encoded)
        _require(length <= size, "its names overlap")
        names.add(encoded.decode())
    return names - {""}


def _has_int4(content):
    _require(is_tflite(content), "it does not begin like one")
    model, size = Model.GetRootAsModel(content, 0), len(content)
    _require_count(model.SubgraphsLength(), "subgraphs", size)
    count = 0
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        count += graph.TensorsLength()
        _require_count(count, "tensors", size)
        if any(graph.Tensors(index).Type() == TensorType.INT4 for index in range(graph.TensorsLength())):
            return True
    return False
