"""Input pipelines: where examples come from, what happens to them, and the batches that `fit` gets.

>>> import numpy as np
>>> from bnext_keras import data
>>> examples = data.from_arrays(np.zeros((6, 32, 32, 3), np.uint8), labels=[0, 1, 2, 0, 1, 2])
>>> batches = data.training_data(
...     examples,
...     image_size=32,
...     batch_size=3,
...     epochs=10,
...     augmentation=data.Augmentation.cifar(),
...     normalization=data.Normalization.cifar(),
... )
>>> batches.cardinality().numpy() == 10 * data.steps_per_epoch(examples, 3)
True
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bnext_keras.data.augment import Augmentation, RandAugment
    from bnext_keras.data.broken import BrokenImages
    from bnext_keras.data.examples import Examples
    from bnext_keras.data.pipeline import evaluation_data, steps_per_epoch, training_data
    from bnext_keras.data.sources import from_arrays, from_cifar, from_folder, from_tfds, from_tfrecords
    from bnext_keras.errors import LabelError
    from bnext_keras.preprocessing import Normalization

# Nothing is imported before it is named: the processes that prepare images need a few modules of this room, and not
# TensorFlow, which takes seconds to start and hundreds of megabytes in each.
_MODULES = {
    "Augmentation": "bnext_keras.data.augment",
    "BrokenImages": "bnext_keras.data.broken",
    "Examples": "bnext_keras.data.examples",
    "LabelError": "bnext_keras.errors",
    "Normalization": "bnext_keras.preprocessing",
    "RandAugment": "bnext_keras.data.augment",
    "evaluation_data": "bnext_keras.data.pipeline",
    "from_arrays": "bnext_keras.data.sources",
    "from_cifar": "bnext_keras.data.sources",
    "from_folder": "bnext_keras.data.sources",
    "from_tfds": "bnext_keras.data.sources",
    "from_tfrecords": "bnext_keras.data.sources",
    "steps_per_epoch": "bnext_keras.data.pipeline",
    "training_data": "bnext_keras.data.pipeline",
}

__all__ = [
    "Augmentation",
    "BrokenImages",
    "Examples",
    "LabelError",
    "Normalization",
    "RandAugment",
    "evaluation_data",
    "from_arrays",
    "from_cifar",
    "from_folder",
    "from_tfds",
    "from_tfrecords",
    "steps_per_epoch",
    "training_data",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
