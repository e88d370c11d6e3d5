"""The one place that binds ``tf.keras`` to Keras 2.

Larq and Larq Compute Engine are written for Keras 2, which lives on as the ``tf_keras`` package. TensorFlow decides
between Keras 2 and Keras 3 once, from the environment variable ``TF_USE_LEGACY_KERAS``, when it is imported. So that
users need not know, importing `bnext_keras` sets that variable first; where TensorFlow was faster, nothing can be
repaired any more and a clear error is all that is left.
"""

import os
import sys

_ADVICE = """\
TensorFlow was imported before bnext_keras and has bound tf.keras to Keras {version}, but Larq needs Keras 2.
Do one of these:
  - import bnext_keras before tensorflow (and before anything that imports tensorflow), or
  - set the environment variable TF_USE_LEGACY_KERAS=1 before starting Python:  TF_USE_LEGACY_KERAS=1 python ..."""


def use_legacy_keras() -> None:
    """Binds ``tf.keras`` to Keras 2 for this process.

    Raises:
        ImportError: if TensorFlow was already imported with Keras 3, or if ``tf_keras`` is not installed.
    """
    if "tensorflow" not in sys.modules:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf

    if not tf.keras.Model.__module__.startswith("tf_keras."):
        raise ImportError(_ADVICE.format(version=getattr(tf.keras, "__version__", "3")))
