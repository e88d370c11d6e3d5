"""What can go wrong with a user's files; every message is one line that names the file or layer and the remedy."""


class ConversionError(ValueError):
    """The model cannot be converted to an exact file. Nothing has been written."""


class VerificationError(ConversionError):
    """The converted file does not do what the Keras model does. It has not been written.

    Attributes:
        result: The `converter.ConversionResult` with everything that was found.
    """

    def __init__(self, message: str, result):
        super().__init__(message)
        self.result = result


class PredictionError(ValueError):
    """A model, an image or a file of labels cannot be used for predictions."""
