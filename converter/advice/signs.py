"""Rules about signs: layers that stay float though they were meant to be binary, signs that are not what they seem."""

from collections.abc import Iterator

from bnext_keras.errors import ConversionError
from bnext_keras.layer_graph import (
    LayerGraph,
    has_kernel,
    is_quant_layer,
    kernel_precision,
    kernel_quantizer,
    precision,
)

import tensorflow as tf

from converter.advice.finding import (
    EXACTLY_ZERO,
    NEVER_NEGATIVE,
    NOTE,
    REFUSED,
    SLOW,
    WRONG,
    Advice,
    activation,
    binarizes_input,
)
from converter.compiler.preflight import check_layer
from converter.source.forms import fault
from converter.source.quantizers import input_fault


def unconvertible(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Layers that a conversion would refuse, all of them and not only the first."""
    for layer in layer_graph.layers:
        try:
            check_layer(layer)
        except ConversionError as error:
            yield Advice(REFUSED, layer.name, error.what, error.remedy)


def inputs_that_are_no_signs(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Input quantizers other than the sign, the only one that LCE has."""
    for layer in layer_graph.layers:
        quantizer = getattr(layer, "input_quantizer", None)
        if quantizer is None:
            continue
        fault = input_fault(quantizer)
        if fault is not None and fault.runs_as_float:
            yield Advice(SLOW, layer.name, f"{fault.what}, so it runs as a float layer", fault.remedy)
        elif fault is not None:
            yield Advice(WRONG, layer.name, fault.what, fault.remedy)


def constant_signs(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Binary layers whose input cannot be negative."""
    for layer in filter(binarizes_input, layer_graph.layers):
        sources = layer_graph.sources(layer)
        if sources and all(activation(source) in NEVER_NEGATIVE for source in sources):
            names = ", ".join(f"{_title(source)} {source.name!r}" for source in sources)
            yield Advice(
                WRONG,
                layer.name,
                f"its input is never negative ({names}), so every sign of it is +1",
                "remove the activation before the binary convolution, or put a batch normalization between",
            )


def negative_zeros(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Products with a factor of exactly zero right before a sign: 0 times a negative number is -0.0."""
    for layer in filter(binarizes_input, layer_graph.layers):
        for product in layer_graph.sources(layer):
            if not isinstance(product, tf.keras.layers.Multiply):
                continue
            zeros = [source for source in layer_graph.sources(product) if activation(source) in EXACTLY_ZERO]
            others = [source for source in layer_graph.sources(product) if activation(source) not in NEVER_NEGATIVE]
            if zeros and others:
                yield Advice(
                    WRONG,
                    layer.name,
                    f"the product {product.name!r} before its sign is -0.0 where {zeros[0].name!r} is 0 and the other "
                    "factor negative; Keras and x86 take +1 for the sign of that, LCE on ARM64 takes -1",
                    "put a batch normalization or an addition between product and sign",
                )


def half_binary(layer_graph: LayerGraph) -> Iterator[Advice]:
    """Larq layers that were made to be binary and lack a quantizer."""
    for layer in layer_graph.layers:
        if not is_quant_layer(layer) or not (has_kernel(layer) or kernel_quantizer(layer)):
            continue
        bits = precision(getattr(layer, "input_quantizer", None)), kernel_precision(layer)
        # Convolutions that take signs are refused if their kernels are not binary.
        if bits == (1, 32) and isinstance(layer, tf.keras.layers.Dense):
            yield Advice(SLOW, layer.name, "it has no kernel quantizer and runs as a float layer", "add one")
        elif bits == (1, 1) and isinstance(layer, tf.keras.layers.Dense) and (found := fault(layer)):
            what, remedy = found
            yield Advice(SLOW, layer.name, f"{what}; it runs as a float layer, its weights in 32 bits each", remedy)
        elif bits[0] == 32 and bits[1] < 32 and not layer_graph.reads_image(layer):
            yield Advice(
                SLOW,
                layer.name,
                f"a {type(layer).__name__} without input quantizer runs as a float layer, its weights in 32 bits each",
                "add input_quantizer='ste_sign', or use a plain Keras layer if it is meant to be float",
            )
        elif bits == (32, 1) and not layer_graph.gives_answer(layer):
            yield Advice(
                NOTE,
                layer.name,
                "it reads the image, which has no signs, so its binary kernel is stored in 32 bits",
                "leave out its kernel quantizer: float weights cost nothing more here",
            )


def _title(layer):
    return (
        type(layer).__name__ if isinstance(layer, tf.keras.layers.ReLU | tf.keras.layers.Softmax) else activation(layer)
    )
