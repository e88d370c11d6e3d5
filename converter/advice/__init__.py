"""What keeps a Larq model from running right or fast, with the layer and a remedy.

Each rule is a function from a `LayerGraph` to pieces of advice. A rule speaks where the author most likely did not mean
what the model says, or where a change that costs no accuracy makes it faster; never of what is customary in binary
networks, such as float stems, float 1x1 shortcuts and squeeze-and-expand. It holds for some of the targets of
`converter.runtimes`: of Larq Compute Engine's kernels nothing is said where other ones run the file.

>>> import bnext_keras, larq as lq, tensorflow as tf
>>> image = tf.keras.Input((8, 8, 32))
>>> conv = lq.layers.QuantConv2D(32, 3, input_quantizer="ste_sign", kernel_quantizer="ste_sign", name="conv")
>>> for advice in advise(tf.keras.Model(image, conv(tf.keras.layers.ReLU(name="relu")(image)))):
...     print(advice)
wrong: conv: its input is never negative (ReLU 'relu'), so every sign of it is +1; remove the activation before the \
binary convolution, or put a batch normalization between
"""

from collections.abc import Callable, Iterator

from bnext_keras.layer_graph import LayerGraph

import tensorflow as tf

from converter.advice import signs, size, speed
from converter.advice.finding import SEVERITIES, Advice, merged
from converter.compiler._tensorflow import eagerly
from converter.compiler.preflight import check_built
from converter.source.binary_layers import signs_moved_into_convolutions

__all__ = ["RULES", "SEVERITIES", "Advice", "advise", "merged"]

#: Targets that rules hold for: all of them, those that compute on bits, Larq Compute Engine alone.
_ALL, _ON_BITS, _LCE = ("lce", "engine", "tflite", "onnx"), ("lce", "engine"), ("lce",)

#: The rules, and which targets each holds for.
RULES: dict[Callable[[LayerGraph], Iterator[Advice]], tuple[str, ...]] = {
    signs.inputs_that_are_no_signs: _ALL,
    signs.constant_signs: _ALL,
    signs.negative_zeros: _LCE,
    signs.half_binary: _ALL,
    speed.large_float_convolutions: _ON_BITS,
    speed.channels_off_the_word: _LCE,
    speed.groups: _ALL,
    speed.activations_that_are_not_fused: _LCE,
    speed.absolute_values: _LCE,
    speed.softmax: _ALL,
    size.fixed_batches: _ALL,
    size.unusual_paddings: _ALL,
}


@eagerly
def advise(model: tf.keras.Model, refusals: bool = False, *, target: str = "lce") -> list[Advice]:
    """All advice on a model, the gravest first.

    Args:
        model: A built functional or sequential model of static input shape.
        refusals: Whether to look also for every layer that a conversion would refuse. That takes a moment, because all
            kernels are read.
        target: What the file would be for, a name in `converter.runtimes.RUNTIMES`.

    Raises:
        ConversionError: if the model's layers and ways are not known.
    """
    check_built(model)
    with signs_moved_into_convolutions(model):
        layer_graph = LayerGraph(model)
        found = [advice for rule, targets in RULES.items() if target in targets for advice in rule(layer_graph)]
        if refusals:
            refused = list(signs.unconvertible(layer_graph))
            # What a rule has said of the same layer is the reason now.
            reasons = {(advice.layer, advice.what) for advice in refused}
            found = [*refused, *(advice for advice in found if (advice.layer, advice.what) not in reasons)]
    return sorted(dict.fromkeys(found), key=lambda advice: SEVERITIES.index(advice.severity))
