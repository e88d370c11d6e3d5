"""Rules about speed: what could run faster in another form, most of them about LCE's kernels."""

import math
from collections.abc import Iterator

from bnext_keras.layer_graph import LayerGraph, kernel_quantizer
from bnext_keras.summary import count_layer

import larq as lq
import tensorflow as tf

from converter.advice.finding import NOTE, SLOW, Advice, activation, is_binary

#: A float convolution is worth a word from this share of the network's operations on.
LARGE_SHARE = 0.05
#: Channels that fill no word of 32 bits are worth a word if they waste this share of all binary multiplications.
WASTED_SHARE = 0.02

_Layers = tf.keras.layers


def large_float_convolutions(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Spatial float convolutions behind binary ones that take a large share of the operations."""
    # A kernel of one bit saves nothing where the input is float, so `Costs.ops` does not apply.
    operations = {id(layer): count_layer(layer).macs / (64 if is_binary(layer) else 1) for layer in layer_graph.layers}
    total = sum(operations.values())
    for layer in layer_graph.layers:
        if type(layer) not in (_Layers.Conv2D, lq.layers.QuantConv2D) or layer.kernel_size == (1, 1):
            continue
        if getattr(layer, "input_quantizer", None) or kernel_quantizer(layer):
            continue
        share = operations[id(layer)] / total
        if share >= LARGE_SHARE and layer_graph.follows(layer, is_binary):
            yield Advice(
                SLOW,
                layer.name,
                f"a float convolution amid binary ones with {share:.0%} of the operations (a binary "
                "multiplication counting 1/64)",
                "make it a QuantConv2D with input and kernel quantizer",
            )


def channels_off_the_word(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Channels of a binary convolution, or of its groups, that fill no words of 32 bits."""
    layers = [layer for layer in layer_graph.layers if is_binary(layer) and isinstance(layer, lq.layers.QuantConv2D)]
    macs = {id(layer): count_layer(layer).macs for layer in layers}
    wasted = {}
    for layer in layers:
        channels = layer.input_shape[-1] // layer.groups
        wasted[id(layer)] = macs[id(layer)] * (-(-channels // 32) * 32 / channels - 1)
    if sum(wasted.values()) < WASTED_SHARE * sum(macs.values()):
        return
    for layer in layers:
        channels = layer.input_shape[-1] // layer.groups
        if channels % 32:
            yield Advice(
                SLOW,
                layer.name,
                f"{channels} input channels{' per group' if layer.groups > 1 else ''} take the time and space of "
                f"{-(-channels // 32) * 32}: LCE packs 32 to a word",
                "choose a multiple of 32",
            )


def groups(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Grouped binary convolutions, for which there is no operator in a file."""
    for layer in layer_graph.layers:
        if is_binary(layer) and getattr(layer, "groups", 1) > 1:
            yield Advice(
                SLOW,
                layer.name,
                f"its {layer.groups} groups become {layer.groups} convolutions with a split before and a concatenation "
                "behind them: binary operators have no groups",
                "use fewer or no groups",
            )


def activations_that_are_not_fused(layer_graph: LayerGraph) -> Iterator[Advice]:
    """ReLUs right behind a binary convolution that LCE could run within it, and does not."""
    for layer in layer_graph.layers:
        if not (is_binary(layer) and isinstance(layer, lq.layers.QuantConv2D)):
            continue
        is_padded = layer.padding == "same" and max(layer.kernel_size) > 1
        pads_zeros = is_padded and float(tf.keras.backend.get_value(layer.pad_values)) != 1
        own = activation(layer) == "relu"
        followers = _relus(layer_graph.consumers(layer))
        if pads_zeros and (own or followers):
            yield Advice(
                SLOW,
                layer.name,
                f"{'its ReLU' if own else f'the ReLU {followers[0].name!r} behind it'} runs as an operator of its own: "
                "LCE fuses it into one-padded convolutions only",
                "set pad_values=1.0 and train with it",
            )
        for normalization in layer_graph.consumers(layer):
            behind = _relus(layer_graph.consumers(normalization))
            if isinstance(normalization, _Layers.BatchNormalization) and behind:
                yield Advice(
                    SLOW,
                    behind[0].name,
                    f"a ReLU behind the batch normalization of {layer.name!r} runs as an operator of its own: LCE "
                    "fuses a ReLU and then a normalization, in this order",
                    "put the ReLU before the batch normalization, with pad_values=1.0 where the convolution is padded, "
                    "and train with it",
                )


def absolute_values(layer_graph: LayerGraph) -> Iterator[Advice]:
    """``tf.abs`` on feature maps, for which TFLite has no fast kernel."""
    for layer in layer_graph.layers:
        function = getattr(layer, "function", None)
        name = getattr(function, "__name__", "")
        is_abs = function in (tf.abs, tf.math.abs) or name == "abs"
        if is_abs and math.prod(layer.output_shape[1:] or (1,)) > layer.output_shape[-1]:
            what = "tf.abs is many times slower in LCE's interpreter than other elementwise operators"
            yield Advice(SLOW, layer.name, what, "write tf.maximum(x, -x)")


def softmax(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Softmax at the end, which does not change the order of classes, and elsewhere."""
    for layer in layer_graph.layers:
        if activation(layer) != "softmax":
            continue
        if layer_graph.gives_answer(layer):
            what = "the softmax at the end does not change which class is the most probable"
            yield Advice(NOTE, layer.name, what, "leave it out if the class alone is wanted")
        else:
            what = "a softmax within the network runs in float, with an exponential for each value"
            yield Advice(SLOW, layer.name, what, "use a sigmoid or hard sigmoid for a gate")


def _relus(layers):
    """The layers among these that are a ReLU and nothing else."""
    activations = (_Layers.ReLU, _Layers.Activation)
    return [layer for layer in layers if isinstance(layer, activations) and activation(layer) == "relu"]
