"""Binary neural networks, BNext and MeliusNet, as Larq quantized Keras models.

Importing this package makes ``tf.keras`` the legacy Keras 2 that Larq needs, so import it before TensorFlow:

>>> import bnext_keras
>>> model = bnext_keras.models.BNextTiny(input_shape=(32, 32, 3), num_classes=10)
>>> model.output_shape
(None, 10)

Its rooms are imported when they are first named, and those that need no TensorFlow do not start it. ``convert`` makes
a ``.tflite`` file of a model, ``evaluate`` measures its accuracy, and ``benchmark`` its time on devices; they are the
packages ``converter`` and ``android_demo``, by names that nobody else uses.
"""

import importlib
from typing import Any

from bnext_keras._keras import register_with_keras, use_legacy_keras
from bnext_keras._version import __version__

use_legacy_keras()
register_with_keras()

_ROOMS = (
    "analysis",
    "annotations",
    "backbones",
    "callbacks",
    "cards",
    "charts",
    "classes",
    "comparison",
    "console",
    "constraints",
    "data",
    "dense_prediction",
    "energy",
    "errors",
    "extras",
    "files",
    "freezing",
    "heads",
    "image_files",
    "importers",
    "labels",
    "layer_graph",
    "layers",
    "model_files",
    "logs",
    "models",
    "networks",
    "optimizers",
    "orientation",
    "patching",
    "preprocessing",
    "quantizers",
    "recalibration",
    "recipes",
    "roles",
    "runs",
    "saving",
    "schedules",
    "structure",
    "summary",
    "teachers",
    "text",
    "training",
    "weight_bits",
    "zoo",
)
# The other two packages stand on this one, which imports neither: it only shows the way.
_ELSEWHERE = {
    "benchmark": ("android_demo", None),
    "convert": ("converter", "convert"),
    "evaluate": ("converter", "evaluate"),
    "features": ("bnext_keras.backbones", "features"),
    "quantize_weights": ("bnext_keras.weight_bits", "quantize_weights"),
}

__all__ = ["__version__", *_ELSEWHERE, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"bnext_keras.{name}")
    if name in _ELSEWHERE:
        package, attribute = _ELSEWHERE[name]
        module = importlib.import_module(package)
        return module if attribute is None else getattr(module, attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # Names that this file needs itself are nothing to complete.
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
