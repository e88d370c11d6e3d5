"""Published weights, as arrays, into this project's Keras models."""

from bnext_keras.errors import StateDictError
from bnext_keras.importers.bnext import load_bnext_state_dict
from bnext_keras.importers.checkpoint import CheckpointError, read_checkpoint
from bnext_keras.importers.larq_zoo import import_larq_zoo, import_meliusnet22, load_larq_zoo_weights
from bnext_keras.importers.meliusnet import load_meliusnet_state_dict
from bnext_keras.importers.released import import_bnext
from bnext_keras.importers.released_zoo import import_zoo
from bnext_keras.importers.zoo import (
    load_birealnet_state_dict,
    load_boolnet_state_dict,
    load_groupnet_state_dict,
    load_reactnet_state_dict,
)

__all__ = [
    "CheckpointError",
    "StateDictError",
    "import_bnext",
    "import_larq_zoo",
    "import_meliusnet22",
    "import_zoo",
    "load_birealnet_state_dict",
    "load_bnext_state_dict",
    "load_boolnet_state_dict",
    "load_groupnet_state_dict",
    "load_larq_zoo_weights",
    "load_meliusnet_state_dict",
    "load_reactnet_state_dict",
    "read_checkpoint",
]
