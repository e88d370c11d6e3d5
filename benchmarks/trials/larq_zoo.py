"""Installs the extra ``zoo`` in a fresh virtual environment, and converts a network of Larq Zoo's there.

    python benchmarks/trials/larq_zoo.py

downloads some 700 MB. There it builds Larq Zoo's QuickNetSmall, gives its weights to ours, converts it, and prints how
far answers differ: ours from theirs, and the file's from Keras. (Weights are random: now and then rounding turns a
sign.)
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import bnext_keras
import larq_zoo
import numpy as np
import tensorflow as tf
from importlib.metadata import version

tf.keras.utils.set_random_seed(0)
theirs = larq_zoo.sota.QuickNetSmall(weights=None)
ours = bnext_keras.zoo.QuickNetSmall()
ours.set_weights(theirs.get_weights())
images = np.random.default_rng(0).normal(size=(2, 224, 224, 3)).astype(np.float32)
answers, softmax = theirs.predict(images, verbose=0), tf.nn.softmax(ours.predict(images, verbose=0))
result = bnext_keras.convert(theirs, "quicknet_small.tflite")
print(*(f"{name} {version(name)}" for name in ("larq-zoo", "tensorflow", "protobuf")), sep=", ")
print(f"our QuickNetSmall, with its weights: probabilities within {np.abs(answers - softmax).max():.1e}")
checked = result.verification
print(f"its file: {result.size:,} bytes, within {checked.max_difference_same_signs:.1e} of Keras where signs are equal")
"""


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "venv/bin/python")
        for command in (
            [sys.executable, "-m", "venv", "venv"],
            # The pip that old Pythons bring tries versions for longer than anybody waits.
            [python, "-m", "pip", "install", "--quiet", "--upgrade", "pip"],
            [python, "-m", "pip", "install", "--quiet", f"{ROOT}[zoo]"],
            [python, "-m", "pip", "check"],
            [python, "-c", PROGRAM],
        ):
            subprocess.run(command, cwd=folder, env=environment, check=True)


if __name__ == "__main__":
    main()
