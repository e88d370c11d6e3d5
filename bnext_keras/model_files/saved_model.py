"""SavedModel folders: networks that are built anew from their configuration, so that no graph of the file ever runs.

A SavedModel is a program. Its functions may hold any operation of TensorFlow, and loading alone runs some of them; a
list of those that are harmless would have to know each of some 1,500 operations, and one of those that are not would
miss the next. But Keras writes the network's configuration beside the graph, and its weights into a checkpoint; they
are all that is read here.
"""

from pathlib import Path
from typing import Any

from bnext_keras.errors import FileError, UntrustedFileError
from bnext_keras.model_files import configuration

import tensorflow as tf

_MODELS = ("_tf_keras_network", "_tf_keras_sequential", "_tf_keras_model")
#: Bytes of the file that holds the configurations of all layers.
MAX_METADATA = 256 * 2**20


def read_config(folder: Path) -> Any:
    """The configuration of the model in a SavedModel folder, not yet checked.

    Raises:
        FileError: if there is none.
    """
    from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

    where = folder / "keras_metadata.pb"
    for file in (folder, *folder.rglob("*")) if not folder.is_symlink() else folder.rglob("*"):
        if file.is_symlink():
            raise UntrustedFileError(
                f"'{file.name}' is a link, and may lead to any file", where=str(folder), remedy="copy what it leads to"
            )
    if not where.is_file() or where.stat().st_size > MAX_METADATA:
        raise UntrustedFileError(
            "not readable as a Keras model (it has no configuration of Keras, keras_metadata.pb)",
            where=str(folder),
            remedy="save it with model.save(); or use --trust (trusted=True), if you made it yourself",
        )
    try:
        nodes = SavedMetadata.FromString(where.read_bytes()).nodes
    except Exception as error:  # protobuf's own, which differs between its versions
        raise FileError(f"not readable as a Keras model ({error})", where=str(folder)) from error
    root = next((node for node in nodes if node.node_id == 0 and node.identifier in _MODELS), None)
    if root is None:
        raise FileError("a SavedModel, but not of a Keras model; save it with model.save()", where=str(folder))
    metadata = configuration.parse(root.metadata)
    if not isinstance(metadata, dict) or not isinstance(metadata.get("config"), dict):
        raise FileError("not readable as a Keras model (its configuration is empty)", where=str(folder))
    if not metadata["config"].get("layers"):
        raise UntrustedFileError(
            f"its class {metadata.get('class_name')!r:.80} is not built of layers that it lists",
            where=str(folder),
            remedy="if you made it yourself, use --trust (trusted=True)",
        )
    return {"class_name": metadata.get("class_name"), "config": metadata["config"]}


def decode(value: Any) -> Any:
    """A checked configuration with the values that JSON does not have.

    >>> decode({"shape": {"class_name": "__tuple__", "items": [None, 8]}})
    {'shape': (None, 8)}
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("__tuple__", "TensorShape"):
        return tuple(decode(item) for item in value["items"])
    if value.get("class_name") == "__ellipsis__":
        return ...
    return {key: decode(item) for key, item in value.items()}


def load_weights(model: tf.keras.Model, folder: Path) -> None:
    """Sets a model's weights from a SavedModel's checkpoint.

    Raises:
        AssertionError: from TensorFlow, if the checkpoint lacks any of them.
    """
    status = model.load_weights(str(folder / "variables" / "variables"))
    status.assert_existing_objects_matched()
    status.expect_partial()
