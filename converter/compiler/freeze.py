"""From a `converter.graph.Graph` to TensorFlow's graph, which LCE can compile."""

from dataclasses import dataclass

import tensorflow as tf

from converter.compiler.emit import emit
from converter.compiler.kernels import pack_kernels
from converter.compiler.stand_ins import StandIn, choose_stand_ins, convs_that_read
from converter.graph import BinaryCall, Graph


@dataclass(frozen=True)
class FrozenModel:
    """A model's evaluation for one image, without variables and without binary kernels.

    Attributes:
        graph_def: The evaluation. The kernels of its binary convolutions are ``Placeholder`` nodes.
        image: Name of the node with the image.
        output: Name of the node with the result.
        input_shape: ``(batch, height, width, channels)``.
        input_type: Of its numbers.
        stand_ins: What each of its binary convolutions is compiled with.
        conv_names: Names of the ``LceBconv2d`` operators that each call becomes, one per group, in the order in which
            the model makes the calls. A call whose result nobody needs is not among them.
    """

    graph_def: tf.compat.v1.GraphDef
    image: str
    output: str
    input_shape: tuple[int, ...]
    input_type: tf.DType
    stand_ins: list[StandIn]
    conv_names: dict[BinaryCall, tuple[str, ...]]


def freeze(graph: Graph) -> FrozenModel:
    """Writes a graph as operators of TensorFlow, each binary convolution in a form that is safe in LCE (`lower`).

    Kernels are inputs of the traced function, so that TensorFlow copies none of them.
    """
    calls = sorted((node.call for node in graph.nodes() if node.call is not None), key=lambda call: call.number)
    input_shape = graph.image.shape
    image_spec = tf.TensorSpec(input_shape, tf.as_dtype(graph.image.attribute("dtype")), name="image")

    @tf.function(input_signature=[image_spec, [_kernel_specs(call.layer) for call in calls]], autograph=False)
    def evaluate(image, kernels):
        return tf.identity(emit(graph, image, dict(zip(calls, kernels, strict=True))), name="output")

    concrete = evaluate.get_concrete_function()
    graph_def = concrete.graph.as_graph_def()
    image, *placeholders = (tensor.op.name for tensor in concrete.inputs)
    placeholders_of = {call: [placeholders.pop(0) for _ in range(call.layer.groups)] for call in calls}
    kernels = {
        placeholder: kernel
        for call, packed in pack_kernels(calls).items()
        for placeholder, kernel in zip(placeholders_of[call], packed, strict=True)
    }
    stand_ins = choose_stand_ins(graph_def, kernels)
    compiled = {node: stand_in.name for stand_in in stand_ins for node in stand_in.nodes}
    conv_names = {
        call: tuple(compiled[convs_that_read(graph_def, placeholder)[0]] for placeholder in placeholders_of[call])
        for call in calls
    }
    output = concrete.outputs[0].op.name
    return FrozenModel(graph_def, image, output, input_shape, image_spec.dtype, stand_ins, conv_names)


def _kernel_specs(layer):
    return [tf.TensorSpec((*layer.kernel.shape[:3], layer.filters // layer.groups), tf.float32)] * layer.groups
