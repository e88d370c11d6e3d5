"""LCE's compiler, in one call.

`larq_compute_engine.convert_keras_model` first saves the model as a SavedModel, for which Keras traces every layer
several times: three quarters of its time. Here LCE gets a graph that is frozen already (`freeze`), with stand-ins in
place of kernels (`stand_ins`) and short names (`names`).
"""

import io
from dataclasses import replace

from bnext_keras.cli._tool import silenced
from bnext_keras.errors import ConversionError
from bnext_keras.text import first_line

import tensorflow as tf
from larq_compute_engine.mlir._tf_tfl_flatbuffer import convert_graphdef_to_tflite_flatbuffer

from converter.compiler.freeze import FrozenModel
from converter.compiler.names import ShortNames
from converter.compiler.stand_ins import StandIn, put_kernels
from converter.source.interface import INPUT_TYPES
from converter.tflite.flatbuffer import Flatbuffer


def to_flatbuffer(frozen: FrozenModel) -> Flatbuffer:
    """Compiles a frozen model with LCE.

    Raises:
        ConversionError: with LCE's own message, if it refuses the graph.
    """
    stand_ins = frozen.stand_ins
    flatbuffer, missing = _compile(frozen, stand_ins)
    if any(stand_in.sign for stand_in in missing):
        # LCE may have seen, as `choose_stand_ins` did not, that two convolutions read the same, and merged them because
        # their stand-ins are equal. With real kernels they stay apart; what has stayed float will again.
        stand_ins = [replace(stand_in, sign=0) if stand_in in missing else stand_in for stand_in in stand_ins]
        flatbuffer, _ = _compile(frozen, stand_ins)
    return flatbuffer


def _compile(frozen, stand_ins):
    """The file, and the stand-ins whose convolutions are not binary in it."""
    inputs, outputs = list(frozen.inputs.values()), list(frozen.outputs.values())
    names = ShortNames(frozen.graph_def, inputs, outputs, stand_ins)
    serialized = _serialize(frozen, stand_ins, names)
    try:
        with silenced():
            content = convert_graphdef_to_tflite_flatbuffer(
                serialized,
                inputs,
                [INPUT_TYPES[spec.dtype] for spec in frozen.input_specs],
                [spec.shape.as_list() for spec in frozen.input_specs],
                outputs,
                False,  # no quantization
                "arm",  # the target
                None,  # no range of int8 to assume
            )
    except Exception as error:
        raise ConversionError(f"Larq Compute Engine refused the graph: {first_line(error)}") from error
    flatbuffer = Flatbuffer(content)
    names.restore(flatbuffer)
    return flatbuffer, put_kernels(flatbuffer, stand_ins)


def _serialize(frozen: FrozenModel, stand_ins: list[StandIn], names: ShortNames) -> bytes:
    """The graph with short names, and with a constant kernel for each binary convolution.

    Messages of Protocol Buffers merge by concatenation, so the graph can be written node by node. Where real kernels
    are needed, no more than one at a time is then in memory twice.
    """
    stand_in_of = {node: stand_in for stand_in in stand_ins for node in stand_in.nodes}
    inputs = set(frozen.inputs.values())
    stream = io.BytesIO()

    def write(**fields):
        stream.write(tf.compat.v1.GraphDef(**fields).SerializeToString())

    write(versions=frozen.graph_def.versions, library=frozen.graph_def.library)
    for node in frozen.graph_def.node:
        stand_in = stand_in_of.get(node.name)
        stands_for_kernel = node.op == "Placeholder" and node.name not in inputs
        is_duplicate = stand_in is not None and node.name != stand_in.name
        if stands_for_kernel or is_duplicate:
            continue
        short = tf.compat.v1.NodeDef()
        short.CopyFrom(node)
        short.name = names.shorten(node.name)
        short.input[:] = map(names.shorten, node.input)
        if stand_in is not None:
            short.input[1] = f"{short.name}kernel"
            write(node=[stand_in.constant(short.input[1])])
        write(node=[short])
    return stream.getvalue()
