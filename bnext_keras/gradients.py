"""Custom gradients that end with the graph that they were made for."""

import weakref
from functools import wraps

import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry


def custom_gradient(function):
    """Works as `tf.custom_gradient` does, for functions of one result, but lets go of graphs that nobody needs.

    TensorFlow registers a gradient for each call in a graph and keeps it for as long as the process lives. It has the
    graph's tensors, these the graph, and that the weights which were read in it: of every binary network that was ever
    built. Here the graph itself has the gradient, and the registry only a weak reference.

    Example:
        >>> import tensorflow as tf
        >>> clipped = custom_gradient(lambda x: (tf.sign(x), lambda upstream: tf.clip_by_value(upstream, -1.0, 1.0)))
        >>> x = tf.Variable(3.0)
        >>> with tf.GradientTape() as tape:
        ...     y = 7 * clipped(x)
        >>> float(tape.gradient(y, x))
        1.0
    """
    decorated = tf.custom_gradient(function)

    @wraps(function)
    def call(*args):
        result = decorated(*args)
        if not tf.executing_eagerly():
            _hand_over(result.op)
        return result

    return call


def _hand_over(operation):
    """Moves an operation's gradient from the registry to the graph."""
    name = operation.get_attr("_gradient_op_type").decode()
    entries = gradient_registry._registry
    graph = operation.graph
    if not hasattr(graph, "_bnext_keras_gradients"):
        graph._bnext_keras_gradients = {}
    graph._bnext_keras_gradients[name] = entries[name]["type"]
    proxy = weakref.proxy(graph)
    entries[name]["type"] = lambda *args: proxy._bnext_keras_gradients[name](*args)
    weakref.finalize(graph, entries.pop, name, None).atexit = False
