"""Group-Net: every residual block exists several times, as bases whose results are summed.

A base is a block of two binary convolutions with a shortcut around each. From the second block on a base reads a mix of
what the same base returned before and of what all of them returned together; one learned number for each block says how
much of either (the *soft gate*).

Reference:
    Zhuang et al., "Structured Binary Neural Networks for Accurate Image Classification and Semantic Segmentation",
    arXiv 1811.10413 (CVPR 2019), and its released PyTorch code, whose three files are the three forms of `GroupNet18`.
"""

from typing import TYPE_CHECKING

from bnext_keras.constraints import Unbounded
from bnext_keras.layers import ScaledSum, SoftGate
from bnext_keras.models._common import is_small
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.quantizers import KernelMeanSign
from bnext_keras.roles import STEM
from bnext_keras.zoo._blocks import PYTORCH, RESNET18, WIDTHS, Binary, conv, relu

import larq as lq
import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

BINARY = Binary(lq.quantizers.ApproxSign, KernelMeanSign, clip=None, pad_value=1.0)


@constructor(name="groupnet18", classes="imagenet")
def GroupNet18(
    *,
    bases: int = 5,
    gates: bool = True,
    scales: bool = True,
    summed_base: bool | None = None,
    **options: "Unpack[Options]",
) -> tf.keras.Model:
    """Group-Net in the shape of ResNet-18 with several bases for each block.

    Args:
        bases: How often each block exists.
        gates: Whether a base reads a mix of its own and of the common result; if not, it reads the common one.
        scales: Whether bases are summed with learned scales; if not, the common result is their mean.
        summed_base: Whether the first base's own result is the sum of all bases, as it is, by accident, in the released
            code with gates and without scales; by default just there.
        **options: See below.
    """
    if summed_base is None:
        summed_base = gates and not scales
    return _groupnet(RESNET18, bases, gates, scales, summed_base, Ends(GroupNet18, options))


def _groupnet(blocks, bases, gates, scales, summed_base, ends):
    image = ends.image(8 if ends.is_small else 32)
    common = _stem(image, bias=scales)
    own = None
    for stage, (number, filters) in enumerate(zip(blocks, WIDTHS, strict=True)):
        for i in range(number):
            prefix = f"stage{stage}_block{i}"
            inputs = [common] * bases
            if gates and own is not None:
                mix = SoftGate(name=f"{prefix}_gate")
                inputs = [mix([result, common]) for result in own]
            own = _bases(inputs, filters, prefix, strides=2 if stage > 0 and i == 0 else 1)
            common = ScaledSum(name=f"{prefix}_sum")(own) if scales else _mean(own, f"{prefix}_mean")
            if summed_base and bases > 1:
                own[0] = Layers.Add(name=f"{prefix}_unscaled_sum")(own)
    return ends.model(common)


def _stem(x, bias):
    """ResNet's stem with the pool before the normalization."""
    small = is_small(x.shape[1:])
    x = conv(x, 64, 3 if small else 7, "stem_conv", strides=1 if small else 2, use_bias=bias, role=STEM)
    if not small:
        x = Layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    return PYTORCH(x, "stem_bn")


def _bases(inputs, filters, name, *, strides):
    """The results of all bases; where the width changes they share one shortcut, layers and weights."""
    shortcut = _Shortcut(filters, name) if filters != inputs[0].shape[-1] else None
    results = []
    for i, x in enumerate(inputs):
        prefix = f"{name}_base{i}"
        residual = x if shortcut is None else shortcut(x)
        y = BINARY(x, filters, 3, f"{prefix}_conv1", strides=strides)
        y = PYTORCH(relu(y, f"{prefix}_relu1"), f"{prefix}_bn1")
        x = Layers.Add(name=f"{prefix}_add1")([y, residual])
        y = BINARY(x, filters, 3, f"{prefix}_conv2")
        y = PYTORCH(relu(y, f"{prefix}_relu2"), f"{prefix}_bn2")
        results.append(Layers.Add(name=f"{prefix}_add2")([y, x]))
    return results


def _mean(maps, name):
    return Layers.Average(name=name)(maps) if len(maps) > 1 else maps[0]


class _Shortcut:
    """A binary 1x1 convolution of every second pixel, and its normalization; shared by all that call it.

    The pixels are those of odd rows and columns: the even ones of an image that is turned by 180 degrees.
    """

    def __init__(self, filters, name):
        quantizers = {"input_quantizer": BINARY.sign(), "kernel_quantizer": BINARY.kernel()}
        options = {"strides": 2, "use_bias": False, "kernel_constraint": Unbounded()}
        self.layers = (
            Layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_shortcut_crop"),
            lq.layers.QuantConv2D(filters, 1, **quantizers, **options, name=f"{name}_shortcut_conv"),
            Layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_shortcut_bn"),
        )

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
