"""The layers of a Keras model: what they hold, what they cost, and why some of them stay float."""

from dataclasses import dataclass

from bnext_keras.layer_graph import LayerGraph, has_kernel, is_quant_layer, kernel_precision, precision, trained_bits
from bnext_keras.roles import Role
from bnext_keras.summary import count_layer

import larq as lq
import tensorflow as tf

#: Height and width of maps on which a float layer costs next to nothing.
POINTWISE_SHAPE = (1, 1)


@dataclass(frozen=True)
class Layer:
    """One layer of a Keras model.

    Attributes:
        name: The layer's name.
        type: Its class.
        role: What its parameters belong to, in the terms of `bnext_keras.models.count`; "" without any.
        output_shape: Shape of its output for one image.
        input_bits: Bits that its input quantizer leaves of a value, 32 without one.
        kernel_bits: Bits of a weight of its kernel, None if it has none.
        parameters: Number of trained parameters.
        macs: Multiply-accumulates.
        bytes: Bytes of its parameters at their bit widths, float32 where there is no quantizer.
        is_binarized: Whether it runs bitpacked; None for a layer without a kernel, which has nothing to binarize.
        reason: Why it does not run bitpacked, "" if it does or has no kernel.
    """

    name: str
    type: str
    role: str
    output_shape: tuple[int, ...]
    input_bits: int
    kernel_bits: int | None
    parameters: int
    macs: int
    bytes: int
    is_binarized: bool | None
    reason: str


def describe_layer(graph: LayerGraph, layer: tf.keras.layers.Layer, role: Role | None, is_binarized: bool) -> Layer:
    """Describes a layer of a model.

    Args:
        graph: The model's layers.
        layer: One of them.
        role: Role of its parameters, None for a layer without a kernel.
        is_binarized: Whether its convolution runs bitpacked in the file.
    """
    costs = count_layer(layer, role)
    roles = [role for role, parameters in costs.parameters_by_role.items() if parameters]
    shape = layer.output_shape
    shape = shape if isinstance(shape, tuple) else shape[0]
    with_kernel = has_kernel(layer)
    return Layer(
        name=layer.name,
        type=type(layer).__name__,
        role=roles[0] if roles else "",
        output_shape=(1, *shape[1:]),
        input_bits=precision(getattr(layer, "input_quantizer", None)),
        kernel_bits=(trained_bits(layer) or kernel_precision(layer)) if with_kernel else None,
        parameters=costs.parameters,
        macs=costs.macs,
        bytes=costs.bytes,
        is_binarized=is_binarized if with_kernel else None,
        reason=_reason(graph, layer) if with_kernel and not is_binarized else "",
    )


def _reason(graph, layer):
    input_bits, kernel_bits = precision(getattr(layer, "input_quantizer", None)), kernel_precision(layer)
    if (input_bits, kernel_bits) == (1, 1):
        if isinstance(layer, lq.layers.QuantConv2D):
            return "LCE did not recognize its quantizers"
        return f"LCE has no binary {type(layer).__name__}"
    if 1 < input_bits < 32 or 1 < kernel_bits < 32:
        return f"{input_bits} x {kernel_bits} bits; LCE has 1 x 1 or float"
    if graph.reads_image(layer):
        return "reads the image"
    if graph.gives_answer(layer):
        return "gives the answer"
    if not graph.follows(layer, lambda other: precision(getattr(other, "input_quantizer", None)) == 1):
        return "before the first binary convolution"
    if kernel_bits == 1:
        return "no input quantizer"
    if input_bits == 1:
        return "no kernel quantizer"
    shape = layer.output_shape
    if len(shape) < 4 or tuple(shape[1:3]) == POINTWISE_SHAPE:
        return "on 1 x 1 maps"
    return "no quantizers" if is_quant_layer(layer) else "a float layer"
