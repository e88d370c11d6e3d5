"""What tests of passes share: models with random weights, and the proof that a rewrite is one."""

import numpy as np
import tensorflow as tf

from converter.compiler.emit import run
from converter.compiler.trace import trace
from converter.passes import simplify


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
