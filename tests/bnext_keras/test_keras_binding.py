"""Which Keras tf.keras is, in processes of their own."""

import os
import subprocess
import sys

import pytest
from alike import with_more


def run(program, **environment):
    inherited = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**inherited, **environment}
    )


@pytest.mark.parametrize(
    ("program", "environment"),
    with_more(
        [("import bnext_keras; from tensorflow.keras import Model; print(Model.__module__)", {})],
        [
            ("import tensorflow as tf, bnext_keras; print(tf.keras.Model.__module__)", {"TF_USE_LEGACY_KERAS": "1"}),
            ("from converter import convert; import tensorflow as tf; print(tf.keras.Model.__module__)", {}),
        ],
    ),
)
def test_tf_keras_is_keras_2(program, environment):
    assert run(program, **environment).stdout.startswith("tf_keras.")


def test_importing_after_keras_3_says_what_to_do():
    result = run("import tensorflow as tf; tf.keras; import bnext_keras")
    assert result.returncode == 1
    assert "ImportError: TensorFlow was imported before bnext_keras and has bound tf.keras to Keras 3" in result.stderr
    assert "import bnext_keras before tensorflow" in result.stderr
    assert "in a notebook: restart the" in result.stderr
    assert "kernel first" in result.stderr
    assert "TF_USE_LEGACY_KERAS=1" in result.stderr


def test_importing_after_larq_says_the_same():
    """With Keras 3, Larq's own import fails with an AttributeError that tells nobody what to do."""
    program = """
try:
    import larq
except AttributeError:
    import bnext_keras
"""
    result = run(program)
    assert result.returncode == 1
    assert "ImportError: Larq, and with it TensorFlow, was imported before bnext_keras" in result.stderr
    assert "import bnext_keras before tensorflow and larq" in result.stderr
    assert "in a notebook: restart the" in result.stderr


@pytest.mark.parametrize(
    "program",
    with_more(
        ["import bnext_keras, larq", "import bnext_keras.quantizers"],
        [
            "import bnext_keras, tensorflow as tf; tf.keras.Model",
            "import bnext_keras.optimizers",
            "import bnext_keras.analysis",
        ],
    ),
)
def test_whatever_comes_first_keras_then_knows_all_layers(program):
    """Larq imports Keras, and our rooms import both, while they are being imported themselves."""
    names = """
import tensorflow as tf
print(tf.keras.Model.__module__, *tf.keras.utils.get_custom_objects())
"""
    module, *known = run(program + names).stdout.split()
    assert module.startswith("tf_keras.")
    assert {"bnext_keras>Conv2D", "bnext_keras>Rotate180", "bnext_keras>TwoGroupAdamW", "bnext_keras>UnitInterval"} <= {
        *known
    }
    assert {"FusedSteSign", "AnnealedSign", "QuantConv2D"} <= {*known}
