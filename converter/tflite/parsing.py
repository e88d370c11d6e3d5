"""Reads the bytes of ``.tflite`` files that anybody may have made.

The generated code trusts a flatbuffer: a damaged one sends it astray, and one that was made for it keeps it busy
forever, with a million entries of a list that are all the same long list. So counts and lengths are looked at before
anything is unpacked, and references between parts after it.
"""

from bnext_keras.errors import ConversionError

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

IDENTIFIER = b"TFL3"
#: More operators, tensors or buffers than any network has.
MAX_PARTS = 100_000


def parse(content: bytes) -> schema.ModelT:
    """Unpacks a file of one subgraph.

    Raises:
        ConversionError: if it is none, or damaged; nothing else for any bytes whatever.
    """
    try:
        return _parse(content)
    except MemoryError:
        raise
    # Whatever struct, numpy or a decoder raise where a number does not fit.
    except Exception as error:
        reason = str(error) if isinstance(error, _Damage) else "its parts do not fit together"
        raise ConversionError(f"not a .tflite file, or a truncated one ({reason})") from error


class _Damage(Exception):
    pass


def _require(condition, reason):
    if not condition:
        raise _Damage(reason)


def _parse(content):
    _require(content[4:8] == IDENTIFIER, "it does not begin like one")
    lazy = schema.Model.GetRootAsModel(content, 0)
    _check_sizes(lazy, len(content))
    model = schema.ModelT.InitFromObj(lazy)
    for buffer in model.buffers:
        # Newer tools put constants behind the tables, 0 and 1 being no places.
        if buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    total = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    _require(total <= len(content), "its constants overlap")
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
        _require(count <= min(MAX_PARTS, size // 4), f"it has {count} {name}")
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
        _require(tensor.type in vars(schema.TensorType).values(), "a tensor is of an unknown type")
    for entry in model.metadata or []:
        _require(0 <= entry.buffer < buffers, "metadata have no buffer")
    for code in model.operatorCodes:
        (code.customCode or b"").decode()
        known = bool(code.customCode) or code.builtinCode in vars(schema.BuiltinOperator).values()
        _require(known, "an operator is of an unknown type")
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
