"""Turns a trained Larq model into a verified ``.tflite`` file for Larq Compute Engine (LCE).

>>> import bnext_keras
>>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
>>> result = bnext_keras.convert(model)
>>> sorted(result.binary_convs)
['block1_1x1a_conv', 'block1_1x1b_conv', 'block1_3x3_conv']
>>> result.operators["LceBconv2d"], result.verification.top1_agreement
(3, 1.0)

On the command line: ``bnext-convert model.h5``. A model walks through the rooms `source`, `graph`, `passes`,
`compiler`, `tflite`, `verification` and `quantization`; `advice`, `inspection` and `report` tell about it, and
`predict` runs the result, and `evaluation` measures its accuracy.
"""

import importlib

import bnext_keras  # noqa: F401  binds tf.keras to Keras 2 before anything here imports TensorFlow
from bnext_keras.errors import ConversionError, VerificationError

__all__ = ["ConversionError", "ConversionResult", "VerificationError", "convert", "evaluate"]


def __getattr__(name):
    # TensorFlow takes seconds to import; the command line must answer `--help` and usage errors without it.
    if name == "convert":
        return importlib.import_module("converter.conversion").convert
    if name == "evaluate":
        return importlib.import_module("converter.evaluation.evaluate").evaluate
    if name == "ConversionResult":
        return importlib.import_module("converter.result").ConversionResult
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
