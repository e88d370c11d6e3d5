"""The graph that passes rewrite: what a trace records, and what it computes."""

import bnext_keras
from bnext_keras.layers import BinaryConv2D

import numpy as np
import pytest
import tensorflow as tf
from rewrites import randomize

from converter.compiler.emit import run
from converter.compiler.trace import trace
from converter.graph import BinaryCall, Graph, Node
from converter.passes import count_operators, simplify

Layers = tf.keras.layers


def test_a_graph_computes_what_its_model_computes(small_bnext):
    randomize(small_bnext)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    graph = trace(small_bnext)
    np.testing.assert_allclose(run(graph, images), small_bnext(images), rtol=1e-4, atol=1e-4)
    # In another precision too; a sign of a value within rounding of zero would show as a jump.
    np.testing.assert_allclose(run(graph, images.astype(np.float64)), small_bnext(images), rtol=1e-4, atol=1e-4)


def test_binary_convolutions_are_one_node_each(small_bnext):
    calls = {node.call.layer.name: node.call.number for node in trace(small_bnext).nodes() if node.call}
    assert sorted(calls) == sorted(layer.name for layer in small_bnext.layers if isinstance(layer, BinaryConv2D))
    assert sorted(calls.values()) == list(range(6))


def test_bias_and_activation_of_a_binary_convolution_are_nodes_of_their_own():
    image = tf.keras.Input((8, 8, 4))
    options = {"use_bias": True, "bias_initializer": "ones", "activation": "relu"}
    model = tf.keras.Model(image, BinaryConv2D(4, 3, **options)(image))
    graph = trace(model)
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 4)).astype(np.float32)
    np.testing.assert_array_equal(run(graph, images), model(images))
    simplify(graph)
    ops = [node.op for node in graph.nodes()]
    assert ops == ["Input", "BinaryConv2D", "Const", "BiasAdd", "Relu", "Result"]


def shared_and_nested():
    image = tf.keras.Input((8, 8, 4))
    shared = BinaryConv2D(4, 3, name="shared")
    inner_image = tf.keras.Input((8, 8, 4))
    inner = tf.keras.Model(inner_image, Layers.ReLU()(shared(inner_image)))
    x = inner(shared(image) + 0.5)
    return tf.keras.Model(image, Layers.Lambda(lambda x: tf.image.flip_left_right(tf.math.softsign(x)))(x))


def test_shared_layers_nested_models_and_unknown_operators_survive():
    model = shared_and_nested()
    graph = trace(model)
    assert [node.call.number for node in graph.nodes() if node.op == "BinaryConv2D"] == [0, 1]
    simplify(graph)
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype(np.float32)
    np.testing.assert_allclose(run(graph, images), model(images), atol=1e-6)
    assert {"ReverseV2", "Softsign"} <= set(count_operators(graph))


def test_control_flow_survives():
    image = tf.keras.Input((4, 4, 2))

    def loop(x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, 2 * y), (0, x))[1]

    model = tf.keras.Model(image, Layers.Lambda(loop)(image))
    images = np.random.default_rng(0).normal(size=(1, 4, 4, 2)).astype(np.float32)
    graph = trace(model)
    simplify(graph)
    np.testing.assert_array_equal(run(graph, images), 8 * images)


def test_replacing_keeps_users_and_forgets_the_dead():
    image = Node("Input", shape=(1, 4, 4, 2))
    relu = Node("Relu", [image], shape=image.shape)
    total = Graph.add(relu, relu)
    graph = Graph(image, total)
    assert not graph.has_one_user(relu)
    negative = Node("Neg", [image], shape=image.shape)
    graph.replace(relu, negative)
    assert total.inputs == [negative, negative]
    assert [node.op for node in graph.nodes()] == ["Input", "Neg", "AddV2", "Result"]
    assert graph.users(image) == [negative]
    graph.replace(total, graph.multiply(total, np.ones(2)))
    assert [node.op for node in graph.nodes()] == ["Input", "Neg", "AddV2", "Const", "Mul", "Result"]


def test_simplification_does_not_touch_latent_kernels(small_bnext, monkeypatch):
    graph = trace(small_bnext)
    monkeypatch.setattr(bnext_keras.quantizers.AnnealedSign, "call", lambda *_: pytest.fail("read a kernel"))
    simplify(graph)


def test_a_rule_that_goes_in_circles_is_stopped():
    image = Node("Input", shape=(1, 4, 4, 2))
    graph = Graph(image, Node("Relu", [image], shape=image.shape))

    def negate_again(graph, node):
        if node.op in ("Relu", "Neg"):
            graph.replace(node, Node("Neg", [node.inputs[0]], shape=node.shape))
        return node.op in ("Relu", "Neg")

    with pytest.raises(RuntimeError, match="negate_again still changes the graph after 13 sweeps"):
        graph.rewrite(negate_again)


@pytest.mark.parametrize(
    ("size", "options", "expected"),
    [
        ((8, 8), {}, [(1, 1), (1, 1)]),
        ((7, 8), {"strides": 2}, [(1, 1), (0, 1)]),
        ((2, 4), {"dilation_rate": 2}, [(2, 2), (2, 2)]),
        ((4, 4), {"kernel_size": (2, 1)}, [(0, 1), (0, 0)]),
        ((8, 8), {"padding": "valid"}, [(0, 0), (0, 0)]),
    ],
)
def test_padding_of_a_call(size, options, expected):
    layer = BinaryConv2D(4, **{"kernel_size": 3, "padding": "same", **options})
    assert BinaryCall(layer, 0).padding(*size) == expected
