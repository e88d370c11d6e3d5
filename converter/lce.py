"""From a Keras model to LCE's flatbuffer, by way of a frozen graph.

`larq_compute_engine.convert_keras_model` first saves the model as a SavedModel, for which Keras traces every layer
several times: three quarters of its time. Here the model is traced once, with each binary convolution in a form that
is safe in LCE (`converter.lowering`) and its kernel, already binarized, as an input of the function: the latent kernels
are never copied, and the compiler finds nothing to fold.
"""

import io
from dataclasses import dataclass

import tensorflow as tf
from larq_compute_engine.mlir._tf_tfl_flatbuffer import convert_graphdef_to_tflite_flatbuffer
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from converter import lowering
from converter.binary_layers import binary_convs, patched
from converter.errors import ConversionError


@dataclass(frozen=True)
class FrozenGraph:
    """A model's evaluation for one image, without variables.

    Attributes:
        serialized: TensorFlow's GraphDef, serialized.
        input_name: Name of the node with the image.
        output_name: Name of the node with the result.
        input_shape: ``(1, height, width, channels)``.
        calls: The binary convolutions in the order in which the model calls them.
    """

    serialized: bytes
    input_name: str
    output_name: str
    input_shape: tuple[int, ...]
    calls: list[tf.keras.layers.Layer]


def to_graph(model: tf.keras.Model) -> FrozenGraph:
    """Freezes a model that `converter.preflight` has checked."""
    layers = binary_convs(model)
    kernel_specs = [
        [tf.TensorSpec((*layer.kernel.shape[:3], layer.filters // layer.groups), tf.float32)] * layer.groups
        for layer in layers
    ]
    calls: list[tf.keras.layers.Layer] = []
    input_shape = (1, *model.input_shape[1:])
    image_spec = tf.TensorSpec(input_shape, model.inputs[0].dtype, name="image")

    @tf.function(input_signature=[image_spec, kernel_specs], autograph=False)
    def evaluate(image, kernels):
        kernels_of = dict(zip(map(id, layers), kernels, strict=True))

        def replace(layer):
            # Keras passes `training` to those layers alone that named it before; a Larq layer does not.
            def call(inputs, training=None):
                calls.append(layer)
                return lowering.lower(layer, inputs, kernels_of[id(layer)])

            return call

        with patched(layers, "call", replace):
            return tf.identity(model(image, training=False), name="output")

    frozen = convert_variables_to_constants_v2(evaluate.get_concrete_function(), lower_control_flow=False)
    image_name, *names = (tensor.op.name for tensor in frozen.inputs if tensor.dtype != tf.resource)
    kernels = dict(zip(names, ((layer, group) for layer in layers for group in range(layer.groups)), strict=True))
    serialized = _serialize(frozen.graph.as_graph_def(), kernels)
    return FrozenGraph(serialized, image_name, frozen.outputs[0].op.name, input_shape, calls)


def _serialize(graph, kernels):
    """Serializes a graph with constants in place of the placeholders that stand for kernels.

    Messages of Protocol Buffers merge by concatenation, so a graph can be written node by node: of the kernels, a
    gigabyte in the largest networks, one at a time is in memory twice.
    """
    stream = io.BytesIO()
    stream.write(tf.compat.v1.GraphDef(versions=graph.versions, library=graph.library).SerializeToString())
    for node in graph.node:
        if node.name in kernels:
            layer, group = kernels[node.name]
            node = _constant(node.name, lowering.group_kernels(layer)[group])
        stream.write(tf.compat.v1.GraphDef(node=[node]).SerializeToString())
    return stream.getvalue()


def _constant(name, value):
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return node


def to_flatbuffer(frozen: FrozenGraph) -> bytes:
    """Compiles a graph with LCE.

    Raises:
        ConversionError: with LCE's own message, if it refuses the graph.
    """
    try:
        return convert_graphdef_to_tflite_flatbuffer(
            frozen.serialized,
            [frozen.input_name],
            ["DT_FLOAT"],
            [list(frozen.input_shape)],
            [frozen.output_name],
            False,
            "arm",
            None,
        )
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ConversionError(f"Larq Compute Engine refused the graph: {lines[0] if lines else error!r}") from error
