"""Every error that a user sees, from one root that knows its exit status.

A command prints a `UserError` as one line and ends with its ``exit_code``; from Python it is an exception like any
other. Whoever raises one says where the fault is (a file, a layer, an option), what it is, and what to do about it:

>>> error = UserError("holds weights without an architecture", where="bnext.h5", remedy="name it with --model")
>>> str(error)
'bnext.h5: holds weights without an architecture; name it with --model'

Nothing heavy is imported here, least of all TensorFlow: commands refuse bad input before they start it.
"""

from typing import Any


class UserError(Exception):
    """Something that a user can mend: a file, a model, a setting, a device.

    Args:
        what: The fault, or the whole sentence.
        where: The file, layer, option or device that has it.
        remedy: What to do.

    Attributes:
        exit_code: Status with which a command ends.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", remedy: str = ""):
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__((f"{where}: " if where else "") + what + (f"; {remedy}" if remedy else ""))


class FileError(UserError, OSError):
    """A file is missing, cannot be read or cannot be written. What was there before is untouched."""

    __str__ = Exception.__str__  # OSError's own would look for an errno.


class UntrustedFileError(FileError):
    """A model's file wants more than to be read: code of its own, or other files. Nothing in it has been run."""


class StateDictError(UserError, ValueError):
    """Tensors do not fit the network that they are imported into; the message lists what is amiss."""


class CheckpointError(UserError, ValueError):
    """A checkpoint cannot be read, or is none. Nothing in it has been run."""


class LabelError(UserError, ValueError):
    """An example's label is none of the data set's classes."""


class RecipeError(UserError, ValueError):
    """A recipe or one of its settings cannot be used."""


class RunError(UserError, RuntimeError):
    """A training run cannot begin or go on. What it has written stays."""


class ConversionError(UserError, ValueError):
    """The model cannot be converted to an exact file. Nothing has been written."""


class VerificationError(ConversionError):
    """The converted file does not do what the Keras model does. It has not been written.

    Attributes:
        result: The `converter.ConversionResult` with everything that was found.
    """

    exit_code = 1

    def __init__(self, message: str, result: Any):
        super().__init__(message)
        self.result = result


class PredictionError(UserError, ValueError):
    """A model, an image or a file of labels cannot be used for predictions."""


class BenchmarkError(UserError):
    """A model, a tool, a device or a file of results cannot be used. What was measured before is kept."""


class DeviceError(BenchmarkError):
    """One device cannot do what was asked: not there, not authorized, full. Others may go on."""


class DeviceLost(DeviceError):
    """The connection to a device broke, or it does not answer any more."""
