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
        graph_def: The evaluation. The signs of its binary convolutions' kernels are ``Placeholder`` nodes.
        inputs: Names of the nodes of its inputs, by what the file is to call these.
        outputs: Names of the nodes of its results, likewise.
        input_specs: Shape and type of each input; shapes begin with 1.
        stand_ins: What each of its binary convolutions is compiled with.
        conv_names: Names of the ``LceBconv2d`` operators that each call becomes, one per group, in the order in which
            the model makes the calls. A call whose result nobody needs is not among them.
    """

    graph_def: tf.compat.v1.GraphDef
    inputs: dict[str, str]
    outputs: dict[str, str]
    input_specs: list[tf.TensorSpec]
    stand_ins: list[StandIn]
    conv_names: dict[BinaryCall, tuple[str, ...]]


def freeze(graph: Graph) -> FrozenModel:
    """Writes a graph as operators of TensorFlow, each binary convolution in a form that is safe in LCE (`lower`).

    Signs of kernels are inputs of the traced function, so that TensorFlow copies none of them.
    """
    calls = sorted((node.call for node in graph.nodes() if node.call is not None), key=lambda call: call.number)
    specs = [
        tf.TensorSpec(node.shape, tf.as_dtype(node.attribute("dtype")), name=node.name)
        for node in graph.inputs.values()
    ]
    packed = pack_kernels(calls)
    scales = {call: [kernel.scale for kernel in packed[call]] for call in calls}

    @tf.function(input_signature=[specs, [_kernel_specs(call.layer) for call in calls]], autograph=False)
    def evaluate(inputs, signs):
        results = emit(graph, inputs, dict(zip(calls, signs, strict=True)), scales)
        return [tf.identity(result, name="output") for result in results]

    concrete = evaluate.get_concrete_function()
    graph_def = concrete.graph.as_graph_def()
    placeholders = [tensor.op.name for tensor in concrete.inputs]
    inputs = dict(zip(graph.inputs, placeholders, strict=False))
    outputs = {name: tensor.op.name for name, tensor in zip(graph.outputs, concrete.outputs, strict=True)}
    del placeholders[: len(inputs)]
    placeholders_of = {call: [placeholders.pop(0) for _ in range(call.layer.groups)] for call in calls}
    kernels = {
        placeholder: kernel
        for call in calls
        for placeholder, kernel in zip(placeholders_of[call], packed[call], strict=True)
    }
    stand_ins = choose_stand_ins(graph_def, kernels)
    compiled = {node: stand_in.name for stand_in in stand_ins for node in stand_in.nodes}
    conv_names = {
        call: tuple(compiled[convs_that_read(graph_def, placeholder)[0]] for placeholder in placeholders_of[call])
        for call in calls
    }
    return FrozenModel(graph_def, inputs, outputs, specs, stand_ins, conv_names)


def _kernel_specs(layer):
    return [tf.TensorSpec((*layer.kernel.shape[:3], layer.filters // layer.groups), tf.float32)] * layer.groups
