"""What tests of passes share: pieces of networks, random weights, and the proof that a rewrite is exact."""

from bnext_keras.layers import BinaryConv2D, LearnableMix

import numpy as np
import tensorflow as tf

from converter.compiler.emit import run
from converter.compiler.trace import trace
from converter.passes import count_operators, simplify

Layers = tf.keras.layers

#: LCE's kernels of binary convolutions, with the options that choose them.
KERNELS = {"default": {}, "indirect": {"use_indirect_bgemm": True}, "reference": {"use_reference_bconv": True}}
#: Bounds of the gammas of a batch normalization.
GAMMAS = {"positive": (0.5, 2), "negative": (-2, -0.5), "mixed": (-2, 2), "zero": (0, 0)}


def randomize(model, *, seed=0, gammas=(0.3, 1.5)):
    """Draws everything that starts as a constant: statistics, biases, slopes, mixes and gammas between these bounds."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        name = weight.name.rpartition("/")[2]
        if name.startswith("gamma"):
            weight.assign(generator.uniform(*gammas, weight.shape))
        elif name.startswith("moving_variance"):
            weight.assign(generator.uniform(0.5, 2, weight.shape))
        elif name.startswith(("beta", "bias", "moving_mean")):
            weight.assign(generator.normal(0, 0.5, weight.shape))
        elif name.startswith(("alpha", "scale")):
            weight.assign(generator.uniform(0.05, 0.95, weight.shape))
    return model


def assert_exact(model, passes, samples=2):
    """Rewrites a model's graph, sees that it computes the same in float64, and returns it."""
    images = np.random.default_rng(1).normal(size=(samples, *model.input_shape[1:]))
    graph = trace(model)
    expected = run(graph, images)
    simplify(graph, passes)
    answers = run(graph, images)
    assert expected.std() > 0
    assert np.abs(answers - expected).max() <= 1e-9 * np.abs(expected).max()
    return graph


def sequential(input_shape, *layers):
    """A model of layers one behind the other."""
    image = x = tf.keras.Input(input_shape)
    for layer in layers:
        x = layer(x)
    return tf.keras.Model(image, x)


def images(channels=8, side=6):
    """The input of a model."""
    return tf.keras.Input((side, side, channels))


def pooled(x):
    """The mean of a map, on 1x1."""
    return Layers.GlobalAveragePooling2D(keepdims=True)(x)


def gated(x, y):
    """y times one factor for each channel, from the mean of a mix."""
    return Layers.Dense(x.shape[-1], activation="sigmoid")(pooled(LearnableMix()([x, y]))) * y


def conv(filters=8, kernel_size=3, **options):
    """A binary convolution with padding."""
    options = {"padding": "same", "kernel_initializer": "glorot_normal", "name": "conv", **options}
    return BinaryConv2D(filters, kernel_size, **options)


def normed(input_shape=(6, 6, 32), *, gammas, **options):
    """A batch normalization before a binary convolution; mixed gammas have zeros among them."""
    model = sequential(input_shape, Layers.BatchNormalization(name="bn"), conv(**options))
    randomize(model, gammas=gammas)
    if gammas == GAMMAS["mixed"]:
        gamma = model.get_layer("bn").gamma
        gamma.assign(np.where(np.arange(gamma.shape[0]) % 5 == 0, 0, gamma))
    return model


def maps(graph):
    """Number of operators on maps of more than one pixel, by type."""
    return count_operators(graph, maps_only=True)
