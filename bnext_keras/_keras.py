"""The one place that binds ``tf.keras`` to Keras 2.

Larq and Larq Compute Engine are written for Keras 2, which lives on as the ``tf_keras`` package. TensorFlow decides
between Keras 2 and Keras 3 once, from the environment variable ``TF_USE_LEGACY_KERAS``, when it is imported. So that
users need not know, importing `bnext_keras` sets that variable first; where TensorFlow was faster, nothing can be
repaired any more and a clear error is all that is left.
"""

import os
import sys

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
