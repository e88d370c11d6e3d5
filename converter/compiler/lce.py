"""From a Keras model to LCE's flatbuffer, by way of a graph of our own and a frozen one of TensorFlow's.

`larq_compute_engine.convert_keras_model` first saves the model as a SavedModel, for which Keras traces every layer
several times: three quarters of its time. Here the model is traced once (`trace`), simplified (`converter.passes`) and
written as TensorFlow operators (`emit`), with each binary convolution in a form that is safe in LCE (`lower`) and its
kernel as an input of the function, so that nothing copies the latent kernels. LCE then compiles it with constants in
place of kernels (`stand_ins`).
"""

import io
from dataclasses import dataclass, field, replace

from bnext_keras.errors import ConversionError
from bnext_keras.text import first_line

import numpy as np
import tensorflow as tf
from larq_compute_engine.mlir._tf_tfl_flatbuffer import convert_graphdef_to_tflite_flatbuffer
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from converter.compiler import lower, stand_ins
from converter.compiler.emit import emit
from converter.compiler.stand_ins import BinaryKernel, GraphConv
from converter.compiler.trace import trace
from converter.passes import PassReport, simplify
from converter.tflite.flatbuffer import Flatbuffer


@dataclass(frozen=True)
class Site:
    """One call of a binary convolution.

    Attributes:
        layer: The layer that is called.
        call: Number of the call, in the order of the Python program; one whose result nobody needs has no site.
        operators: Its ``LceBconv2d`` operators in the file, one per group, by the names of the tensors they write.
        flips: For each input channel -1 if the file negates its sign and its kernel, else 1; None if it negates none.
    """

    layer: tf.keras.layers.Layer
    call: int
    operators: tuple[str, ...]
    flips: np.ndarray | None = None


@dataclass(frozen=True)
class FrozenGraph:
    """A model's evaluation for one image, without variables.

    Attributes:
        graph: TensorFlow's GraphDef, with placeholders for the kernels of binary convolutions.
        convs: Its binary convolutions, with their kernels.
        input_name: Name of the node with the image.
        output_name: Name of the node with the result.
        input_shape: ``(1, height, width, channels)``.
        sites: The calls of binary convolutions in the order in which the model makes them.
        passes: What each pass of the simplification changed.
    """

    graph: tf.compat.v1.GraphDef
    convs: list[GraphConv]
    input_name: str
    output_name: str
    input_shape: tuple[int, ...]
    sites: list[Site]
    passes: list[PassReport] = field(default_factory=list)


def to_graph(model: tf.keras.Model, simplified: bool = True) -> FrozenGraph:
    """Freezes a model that `converter.compiler.preflight` has checked.

    Args:
        model: The model.
        simplified: Whether `converter.passes` rewrite it.
    """
    graph = trace(model)
    reports = simplify(graph) if simplified else []
    calls = sorted((node.conv for node in graph.nodes() if node.conv is not None), key=lambda conv: conv.call)
    input_shape = (1, *model.input_shape[1:])
    image_spec = tf.TensorSpec(input_shape, model.inputs[0].dtype, name="image")

    @tf.function(input_signature=[image_spec, [_kernel_specs(conv.layer) for conv in calls]], autograph=False)
    def evaluate(image, kernels):
        return tf.identity(emit(graph, image, {conv.call: kernels[i] for i, conv in enumerate(calls)}), name="output")

    frozen = convert_variables_to_constants_v2(evaluate.get_concrete_function(), lower_control_flow=False)
    image_name, *names = (tensor.op.name for tensor in frozen.inputs if tensor.dtype != tf.resource)
    names_of = {conv.call: [names.pop(0) for _ in range(conv.layer.groups)] for conv in calls}
    graph_def = frozen.graph.as_graph_def()
    convs = stand_ins.plan(graph_def, _pack_kernels(calls, names_of))
    operators = {node: conv.name for conv in convs for node in conv.nodes}
    sites = [
        Site(
            conv.layer,
            conv.call,
            tuple(operators[stand_ins.readers(graph_def, name)[0]] for name in names_of[conv.call]),
            conv.flips,
        )
        for conv in calls
    ]
    return FrozenGraph(graph_def, convs, image_name, frozen.outputs[0].op.name, input_shape, sites, reports)


def _kernel_specs(layer):
    return [tf.TensorSpec((*layer.kernel.shape[:3], layer.filters // layer.groups), tf.float32)] * layer.groups


def _pack_kernels(calls, names_of):
    """The kernels by the names of their placeholders; calls of one layer without flips share theirs."""
    packed: dict[tuple, list[BinaryKernel]] = {}
    kernels = {}
    for conv in calls:
        key = (id(conv.layer), None if conv.flips is None else conv.flips.tobytes())
        if key not in packed:
            packed[key] = [BinaryKernel.of(kernel) for kernel in lower.kernels_of(conv)]
        kernels.update(zip(names_of[conv.call], packed[key], strict=True))
    return kernels


def to_flatbuffer(frozen: FrozenGraph) -> Flatbuffer:
    """Compiles a graph with LCE.

    Raises:
        ConversionError: with LCE's own message, if it refuses the graph.
    """
    convs = frozen.convs
    flatbuffer, missing = _compile(frozen, convs)
    if any(conv.sign for conv in missing):
        # Merged with others perhaps that have the same stand-in; if they have stayed float, they will again.
        convs = [replace(conv, sign=0) if conv in missing else conv for conv in convs]
        flatbuffer, _ = _compile(frozen, convs)
    return flatbuffer


def _compile(frozen, convs):
    names = stand_ins.Names(frozen.graph, frozen.input_name, frozen.output_name, convs)
    try:
        content = convert_graphdef_to_tflite_flatbuffer(
            _serialize(frozen, convs, names),
            [frozen.input_name],
            ["DT_FLOAT"],
            [list(frozen.input_shape)],
            [frozen.output_name],
            False,
            "arm",
            None,
        )
    except Exception as error:
        raise ConversionError(f"Larq Compute Engine refused the graph: {first_line(error)}") from error
    flatbuffer = Flatbuffer(content)
    names.restore(flatbuffer)
    return flatbuffer, stand_ins.put_signs(flatbuffer, convs)


def _serialize(frozen, convs, names):
    """The graph with short names and a constant kernel for each binary convolution.

    Messages of Protocol Buffers merge by concatenation, so a graph can be written node by node: of kernels, one at a
    time is in memory twice.
    """
    graph = frozen.graph
    convs_of = {node: conv for conv in convs for node in conv.nodes}
    stream = io.BytesIO()

    def write(**fields):
        stream.write(tf.compat.v1.GraphDef(**fields).SerializeToString())

    write(versions=graph.versions, library=graph.library)
    for node in graph.node:
        conv = convs_of.get(node.name)
        stands_for_kernel = node.op == "Placeholder" and node.name != frozen.input_name
        if stands_for_kernel or (conv is not None and node.name != conv.name):
            continue
        short = tf.compat.v1.NodeDef()
        short.CopyFrom(node)
        short.name = names.shorten(node.name)
        short.input[:] = map(names.shorten, node.input)
        if conv is not None:
            short.input[1] = f"{short.name}kernel"
            write(node=[conv.constant(short.input[1])])
        write(node=[short])
    return stream.getvalue()
