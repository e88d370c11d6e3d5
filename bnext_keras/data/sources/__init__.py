"""Where examples come from: folders, TFRecords, `tensorflow-datasets`, CIFAR's files, arrays in memory."""

from bnext_keras.data.sources.arrays import from_arrays
from bnext_keras.data.sources.cifar import from_cifar, is_cifar
from bnext_keras.data.sources.folder import from_folder
from bnext_keras.data.sources.tfds import from_tfds
from bnext_keras.data.sources.tfrecords import from_tfrecords

__all__ = ["from_arrays", "from_cifar", "from_folder", "from_tfds", "from_tfrecords", "is_cifar"]
