"""The one place that binds ``tf.keras`` to Keras 2, and makes it know the layers of this package.

Larq and Larq Compute Engine are written for Keras 2, which lives on as the ``tf_keras`` package. TensorFlow decides
between Keras 2 and Keras 3 once, from the environment variable ``TF_USE_LEGACY_KERAS``, when it is imported. So that
users need not know, importing `bnext_keras` sets that variable first; where TensorFlow was faster, nothing can be
repaired any more and a clear error is all that is left.
"""

import importlib
import os
import sys
from importlib.machinery import PathFinder

_ADVICE = """\
{culprit} imported before bnext_keras and has bound tf.keras to Keras {version}, but Larq needs Keras 2.
Do one of these:
  - import bnext_keras before tensorflow and larq (and before anything that imports them); in a notebook: restart the
    kernel first, or
  - set the environment variable TF_USE_LEGACY_KERAS=1 before starting Python:  TF_USE_LEGACY_KERAS=1 python ..."""


def use_legacy_keras() -> None:
    """Binds ``tf.keras`` to Keras 2 for this process, without importing TensorFlow.

    Raises:
        ImportError: if TensorFlow was already imported with Keras 3, by Larq perhaps, whose own import then failed.
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
    elif not tensorflow.keras.Model.__module__.startswith("tf_keras."):
        larq_failed = any(name.startswith("larq") for name in sys.modules)
        culprit = "Larq, and with it TensorFlow, was" if larq_failed else "TensorFlow was"
        raise ImportError(_ADVICE.format(culprit=culprit, version=getattr(tensorflow.keras, "__version__", "3")))


#: The rooms whose classes Keras finds by their names in saved models. None imports a room that is not among them but
#: for helpers: they are imported at a moment that is not theirs.
_REGISTERING = ("annotations", "constraints", "layers", "optimizers", "orientation", "quantizers")
_MODULES = ("tf_keras", "larq", *(f"bnext_keras.{room}" for room in _REGISTERING))


def register_with_keras() -> None:
    """Makes Keras know this package's and Larq's layers as soon as there is a Keras, so that any model loads.

    After ``import bnext_keras``, ``tf.keras.models.load_model`` needs no ``custom_objects``, though that import starts
    neither TensorFlow nor Larq.
    """
    if "tf_keras" in sys.modules:
        _import_registering()
    else:
        sys.meta_path.insert(0, _Registering())


class _Registering:
    """Finds the modules of `_MODULES` as Python does, and imports the rooms that register when one is complete.

    The package wrapt does the like, but importing it takes 0.1 s: twice what ``--help`` takes.
    """

    def __init__(self):
        self._under_way = set()

    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target) if name in _MODULES else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_register(module):
            self._under_way.add(name)
            try:
                execute(module)
            finally:
                self._under_way.discard(name)
            # Larq imports Keras, and the rooms import both, before they are complete: the outermost of them ends last.
            if not self._under_way:
                _import_registering()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def _import_registering():
    for room in _REGISTERING:
        importlib.import_module(f"bnext_keras.{room}")
