"""What a model must be before a conversion is worth starting."""

import re

from bnext_keras.errors import ConversionError
from bnext_keras.layer_graph import LayerGraph, is_one_bit
from bnext_keras.quantizers import soft_kernels
from bnext_keras.sublayers import sublayers

import larq as lq
import tensorflow as tf

from converter.graph import Graph
from converter.source import forms
from converter.source.binary_layers import binarizes_input, binary_convs, in_place_of, quantized_kernel
from converter.source.interface import INPUT_TYPES, input_names
from converter.source.quantizers import input_fault, name_of
from converter.source.rebuilding import is_mixed, other_precisions
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.schema import BUILTIN_NAMES

#: What TensorFlow lets a model be called that it computes in a graph: Keras lets it be called anything.
_SCOPE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
#: Types that a model's input may have; what computes in others is told apart by its layers.
_INPUT_TYPES = (tf.float32, tf.uint8, tf.float16, tf.bfloat16, tf.float64)

#: Operators that TensorFlow Lite's interpreter, and so LCE's, has beside those of the format and LCE's own.
_TFLITE_CUSTOM = {"AudioSpectrogram", "Mfcc", "NumericVerify", "TFLite_Detection_PostProcess"}
#: What to use for some of the functions that there is no operator for.
_IN_PLACE_OF_FUNCTION = {
    "Erfc": "if it is an exact gelu, use the approximate one: tf.nn.gelu(x, approximate=True)",
    "Softsign": "write it with other functions: x / (1 + tf.abs(x))",
}


def check(model: tf.keras.Model, *, harden: bool = False) -> None:
    """Refuses a model that has no exact ``.tflite`` file.

    Args:
        model: The model.
        harden: Whether kernels that were not binary when training ended are to be taken as their signs.

    Raises:
        ConversionError: naming the layer, the reason and the remedy.
    """
    check_built(model)
    where = f"model '{model.name}'"
    if not _SCOPE.fullmatch(model.name):
        raise ConversionError(
            "TensorFlow computes nothing under this name",
            where=where,
            remedy="build it with a name of letters from A to Z, digits, _, - and ., or once more: "
            "tf.keras.Model(model.inputs, model.outputs, name='net')",
        )
    for name, tensor in zip(input_names(model), model.inputs, strict=True):
        of_which = f" of '{name}'" if len(model.inputs) > 1 else ""
        if None in (shape := tuple(tensor.shape))[1:]:
            raise ConversionError(
                f"it has a dynamic input shape {shape}{of_which}",
                where=where,
                remedy="give the size, bnext-convert --input-size N or convert(input_size=N), or build it with a fixed "
                "input_shape",
            )
    _check_precision(model)
    for name, tensor in zip(input_names(model), model.inputs, strict=True):
        if tensor.dtype not in INPUT_TYPES:
            raise ConversionError(
                f"its input '{name}' is {tensor.dtype.name}",
                where=where,
                remedy=f"inputs must be {' or '.join(kind.name for kind in INPUT_TYPES)}",
            )
    _check_weights(model)
    if not harden:
        _check_temperatures(model)
    for layer in sublayers(model):
        check_layer(layer)
    _check_for_bits(model)


def check_built(model: tf.keras.Model) -> None:
    """Refuses a model whose layers have not been connected yet, or only by Python's statements.

    Raises:
        ConversionError: with what to do instead.
    """
    if not model.built or not getattr(model, "inputs", None):
        raise ConversionError(
            "it has no symbolic input",
            where=f"model '{model.name}'",
            remedy="only functional models, and Sequential ones with an input shape, can be converted",
        )
    # Keras' own symbolic tensors belong to no graph.
    if tf.is_symbolic_tensor(model.inputs[0]):
        raise ConversionError(
            "it was built in a tf.Graph, and its weights have no values outside of that graph's sessions",
            where=f"model '{model.name}'",
            remedy="save it there and load the file, or build it outside of tf.Graph().as_default()",
        )


def check_graph(graph: Graph, model: tf.keras.Model) -> None:
    """Refuses what only a trace shows: loops and branches, whose bodies LCE does not get.

    Args:
        graph: The trace.
        model: The model that has been traced.

    Raises:
        ConversionError: naming the layer, the reason and the remedy.
    """
    for node in graph.nodes():
        if any(_is_function(value) for value in node.attributes.values()):
            kind = node.op.removeprefix("Stateless")
            raise ConversionError(
                f"it has control flow (TensorFlow's {kind}), which is not supported",
                where=_place_of(node, model),
                remedy="write it without loops and branches: unrolled, or with tf.where",
            )


def check_operators(flatbuffer: Flatbuffer, graph: Graph, model: tf.keras.Model) -> None:
    """Refuses what only the compiled file shows: functions that TensorFlow Lite has no operator for.

    LCE's compiler passes them on under TensorFlow's names, and no interpreter loads the file.

    Args:
        flatbuffer: The file.
        graph: The trace that it was compiled from.
        model: The model that has been traced.

    Raises:
        ConversionError: naming the layer, the function and the remedy.
    """
    for kind in flatbuffer.operators:
        if kind in BUILTIN_NAMES.values() or kind in _TFLITE_CUSTOM or kind.startswith("Lce"):
            continue
        node = next((node for node in graph.nodes() if node.op == kind), None)
        raise ConversionError(
            f"TensorFlow Lite has no operator for TensorFlow's {kind}, which it computes",
            where=f"model '{model.name}'" if node is None else _place_of(node, model),
            remedy=_IN_PLACE_OF_FUNCTION.get(kind, "write it with other functions"),
        )


