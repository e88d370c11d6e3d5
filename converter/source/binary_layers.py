"""Finds the binary convolutions of a Larq model, reads their kernels, and steps in where they run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bnext_keras.layer_graph import LayerGraph, evaluated, has_graph, is_sign, precision
from bnext_keras.patching import attribute
from bnext_keras.quantizers import FusedSteSign
from bnext_keras.sublayers import sublayers

import larq as lq
import numpy as np
import tensorflow as tf

from converter.source import forms

#: What does on bits what a layer of Larq's does that LCE has no binary form of.
_IN_PLACE_OF = {
    lq.layers.QuantConv3D: "use QuantConv2Ds, with the slices among the channels or one after the other",
    lq.layers.QuantDepthwiseConv2D: "use a QuantConv2D, which mixes the channels too, or a DepthwiseConv2D of floats; "
    "LCE packs 32 channels to a word, and a depthwise filter has one",
    lq.layers.QuantConv3DTranspose: "use an UpSampling2D and a QuantConv2D on slices",
    lq.layers.QuantLocallyConnected1D: "use a QuantConv2D of 1xN on maps of height 1, which shares its weights",
    lq.layers.QuantLocallyConnected2D: "use a QuantConv2D, which shares its weights",
}


def binary_convs(model: tf.keras.Model) -> list[tf.keras.layers.Layer]:
    """The layers of a model, nested ones too, that are meant to run on bits in LCE.

    Those are the kinds that have a form (`converter.source.forms`) and binarize their input. A dense layer whose kernel
    is not binary runs as a float one.
    """
    return [layer for layer in sublayers(model) if binarizes_input(layer) and _is_meant_to_be_binary(layer)]


def _is_meant_to_be_binary(layer):
    kind = forms.kind_of(layer)
    return kind is not None and (kind is not lq.layers.QuantDense or forms.fault(layer) is None)


def binarizes_input(layer: tf.keras.layers.Layer) -> bool:
    """Whether a layer takes signs of its input."""
    return precision(getattr(layer, "input_quantizer", None)) == 1


def in_place_of(layer: tf.keras.layers.Layer) -> str | None:
    """What to use in place of a layer of Larq's that LCE has no binary form of; None for any other layer."""
    return next((remedy for kind, remedy in _IN_PLACE_OF.items() if isinstance(layer, kind)), None)


def quantized_kernel(layer: tf.keras.layers.Layer) -> np.ndarray:
    """The kernel that a layer uses in evaluation, ``(height, width, in, out)``."""
    return evaluated(layer.kernel)


@contextmanager
def patched(layers: list[tf.keras.layers.Layer], name: str, replace: Callable) -> Iterator[None]:
    """Sets the attribute ``name`` of each layer to ``replace(layer)`` for a while, past Keras' tracking."""
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(attribute(layer, name, replace(layer)))
        yield


@contextmanager
def signs_moved_into_convolutions(model: tf.keras.Model) -> Iterator[None]:
    """Lets convolutions behind a layer that is a sign, such as ``SteSign()``, take that sign themselves for a while.

    Larq's users write either. Here both are the same binary convolution: for as long as this lasts, the sign's layer
    passes its input on, and the convolutions behind it have the sign as their input quantizer. A sign that anything but
    a convolution without input quantizer reads stays where it is.
    """
    with ExitStack() as stack:
        for sign, convs in _signs_before_convolutions(model):
            stack.enter_context(attribute(sign, "call", lambda inputs, *_, **__: tf.identity(inputs)))
            for conv in convs:
                stack.enter_context(attribute(conv, "input_quantizer", FusedSteSign()))
        yield


def _signs_before_convolutions(model):
    if not has_graph(model):
        return []
    layer_graph = LayerGraph(model)
    found = []
    for layer in layer_graph.layers:
        readers = layer_graph.consumers(layer)
        is_candidate = isinstance(layer, lq.quantizers.Quantizer | tf.keras.layers.Activation | tf.keras.layers.Lambda)
        if not is_candidate or layer in layer_graph.outputs or not readers:
            continue
        if all(_lacks_a_sign(conv) and layer_graph.producers(conv) == [layer] for conv in readers) and is_sign(layer):
            found.append((layer, readers))
    return found


def _lacks_a_sign(layer):
    kind = forms.kind_of(layer)
    if kind is None or layer.input_quantizer is not None:
        return False
    return kind is lq.layers.QuantConv2D or forms.fault(layer) is None
