"""Keras models from files that may be anybody's.

A Keras file is a program: a `Lambda` layer brings its code, a ``.keras`` file names any function of any module, and a
SavedModel is a graph whose operations read and write files. Here a file is **read**, unless its maker is trusted:

- What the network is made of is looked at before anything is built. It may name layers, functions, initializers and
  the like of Keras, of Larq and of this package, what this process has registered with Keras
  (``register_keras_serializable``, ``custom_objects``), and those of TensorFlow's operations that only compute
  (`bnext_keras.model_files.known`). Anything else is refused by name, with its place.
- Of a SavedModel, the configuration and the weights are read. None of its graphs is run or even loaded
  (`bnext_keras.model_files.saved_model`).
- Weights come out of the file itself: HDF5 files that take them from other files are refused
  (`bnext_keras.model_files.hdf5`), trusted or not, and so are files that unpack to far more than they hold.
- Losses, metrics and optimizers are not built.

What is **not** promised: that a network is small or fast (a layer of a billion units takes the memory that it takes),
that its answers are good, or that TensorFlow, HDF5 and zlib have no faults of their own in reading numbers.

``trusted=True``, ``--trust`` on command lines, loads whatever Keras can load, code included: for files of one's own.
"""

import re
from pathlib import Path

from bnext_keras.errors import FileError
from bnext_keras.model_files import archive, configuration, saved_model
from bnext_keras.model_files.hdf5 import check_hdf5, open_hdf5
from bnext_keras.text import first_line

import tensorflow as tf

#: How Keras says that it does not know a layer's class, and Larq that it does not know a quantizer.
_UNKNOWN_CLASS = (
    "Unknown layer",
    "Could not locate class",
    "Cannot deserialize object of type",
    # Of a class in a .keras file that it cannot find, Keras 2 hands the name on: to Sequential, or to be called.
    "The added layer must be an instance of class Layer",
    "'str' object is not callable",
    "Unknown quantization",
)
#: The class's name in those of these messages that have it.
_NAME = re.compile(r"layer=(\S+) of type|['`]([^'`]+)['`](?! object)")

__all__ = ["check_hdf5", "load_model", "open_hdf5"]


def load_model(path: str | Path, *, trusted: bool = False) -> tf.keras.Model:
    """Loads a model for inference, without running anything that its file brings.

    Args:
        path: A ``.keras`` file, a SavedModel folder, or an HDF5 file of any other name.
        trusted: Whether whoever made the file may run code here.

    Raises:
        bnext_keras.errors.UntrustedFileError: if the file names what is not known to be harmless.
        FileError: if it cannot be read as a Keras model.

    Example:
        >>> import bnext_keras, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "model.h5")
        >>> tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))]).save(path)
        >>> bnext_keras.model_files.load_model(path).count_params()
        8
    """
    path = Path(path)
    read = _load_folder if path.is_dir() else _load_archive if path.suffix == ".keras" else _load_hdf5
    try:
        model = read(path, trusted)
    except FileError as error:
        if error.where:
            raise
        raise type(error)(error.what, where=str(path), remedy=error.remedy) from error
    # Keras meets what it cannot read with errors of every type, a bare Exception among them.
    except Exception as error:
        raise _explained(error, path) from error
    if not isinstance(model, tf.keras.Model):
        raise FileError("a SavedModel, but not of a Keras model; save it with model.save()", where=str(path))
    return model


def _load_folder(path, trusted):
    if trusted:
        return tf.keras.models.load_model(path, compile=False)
    config = saved_model.read_config(path)
    configuration.check(config)
    model = tf.keras.models.model_from_config(saved_model.decode(config))
    saved_model.load_weights(model, path)
    return model


def _load_archive(path, trusted):
    with archive.open_archive(path) as file:
        if trusted and set(file.namelist()) != set(archive.ENTRIES):
            return tf.keras.models.load_model(path, compile=False, safe_mode=False)
        archive.check_entries(file)
        config = configuration.parse(archive.read_config(file))
        if not trusted:
            configuration.check(config)
        with archive.unpacked_weights(file) as weights:
            check_hdf5(weights)
            model = tf.keras.saving.deserialize_keras_object(
                configuration.without_compilation(config), safe_mode=not trusted
            )
            model.load_weights(weights)
    return model


def _load_hdf5(path, trusted):
    with open_hdf5(path) as file:
        if not trusted:
            configuration.check(configuration.parse(file.attrs["model_config"]))
        # The open file, not its name: by that, Keras would look once more what kind it is.
        return tf.keras.models.load_model(file, compile=False)


def _explained(error, path):
    if any(words in str(error) for words in _UNKNOWN_CLASS):
        # What Keras advises cannot be followed on a command line.
        name = _NAME.search(str(error))
        return FileError(
            f"uses a layer of your own{f', {(name[1] or name[2])!r:.80}' if name else ''}, whose code is not here",
            where=str(path),
            remedy="register it with tf.keras.utils.register_keras_serializable, import its module, and load the file "
            "from Python",
        )
    return FileError(f"not readable as a Keras model ({first_line(error)})", where=str(path))
