"""Rules about sizes: of a batch, and of what paddings add to a file."""

import math
from collections.abc import Iterator

from bnext_keras.layer_graph import LayerGraph
from bnext_keras.text import format_bytes

import larq as lq
import tensorflow as tf

from converter.advice.finding import NOTE, SLOW, Advice, is_binary

#: Paddings that take no constants: LCE has the first two, and `converter.passes.turn_padding` makes +1 of the last.
_FREE = (0, 1, -1)


def fixed_batches(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Inputs of several images at once: a file takes one."""
    for tensor in layer_graph.inputs:
        batch = tensor.shape[0]
        if batch not in (None, 1):
            yield Advice(
                NOTE,
                tensor.name,
                f"its batch is fixed at {batch} images; the file takes one at a time",
                "run the file once for each image, and leave out batch_size if the layers do not depend on it",
            )


def unusual_paddings(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Binary convolutions that pad with other values than signs and zeros."""
    for layer in layer_graph.layers:
        if not (is_binary(layer) and isinstance(layer, lq.layers.QuantConv2D) and layer.padding == "same"):
            continue
        value = float(tf.keras.backend.get_value(layer.pad_values))
        if value not in _FREE and max(layer.kernel_size) > 1:
            size = format_bytes(4 * math.prod(layer.output_shape[1:]))
            yield Advice(
                SLOW,
                layer.name,
                f"it pads with {value:g}, for which the file needs a constant of the size of its output, {size}, and a "
                "subtraction",
                "pad with 1, -1 or 0 and train with it",
            )
