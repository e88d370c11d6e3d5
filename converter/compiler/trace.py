"""From a Keras model to a `converter.graph.Graph`."""

from contextlib import ExitStack, contextmanager
from functools import partial
from types import MethodType

from bnext_keras.errors import ConversionError
from bnext_keras.layer_graph import trained_bits
from bnext_keras.patching import attribute
from bnext_keras.sublayers import sublayers

import tensorflow as tf

from converter.compiler._tensorflow import freeze_variables, mark
from converter.graph import TRAINED_BITS, BinaryCall, Graph, Node
from converter.source.binary_layers import binary_convs
from converter.source.forms import KINDS, form_of, kind_of
from converter.source.interface import call, input_names, output_names

#: Attribute of a convolution of TensorFlow's graph that stands for the call of a binary one: the call's number.
_CALL = "_binary_call"
#: Attribute of a constant of TensorFlow's graph that is a kernel trained in few bits: how many.
_BITS = "_trained_bits"


def trace(model: tf.keras.Model, batch: int = 1) -> Graph:
    """Records what a model computes in evaluation for one image, or one of whatever it takes, or for some of them.

    The model is called once. Each call of a binary convolution becomes one node, whatever operations it consists of; no
    latent kernel is even read.

    Args:
        model: A model that `converter.compiler.preflight` has checked.
        batch: How many images.

    Raises:
        ConversionError: if a layer's class does not leave its binary convolution to Larq's `QuantConv2D`.

    Example:
        >>> import bnext_keras
        >>> graph = trace(bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10))
        >>> [node.call.layer.name for node in graph.nodes() if node.op == "BinaryConv2D"]
        ['block1_3x3_conv', 'block1_1x1a_conv', 'block1_1x1b_conv']
    """
    layers = binary_convs(model)
    forms = {id(layer): form_of(layer) for layer in layers}
    kernel_shapes = [forms[id(layer)].conv.kernel.shape for layer in layers]
    calls: list[BinaryCall] = []
    # What a user calls an input need not be a name for TensorFlow.
    placeholders = ["image"] if len(model.inputs) == 1 else [f"input{i}" for i in range(len(model.inputs))]
    specs = [
        tf.TensorSpec((batch, *tensor.shape[1:]), tensor.dtype, name=name)
        for name, tensor in zip(placeholders, model.inputs, strict=True)
    ]

    trained = _trained_kernels(model)

    @tf.function(input_signature=[specs, list(map(tf.TensorSpec, kernel_shapes))], autograph=False)
    def evaluate(inputs, kernels):
        kernel_of = dict(zip(map(id, layers), kernels, strict=True))

        def convolution(layer, inputs):
            form = forms[id(layer)]
            conv = form.conv
            options = {"padding": conv.padding.upper(), "dilations": conv.dilation_rate}
            result = tf.nn.conv2d(form.before(inputs), kernel_of[id(layer)], conv.strides, **options)
            mark(result, _CALL, len(calls))
            calls.append(BinaryCall(conv, len(calls), form=form))
            result = form.after(result, inputs)
            if layer.use_bias:
                result = tf.nn.bias_add(result, layer.bias)
            return result if layer.activation is None else layer.activation(result)

        with _convolving(layers, convolution), _holding(trained):
            return [tf.identity(result) for result in call(model, inputs)]

    frozen = freeze_variables(evaluate)
    _check_called(layers, forms, calls)
    nodes: dict[str, Node] = {}
    for operation in frozen.graph.get_operations():
        _add(operation, nodes, calls)
    # The kernels' places come behind the inputs.
    inputs = {name: nodes[tensor.name] for name, tensor in zip(input_names(model), frozen.inputs, strict=False)}
    return Graph(
        inputs, {name: nodes[tensor.name] for name, tensor in zip(output_names(model), frozen.outputs, strict=True)}
    )


@contextmanager
def _convolving(layers, convolution):
    """Lets ``convolution(layer, inputs)`` do for a while what Larq does in `QuantConv2D.call`, and that of its like.

    A class of a user's may do more in its own `call`, multiply with a scale of its own say; that must stay. So each
    layer gets a class whose method comes right before Larq's: behind those of the user's class, which reach it by
    ``super().call(inputs)``.
    """

    # Keras passes `training` to those layers alone that named it before; a Larq layer does not.
    def convolve(self, inputs, training=None):
        return convolution(self, inputs)

    convolving_kinds = {kind: type("Convolving", (kind,), {"call": convolve}) for kind in KINDS}

    with ExitStack() as stack:
        for layer in layers:
            kind, own = type(layer), kind_of(layer)
            bases = (convolving_kinds[own],) if kind is own else (kind, convolving_kinds[own])
            convolving = type(kind.__name__, bases, {})
            stack.callback(object.__setattr__, layer, "__class__", kind)
            object.__setattr__(layer, "__class__", convolving)
            # Keras leaves the method in the layer itself when it has saved a model.
            if "call" in vars(layer):
                stack.enter_context(attribute(layer, "call", MethodType(convolving.call, layer)))
        yield


def _trained_kernels(model):
    """Kernels that are trained in few bits, as Keras computes with them; layers beside them."""
    layers = [layer for layer in sublayers(model) if trained_bits(layer) is not None]
    return [(layer, tf.convert_to_tensor(layer.effective_kernel()).numpy()) for layer in layers]


@contextmanager
def _holding(trained):
    """Lets each of these layers compute with a constant for a while, by whose mark passes know it."""

    def constant(kernel, bits):
        tensor = tf.constant(kernel)
        mark(tensor, _BITS, bits)
        return tensor

    with ExitStack() as stack:
        for layer, kernel in trained:
            make = partial(constant, kernel, trained_bits(layer))
            stack.enter_context(attribute(layer, "effective_kernel", make))
        yield


def _check_called(layers, forms, calls):
    """Refuses classes that write their convolution themselves: it would run as floats."""
    called = {id(call.layer) for call in calls}
    for layer in layers:
        if id(forms[id(layer)].conv) not in called:
            name, own = type(layer).__name__, kind_of(layer).__name__
            raise ConversionError(
                f"{name}.call does not use {own}'s, so its convolution would run as floats",
                where=f"layer '{layer.name}'",
                remedy="have it call super().call(inputs), and do around that what else it does",
            )


def _add(operation, nodes, calls):
    """Adds the node of one operation, and an ``Item`` for each result if there are several."""
    if not operation.outputs:
        return
    attributes = dict(operation.node_def.attr)
    inputs = [nodes[tensor.name] for tensor in operation.inputs]
    shapes = [tuple(tensor.shape) if tensor.shape.rank is not None else None for tensor in operation.outputs]
    fields = {"shape": shapes[0] if len(shapes) == 1 else None, "name": operation.name}
    if operation.type == "Placeholder":
        node = Node("Input", **fields, attributes=attributes)
    elif operation.type == "Const":
        bits = {TRAINED_BITS: attributes[_BITS].i} if _BITS in attributes else None
        node = Node("Const", value=tf.make_ndarray(attributes["value"].tensor), attributes=bits, **fields)
    elif _CALL in attributes:
        # Its second input, which stands for the kernel, is left behind.
        node = Node("BinaryConv2D", inputs[:1], call=calls[attributes[_CALL].i], **fields)
    else:
        node = Node(operation.type, inputs, attributes=attributes, **fields)
    if len(shapes) == 1:
        nodes[operation.outputs[0].name] = node
        return
    for i, (tensor, shape) in enumerate(zip(operation.outputs, shapes, strict=True)):
        nodes[tensor.name] = Node("Item", [node], shape=shape, attributes={"index": i}, name=operation.name)
