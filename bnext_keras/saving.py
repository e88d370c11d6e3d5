"""Keras models as files."""

import warnings

import h5py
import tensorflow as tf


def hdf5(model: tf.keras.Model) -> bytes:
    """The model's ``.h5`` file, made in memory: on a full disk the HDF5 library crashes the whole process."""
    with h5py.File("model.h5", "w", driver="core", backing_store=False) as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
        model.save(file)
        file.flush()
        return file.id.get_file_image()
