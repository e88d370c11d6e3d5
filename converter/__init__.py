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

#: Where the names live that are imported when they are first used: TensorFlow takes seconds to import, and the command
#: line must answer `--help` and usage errors without it.
_HOMES = {
    "ConversionResult": "converter.result",
    "advise": "converter.advice",
    "convert": "converter.conversion",
    "evaluate": "converter.evaluation.evaluate",
    "load_classifier": "converter.predict.classifier",
    "profile": "converter.inspection.profile",
    "profile_engine": "converter.inspection.engine",
    "read_metadata": "converter.tflite.metadata",
    "render_html": "converter.report.html",
}

__all__ = ["ConversionError", "VerificationError", *_HOMES]


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
