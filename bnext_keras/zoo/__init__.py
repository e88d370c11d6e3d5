"""The networks that BNext is compared with: binary networks of other papers, a file for each.

>>> import bnext_keras
>>> model = bnext_keras.zoo.QuickNetSmall(input_shape=(32, 32, 3), num_classes=10)
>>> model.output_shape
(None, 10)

They are built as `bnext_keras.models` builds its own: functional Keras models of Larq layers that return logits, ready
to be trained, counted, converted and measured. Every function takes the
keyword arguments of `tf.keras.applications`, which `help` shows (`bnext_keras.models.constructor.Options`).
``num_classes`` is 1000 by default, and with so many the network is for ``"imagenet"``.

Networks of Larq Zoo have its names and, layer by layer, its order of weights. What exists only by a paper's description
says so. A file is imported when one of its networks is first named.
"""

import importlib
from typing import Any

#: The networks of each file.
FILES = {
    "abcnet": ("ABCResNet18", "ABCResNet34"),
    "binary_densenet": (
        "BinaryDenseNet28",
        "BinaryDenseNet37",
        "BinaryDenseNet37Dilated",
        "BinaryDenseNet45",
        "BinaryResNetE18",
    ),
    "birealnet": ("BiRealNet", "BiRealNet18", "BiRealNet34", "BiRealNet50", "BiRealNet152"),
    "bnn": ("BinaryAlexNet", "BinaryNet", "LarqBinaryNet"),
    "boolnet": ("BaseNet", "BoolNet", "BoolNetStar"),
    "dlrm": ("BinaryDLRM",),
    "dorefanet": ("DoReFaNet",),
    "groupnet": ("GroupNet18",),
    "pokebnn": ("PokeBNN",),
    "quicknet": ("QuickNetSmall", "QuickNet", "QuickNetLarge"),
    "reactnet": ("ReActNetA", "ReActNetB", "ReActNetC", "ReActResNet18"),
    "real_to_binary": ("RealToBinaryNet",),
    "wrpn": ("WRPNResNet18", "WRPNResNet34"),
    "xnornet": ("XNORNet", "XNORResNet18"),
}

_FILE_OF = {network: file for file, networks in FILES.items() for network in networks}

__all__ = ["FILES", *sorted(_FILE_OF)]


def __getattr__(name: str) -> Any:
    if name in _FILE_OF:
        return getattr(importlib.import_module(f"bnext_keras.zoo.{_FILE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
