"""TFLite's tables as Python classes, without TensorFlow.

TensorFlow's build generates them from ``schema.fbs`` into one file that needs flatbuffers and NumPy alone. Importing it
by its name, ``tensorflow.lite.python.schema_py_generated``, would start TensorFlow first: seconds, for somebody who
only wants to know which operators a file has. So it is loaded by its path, under a name of this package, and a
TensorFlow that is imported later neither finds it nor misses it.

Two packages offer the classes, too: ``tflite`` without those that can be changed and written again (``ModelT``),
``ai-edge-litert`` with 59 MB of another interpreter.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

_NAME = f"{__package__}._generated_schema"
_FILE = "lite/python/schema_py_generated.py"


def file() -> Path:
    """TensorFlow's generated file.

    Raises:
        ImportError: if TensorFlow is not installed.
    """
    # Unlike that of a submodule, the spec of a package is found without importing anything.
    tensorflow = importlib.util.find_spec("tensorflow")
    folders = tensorflow.submodule_search_locations if tensorflow else None
    path = next((file for folder in folders or () if (file := Path(folder, _FILE)).is_file()), None)
    if path is None:
        raise ImportError(f"TensorFlow is not installed, or without {_FILE}")
    return path


def _load() -> ModuleType:
    # Whoever runs this file a second time, under another name as pytest does, gets the same classes.
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    # A distribution for machines without TensorFlow brings the file along, under this name.
    if importlib.util.find_spec(_NAME):
        return importlib.import_module(_NAME)
    spec = importlib.util.spec_from_file_location(_NAME, file())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return sys.modules.setdefault(_NAME, module)


if TYPE_CHECKING:
    from tensorflow.lite.python.schema_py_generated import (
        ActivationFunctionType,
        BufferT,
        BuiltinOperator,
        BuiltinOptions,
        MetadataT,
        Model,
        ModelT,
        OperatorCodeT,
        OperatorT,
        Padding,
        QuantizationParametersT,
        SignatureDefT,
        SubGraphT,
        TensorMapT,
        TensorT,
        TensorType,
    )
else:
    _generated = _load()
    #: Tables as they lie in a file, read where they are; and those that are unpacked, with a T.
    Model = _generated.Model
    ModelT, SubGraphT, OperatorT = _generated.ModelT, _generated.SubGraphT, _generated.OperatorT
    TensorT, QuantizationParametersT = _generated.TensorT, _generated.QuantizationParametersT
    BufferT, MetadataT, OperatorCodeT = _generated.BufferT, _generated.MetadataT, _generated.OperatorCodeT
    SignatureDefT, TensorMapT = _generated.SignatureDefT, _generated.TensorMapT
    #: Enumerations.
    BuiltinOperator, TensorType = _generated.BuiltinOperator, _generated.TensorType
    ActivationFunctionType, Padding = _generated.ActivationFunctionType, _generated.Padding
    BuiltinOptions = _generated.BuiltinOptions


def options_of(name: str) -> Any:
    """An empty table of an operator's options, such as that of ``"Conv2DOptions"``."""
    return getattr(_load(), f"{name}T")()


def _names(enumeration):
    return {number: name for name, number in vars(enumeration).items() if not name.startswith("_")}


#: TFLite's names of operators and of types of tensors by their numbers.
BUILTIN_NAMES: dict[int, str] = _names(BuiltinOperator)
TENSOR_TYPES: dict[int, str] = _names(TensorType)
