"""BNext: the first binary network above 80% top-1 on ImageNet.

Read it from the bottom up like the paper's figures: `BNext` strings blocks together, a block is a 3x3 and a 1x1
*processor* (the paper's Info-RCP module), and `_processor` is one binary convolution with everything around it.

Reference:
    Guo, Bethge, Meinel, Yang, "Join the High Accuracy Club on ImageNet with A Binary Neural Network Ticket",
    arXiv 2211.12933, TMLR 2023.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bnext_keras.layers import BinaryConv2D, Conv2D, Dense, LearnableBias, LearnableMix
from bnext_keras.models._common import batch_norm
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.roles import SQUEEZE_EXPAND, STEM

import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

#: Channels of the stem and of every block.
WIDTHS = {
    "BNextTiny": (32, 64, *[128] * 2, *[256] * 2, *[512] * 6, *[1024] * 2),
    "BNextSmall": (48, 96, *[192] * 2, *[384] * 2, *[768] * 6, *[1536] * 2),
    "BNextMiddle": (48, 96, *[192] * 4, *[384] * 4, *[768] * 8, *[1536] * 4),
    "BNextLarge": (64, 128, *[256] * 4, *[512] * 4, *[1024] * 16, *[2048] * 4),
}

SQUEEZE_RATIO = 8


class BNextOptions(Options, total=False):
    """The keyword arguments of `BNext` and its variants: those of every network, and what can be left out."""

    stem_stride: int | None
    elm_attention: bool
    info_recoupling: bool


_DEFAULTS: dict[str, Any] = {"stem_stride": None, "elm_attention": True, "info_recoupling": True}


@constructor(name="bnext", **_DEFAULTS)
def BNext(widths: Sequence[int], **options: "Unpack[BNextOptions]") -> tf.keras.Model:
    """Builds a BNext of any size as a functional Keras model that returns logits.

    Args:
        widths: Channels of the stem, then of every block; each block has as many channels as the one before, or twice
            as many. A block that doubles them also halves the resolution, except the first.
        **options: The three next ones, and those below. Both sides of an image must be divisible by the network's total
            stride, 32 for the published variants with a strided stem, 16 without.
        stem_stride: 2 as for ImageNet or 1 as for small images; by default 1 up to 64 pixels and 2 above.
        elm_attention: Whether every second 3x3 processor multiplies with its own input (the paper's ELM-Attention).
        info_recoupling: Whether processors gate their output by squeeze-and-expand of a mix of input and output (the
            paper's Info-RCP).

    Returns:
        A `tf.keras.Model` from ``(batch, height, width, channels)`` to ``(batch, num_classes)``.

    Raises:
        ValueError: if the widths or the input shape do not fit.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([16, 32, 64, 64], input_shape=(32, 32, 3), num_classes=10)
        >>> model.output_shape
        (None, 10)
    """
    return _bnext(widths, Ends(BNext, options))


@constructor(name="bnext_tiny", classes="imagenet", **_DEFAULTS)
def BNextTiny(**options: "Unpack[BNextOptions]") -> tf.keras.Model:
    """BNext-T, 72.4% top-1 on ImageNet. Takes the keyword arguments of `BNext`.

    Example:
        >>> import bnext_keras
        >>> bnext_keras.models.BNextTiny(input_shape=(32, 32, 3), num_classes=10).name
        'bnext_tiny'
    """
    return _bnext(WIDTHS["BNextTiny"], Ends(BNextTiny, options))


@constructor(name="bnext_small", classes="imagenet", **_DEFAULTS)
def BNextSmall(**options: "Unpack[BNextOptions]") -> tf.keras.Model:
    """BNext-S, 76.1% top-1 on ImageNet. Takes the keyword arguments of `BNext`, like `BNextTiny`."""
    return _bnext(WIDTHS["BNextSmall"], Ends(BNextSmall, options))


@constructor(name="bnext_middle", classes="imagenet", **_DEFAULTS)
def BNextMiddle(**options: "Unpack[BNextOptions]") -> tf.keras.Model:
    """BNext-M, 78.3% top-1 on ImageNet. Takes the keyword arguments of `BNext`, like `BNextTiny`."""
    return _bnext(WIDTHS["BNextMiddle"], Ends(BNextMiddle, options))


@constructor(name="bnext_large", classes="imagenet", **_DEFAULTS)
def BNextLarge(**options: "Unpack[BNextOptions]") -> tf.keras.Model:
    """BNext-L, 80.57% top-1 on ImageNet. Takes the keyword arguments of `BNext`, like `BNextTiny`."""
    return _bnext(WIDTHS["BNextLarge"], Ends(BNextLarge, options))


@constructor(name="bnext_18", classes="imagenet", **_DEFAULTS)
def BNext18(**options: "Unpack[BNextOptions]") -> tf.keras.Model:
    """BNext-18: BNext's processors in the shape of ResNet-18, 68.4% top-1 on ImageNet.

    Four stages of two blocks, each two 3x3 processors, with float 1x1 convolutions where the width changes. With
    ``stem_stride=2`` the stem is ResNet's 7x7 with max pooling, with 1 a plain 3x3. Takes the keyword arguments of
    `BNext`.

    Example:
        >>> import bnext_keras
        >>> bnext_keras.models.BNext18(input_shape=(32, 32, 3), num_classes=10).output_shape
        (None, 10)
    """
    return _bnext18(Ends(BNext18, options))


def _bnext(widths, ends):
    _check_widths(widths)
    stem_stride, elm_attention = _stem_stride(ends), ends.values["elm_attention"]
    strides = [2 if i > 1 and widths[i] != widths[i - 1] else 1 for i in range(1, len(widths))]

    x = ends.image(stem_stride * 2 ** strides.count(2))
    x = Conv2D(widths[0], 3, strides=stem_stride, padding="same", use_bias=False, role=STEM, name="stem_conv")(x)
    x = batch_norm("stem_bn")(x)
    options = {"recoupling": ends.values["info_recoupling"]}
    for i, (filters, stride) in enumerate(zip(widths[1:], strides, strict=True), start=1):
        elm = elm_attention and i % 2 == 0
        x = _processor(x, x.shape[-1], 3, f"block{i}_3x3", stride=stride, elm=elm, **options)
        x = _pointwise(x, filters, f"block{i}_1x1", **options)
    return ends.model(_prelu("head_prelu")(x))


def _bnext18(ends):
    stem_stride, elm_attention = _stem_stride(ends), ends.values["elm_attention"]

    x = ends.image(8 * (4 if stem_stride == 2 else 1))
    kernel_size = 7 if stem_stride == 2 else 3
    x = Conv2D(64, kernel_size, strides=stem_stride, padding="same", use_bias=False, role=STEM, name="stem_conv")(x)
    x = batch_norm("stem_bn")(x)
    if stem_stride == 2:
        x = Layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, filters in enumerate((64, 128, 256, 512)):
        for block in (0, 1):
            prefix = f"stage{stage}_block{block}"
            stride = 2 if stage > 0 and block == 0 else 1
            options = {"recoupling": ends.values["info_recoupling"], "mix_shortcut": True}
            x = _processor(x, filters, 3, f"{prefix}_3x3a", stride=stride, elm=elm_attention, **options)
            x = _processor(x, filters, 3, f"{prefix}_3x3b", **options)
    return ends.model(_prelu("head_prelu")(x))


def _pointwise(x, filters, name, *, recoupling):
    """The 1x1 half of a block. Twice the channels come from two processors side by side, each with its own shortcut."""
    channels = x.shape[-1]
    if filters == channels:
        return _processor(x, channels, 1, name, recoupling=recoupling)
    halves = [_processor(x, channels, 1, f"{name}{half}", recoupling=recoupling) for half in "ab"]
    return Layers.Concatenate(name=f"{name}_concat")(halves)


def _processor(x, filters, kernel_size, name, *, stride=1, elm=False, recoupling=True, mix_shortcut=False):
    """One binary convolution with its threshold, normalization, gate and shortcut.

    The gate is computed from a mix of the output with the input: with x itself (pooled to the output's size) in BNext,
    with the shortcut, which in the ELM form is activated, in BNext-18 (``mix_shortcut``).
    """
    y = LearnableBias(name=f"{name}_bias")(x)
    y = BinaryConv2D(filters, kernel_size, strides=stride, name=f"{name}_conv")(y)
    y = batch_norm(f"{name}_bn1")(y)
    y = _prelu(f"{name}_prelu")(y)

    shortcut = _prelu(f"{name}_shortcut_prelu")(x) if elm else x
    if stride == 2:
        shortcut = Layers.AveragePooling2D(2, name=f"{name}_shortcut_pool")(shortcut)
    if filters != x.shape[-1]:
        # No stem to the eye, but the paper's table counts BNext-18's shortcuts as one: 8 bits, not 32.
        shortcut = Conv2D(filters, 1, use_bias=False, role=STEM, name=f"{name}_shortcut_conv")(shortcut)
        shortcut = batch_norm(f"{name}_shortcut_bn")(shortcut)

    out = y
    if recoupling:
        before = shortcut
        if elm and not mix_shortcut:
            before = Layers.AveragePooling2D(2, name=f"{name}_mix_pool")(x) if stride == 2 else x
        out = Layers.Multiply(name=f"{name}_gated")([_gate(before, y, name), y])
    if elm:
        out = Layers.Multiply(name=f"{name}_attended")([out, shortcut])
    if elm or recoupling:
        out = batch_norm(f"{name}_bn2")(out)
    return Layers.Add(name=f"{name}_add")([out, shortcut])


def _gate(before, after, name):
    """One factor in (0, 1) per image and channel: squeeze-and-expand of a mix of what went in and what came out."""
    channels = after.shape[-1]
    mix = LearnableMix(name=f"{name}_mix")([before, after])
    squeezed = Layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_se_pool")(mix)
    options = {"role": SQUEEZE_EXPAND}
    hidden = Dense(max(1, channels // SQUEEZE_RATIO), activation="relu", name=f"{name}_se_squeeze", **options)(squeezed)
    return Dense(channels, activation="sigmoid", name=f"{name}_se_expand", **options)(hidden)


def _prelu(name):
    return Layers.PReLU(shared_axes=[1, 2], alpha_initializer=tf.keras.initializers.Constant(0.25), name=name)


def _check_widths(widths):
    if len(widths) < 2:
        raise ValueError(f"widths must name the stem and at least one block, got {list(widths)}")
    for i in range(1, len(widths)):
        if widths[i] not in (widths[i - 1], 2 * widths[i - 1]):
            raise ValueError(
                f"widths[{i}] = {widths[i]} must equal widths[{i - 1}] = {widths[i - 1]} or be twice as much"
            )


def _stem_stride(ends):
    stem_stride = ends.values["stem_stride"]
    if stem_stride is None:
        return 1 if ends.is_small else 2
    if stem_stride not in (1, 2):
        raise ValueError(f"stem_stride must be 1 or 2, got {stem_stride}")
    return stem_stride
