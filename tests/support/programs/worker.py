"""One process of a distributed run, which also writes its own weights: ``worker.py WEIGHTS.npz ARGUMENTS``.

With ``--strategy mirrored`` it has two devices, made of its CPU.
"""

import sys

from bnext_keras.cli.train import main
from bnext_keras.training.checkpoint import Checkpoints

import numpy as np
import tensorflow as tf


def on_train_end(checkpoints, logs=None):
    weights = {weight.name.replace("/", " "): weight.numpy() for weight in checkpoints.model.weights}
    np.savez(sys.argv[1], **weights)


Checkpoints.on_train_end = on_train_end
if "mirrored" in sys.argv:
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
sys.exit(main(sys.argv[2:]))
