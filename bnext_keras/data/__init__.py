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

from bnext_keras.data.augment import Augmentation, RandAugment
from bnext_keras.data.broken import BrokenImages
from bnext_keras.data.examples import Examples
from bnext_keras.data.pipeline import evaluation_data, steps_per_epoch, training_data
from bnext_keras.data.sources import from_arrays, from_cifar, from_folder, from_tfds, from_tfrecords
from bnext_keras.errors import LabelError
from bnext_keras.preprocessing import Normalization

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
