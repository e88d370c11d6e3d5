"""The one reader and writer of ``.tflite`` files."""
