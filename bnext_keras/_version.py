"""The version alone, so that building a package need not import TensorFlow."""

__version__ = "0.1.0"