def _place_of(node, model):
    # TensorFlow's names are those of the layers: model/layer/while.
    names, scopes = {layer.name for layer in LayerGraph(model).layers}, node.name.split("/")
    return f"layer '{next((name for name in reversed(scopes) if name in names), scopes[0])}'"


def _is_function(value):
    return isinstance(value, tf.compat.v1.AttrValue) and value.WhichOneof("value") == "func"


def check_layer(layer: tf.keras.layers.Layer) -> None:
    """Refuses a layer that Larq Compute Engine would get wrong, or run as a float convolution though it is binary.

    A dense layer that takes signs and whose kernel is not binary runs as floats, and gets advice.

    Raises:
        ConversionError: naming the layer, the reason and the remedy.
    """
    where = f"layer '{layer.name}'"
    if isinstance(layer, tf.keras.layers.RNN) and not layer.unroll:
        raise ConversionError(
            f"{type(layer).__name__} loops over time steps, which is not supported",
            where=where,
            remedy="build it with unroll=True, or use convolutions over time",
        )
    quantizer = getattr(layer, "input_quantizer", None)
    fault = None if quantizer is None else input_fault(quantizer)
    if fault is not None and not fault.runs_as_float:
        raise ConversionError(fault.what, where=where, remedy=fault.remedy)
    if not binarizes_input(layer):
        return
    kind = forms.kind_of(layer)
    if kind is lq.layers.QuantConv2D:
        _check_binary_conv(layer, where)
    elif kind is not None and kind is not lq.layers.QuantDense and (found := forms.fault(layer)):
        raise ConversionError(found[0], where=where, remedy=found[1])
    elif kind is None and (remedy := in_place_of(layer)):
        raise ConversionError(
            f"Larq Compute Engine has no binary form of {type(layer).__name__}", where=where, remedy=remedy
        )


def _check_binary_conv(layer, where):
    """Refuses a binary convolution that `converter.compiler.lower` has no form for."""
    if layer.data_format != "channels_last":
        raise ConversionError(
            f"TFLite does not support data_format {layer.data_format!r}", where=where, remedy="use 'channels_last'"
        )
    # Keras knows the shapes of a model's layers; of one inside a layer there is none to be known.
    input_shape = getattr(layer, "input_shape", None)
    if input_shape is not None and None in input_shape[1:]:
        raise ConversionError(
            f"it has a dynamic input shape {input_shape}",
            where=where,
            remedy="build the model with a fixed input_shape",
        )
    if not is_one_bit(quantized_kernel(layer)):
        raise ConversionError(
            f"its kernel is not binary (kernel_quantizer {name_of(layer.kernel_quantizer)} leaves other values than "
            "one +-c per output channel)",
            where=where,
            remedy="use a binary kernel quantizer such as ste_sign",
        )


def _check_for_bits(model):
    """Refuses a network of few bits of which nothing would run on bits: its file would be a float network's."""
    if binary_convs(model):
        return
    for layer in sublayers(model):
        quantizer = getattr(layer, "input_quantizer", None)
        fault = None if quantizer is None else input_fault(quantizer)
        if fault is not None:
            raise ConversionError(
                f"{fault.what}, and no other layer takes signs: nothing of the model would run on bits",
                where=f"layer '{layer.name}'",
                remedy=fault.remedy,
            )


def _check_weights(model):
    for weight in model.weights:
        if weight.dtype.is_floating and bool(tf.reduce_any(tf.math.is_nan(weight))):
            raise ConversionError(
                f"its weight '{weight.name}' holds NaN",
                where=f"model '{model.name}'",
                remedy="take a file from before the loss became NaN; in fit, callbacks.RaiseOnNaN() ends in time",
            )
    for layer in sublayers(model):
        if isinstance(layer, tf.keras.layers.BatchNormalization) and layer.built:
            _check_variance(layer)


def _check_variance(layer):
    lowest = float(tf.reduce_min(layer.moving_variance))
    if lowest + layer.epsilon < 0:
        raise ConversionError(
            f"its moving variance goes down to {lowest:.4g}, and of a negative number there is no root: it gives NaN",
            where=f"layer '{layer.name}'",
            remedy="measure it anew on images: bnext-convert --recalibrate, convert(recalibrate=...)",
        )


def _check_precision(model):
    for name, precision in other_precisions(model).items():
        raise ConversionError(
            f"it computes in mixed precision ({precision})" if is_mixed(precision) else f"it is {precision}",
            where=f"layer '{name}'",
            remedy="have it converted as a model of float32: bnext-convert --float32, convert(float32=True)",
        )


def _check_temperatures(model):
    hot = soft_kernels(model)
    if hot:
        name, value = max(hot.items(), key=lambda item: item[1])
        raise ConversionError(
            f"its weight temperature is {value:.2g}, not annealed: the network was trained with kernels that are not "
            "binary yet",
            where=f"layer '{name}'",
            remedy="train on until WeightTemperature reaches 0, or take the kernels' signs as they are, as validation "
            "did: bnext-convert --harden, convert(harden=True)",
        )
