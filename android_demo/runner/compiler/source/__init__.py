"""Reads a ``.tflite`` file into a `Network`: one function for each type of operator. Others are refused by name.

``reader``         what all of them share
``elements``       operators on single elements, means, signs
``convolutions``   convolutions, dense layers, pooling
``shapes``         what only moves elements
``constants``      weights that are stored in fewer bits
"""

from bnext_keras.errors import ConversionError

from android_demo.runner.compiler.network import Network
from android_demo.runner.compiler.source import constants, convolutions, elements, shapes
from android_demo.runner.compiler.source.reader import Misfit, Reader, UnsupportedOperator
from converter.tflite.flatbuffer import Flatbuffer

__all__ = ["UnsupportedOperator", "read"]

_TRANSLATIONS = {
    **elements.TRANSLATIONS,
    **convolutions.TRANSLATIONS,
    **shapes.TRANSLATIONS,
    **constants.TRANSLATIONS,
}
#: Operators that take tensors of any shape, even such as are no map of one image.
_ANY_SHAPE = {"RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "FILL", "DEQUANTIZE"}
#: Operators whose results are signs, in words of 32 bits.
_OF_SIGNS = {"LceQuantize", "LceBconv2d", "LceBMaxPool2d"}


def read(content: bytes | Flatbuffer) -> Network:
    """The network of a file of batch size one.

    Raises:
        ConversionError: if the file is damaged.
        UnsupportedOperator: if it has an operator, or a form of one, that the engine does not have.
    """
    reader = Reader(content if isinstance(content, Flatbuffer) else Flatbuffer(content))
    inputs = reader.open_inputs()
    for operation in reader.file.operations:
        translate = _TRANSLATIONS.get(operation.type)
        if translate is None:
            reader.refuse(operation, "the engine has no such operator")
        _check_tensors(reader, operation)
        try:
            translate(reader, operation, reader.file.options(operation))
        except ConversionError:
            raise
        except Misfit as error:
            reader.refuse(operation, str(error))
        except (KeyError, IndexError, ValueError, AttributeError, TypeError, ArithmeticError):
            reader.refuse(operation, "its tensors do not fit together")
    return reader.network(inputs)


def _check_tensors(reader, operation):
    computed = [index for index in operation.inputs if index in reader.values]
    if operation.type not in _ANY_SHAPE:
        for index in (*computed, *operation.outputs):
            reader.require(reader.is_map(index), operation, f"it is of a batch, of shape {reader.file.shape(index)}")
    for index in operation.outputs if operation.type != "FILL" else ():
        found = reader.file.type(index)
        fits = found == "FLOAT32" or (found == "INT32" and operation.type in _OF_SIGNS)
        reader.require(fits, operation, f"its result is {found}, not float")
