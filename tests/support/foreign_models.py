"""Files of models as somebody would craft them who wants to run code, or to read files, where they are loaded."""

import json
import zipfile

import h5py
import tensorflow as tf


def configuration(path, change):
    """Rewrites the configuration of a ``.keras`` file, an ``.h5`` file or a SavedModel folder.

    Args:
        path: The file.
        change: Takes the configuration, which it changes in place.
    """
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(entries["config.json"])
        change(config)
        entries["config.json"] = json.dumps(config).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
    elif path.is_dir():
        from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

        file = path / "keras_metadata.pb"
        metadata = SavedMetadata.FromString(file.read_bytes())
        for node in metadata.nodes:
            if node.node_id == 0:
                config = json.loads(node.metadata)
                change(config)
                node.metadata = json.dumps(config)
        file.write_bytes(metadata.SerializeToString())
    else:
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            change(config)
            file.attrs["model_config"] = json.dumps(config)


def network():
    """A small network with one layer of each kind that crafted files change: an operation, a dense layer."""
    image = x = tf.keras.Input((4,), name="image")
    x = tf.nn.relu(x)
    x = tf.keras.layers.Dense(3, activation="relu", kernel_regularizer="l2", name="dense")(x)
    return tf.keras.Model(image, x, name="net")


def layer(config, kind):
    """The entry of the last layer of a class in a configuration."""
    return next(entry for entry in reversed(config["config"]["layers"]) if entry["class_name"] == kind)
