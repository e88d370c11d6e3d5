"""MeliusNet: a binary network whose feature maps are widened and then improved, in turn.

Read it from the bottom up like the paper's figures: a block is a *dense block*, which appends 64 channels, and an
*improvement block*, which adds to just these; `MeliusNet` strings them into sections with transitions between.

References:
    Bethge, Bartz, Yang, Chen, Meinel, "MeliusNet: An Improved Network Architecture for Binary Neural Networks",
    arXiv 2001.05936, WACV 2021.
    Larq Zoo's MeliusNet22, whose layer names and order of weights these models share: its
    ``meliusnet22_weights.h5`` can be loaded into `MeliusNet22` as it is.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bnext_keras.layers import Conv2D, ShuffleChannels, SplitChannels
from bnext_keras.models._common import batch_norm
from bnext_keras.models.constructor import Ends, Options, constructor
from bnext_keras.roles import OTHER, STEM

import larq as lq
import tensorflow as tf

if TYPE_CHECKING:
    from typing_extensions import Unpack

Layers = tf.keras.layers

#: Blocks of each section, channels behind each transition, and groups of the transitions' 1x1 convolutions.
SECTIONS = {
    "MeliusNet22": ((4, 5, 4, 4), (160, 224, 256), 1),
    "MeliusNet23": ((2, 4, 6, 6), (128, 192, 288), 8),
    "MeliusNet29": ((4, 6, 8, 6), (128, 192, 256), 1),
    "MeliusNet42": ((5, 8, 14, 10), (160, 256, 416), 1),
    "MeliusNet59": ((6, 12, 24, 12), (192, 320, 544), 1),
    "MeliusNetA": ((4, 5, 5, 6), (160, 256, 288), 4),
    "MeliusNetB": ((4, 6, 8, 6), (160, 224, 320), 2),
    "MeliusNetC": ((3, 5, 10, 6), (128, 192, 288), 4),
}

#: Channels that each block appends.
GROWTH = 64
#: Groups in which channels are shuffled before a grouped transition, whatever the number of its own groups.
SHUFFLE_GROUPS = 16
#: The sign's gradient is 1 up to here, and latent weights are clipped here.
CLIP = 1.3


class MeliusNetOptions(Options, total=False):
    """The keyword arguments of `MeliusNet` and its variants: those of every network, and these three."""

    stem: str
    stem_stride: int
    pad_value: float


_DEFAULTS: dict[str, Any] = {"stem": "grouped", "stem_stride": 1, "pad_value": 0.0}


@constructor(name="meliusnet", **_DEFAULTS)
def MeliusNet(
    blocks: Sequence[int], transitions: Sequence[int], groups: int = 1, **options: "Unpack[MeliusNetOptions]"
) -> tf.keras.Model:
    """Builds a MeliusNet of any size as a functional Keras model that returns logits.

    Args:
        blocks: Number of blocks of each section.
        transitions: Channels behind the transition after each section but the last.
        groups: Groups of the transitions' 1x1 convolutions; above 1 the channels are shuffled before.
        **options: The three next ones, and those below. Both sides of an image must be divisible by the network's total
            stride, 32 for the published variants, 8 for small images. (Larq Zoo's model ends in a softmax, this one in
            logits.)
        stem: ``"grouped"``, the paper's three 3x3 convolutions; ``"conv7x7"``, ResNet's; or ``"conv3x3"``, a bare 3x3
            convolution, which images of up to 64 pixels get in any case.
        stem_stride: Of the bare 3x3 convolution: 1 keeps the resolution, and 2 halves it, which leaves a network for
            small images a quarter of its operations. The other stems quarter the resolution.
        pad_value: What binary convolutions see beyond the map's edge: 0 as in the paper and Larq Zoo, -1 as in bitorch,
            or 1, in which form bitorch's networks convert to a smaller file (see
            `bnext_keras.importers.load_meliusnet_state_dict`).

    Returns:
        A `tf.keras.Model` from ``(batch, height, width, channels)`` to ``(batch, num_classes)``.

    Raises:
        ValueError: if the arguments do not fit each other.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.MeliusNet([1, 1], [64], input_shape=(32, 32, 3), num_classes=10)
        >>> model.output_shape
        (None, 10)
    """
    return _meliusnet(blocks, transitions, groups, Ends(MeliusNet, options))


@constructor(name="meliusnet22", classes="imagenet", **_DEFAULTS)
def MeliusNet22(**options: "Unpack[MeliusNetOptions]") -> tf.keras.Model:
    """MeliusNet22, 63.6% top-1 on ImageNet (62.4% with Larq Zoo's weights). Takes the keyword arguments of `MeliusNet`.

    Example:
        >>> import bnext_keras
        >>> bnext_keras.models.MeliusNet22(input_shape=(32, 32, 3), num_classes=10).name
        'meliusnet22'
    """
    return _meliusnet(*SECTIONS["MeliusNet22"], Ends(MeliusNet22, options))


@constructor(name="meliusnet23", classes="imagenet", **_DEFAULTS)
def MeliusNet23(**options: "Unpack[MeliusNetOptions]") -> tf.keras.Model:
    """MeliusNet23, the one with the fewest operations. Takes the keyword arguments of `MeliusNet`."""
    return _meliusnet(*SECTIONS["MeliusNet23"], Ends(MeliusNet23, options))


@constructor(name="meliusnet29", classes="imagenet", **_DEFAULTS)
def MeliusNet29(**options: "Unpack[MeliusNetOptions]") -> tf.keras.Model:
    """MeliusNet29, 65.8% top-1 on ImageNet. Takes the keyword arguments of `MeliusNet`."""
    return _meliusnet(*SECTIONS["MeliusNet29"], Ends(MeliusNet29, options))


@constructor(name="meliusnet42", classes="imagenet", **_DEFAULTS)
def MeliusNet42(**options: "Unpack[MeliusNetOptions]") -> tf.keras.Model:
    """MeliusNet42, 69.2% top-1 on ImageNet. Takes the keyword arguments of `MeliusNet`."""
    return _meliusnet(*SECTIONS["MeliusNet42"], Ends(MeliusNet42, options))


@constructor(name="meliusnet59", classes="imagenet", **_DEFAULTS)
def MeliusNet59(**options: "Unpack[MeliusNetOptions]") -> tf.keras.Model:
    """MeliusNet59, 70.7% top-1 on ImageNet. Takes the keyword arguments of `MeliusNet`."""
    return _meliusnet(*SECTIONS["MeliusNet59"], Ends(MeliusNet59, options))


@constructor(name="meliusnet_a", classes="imagenet", **_DEFAULTS)
def MeliusNetA(**options: "Unpack[MeliusNetOptions]") -> tf.keras.Model:
    """MeliusNetA (25/4), 63.4% top-1 on ImageNet. Takes the keyword arguments of `MeliusNet`."""
    return _meliusnet(*SECTIONS["MeliusNetA"], Ends(MeliusNetA, options))


@constructor(name="meliusnet_b", classes="imagenet", **_DEFAULTS)
def MeliusNetB(**options: "Unpack[MeliusNetOptions]") -> tf.keras.Model:
    """MeliusNetB (29/2), 65.7% top-1 on ImageNet. Takes the keyword arguments of `MeliusNet`."""
    return _meliusnet(*SECTIONS["MeliusNetB"], Ends(MeliusNetB, options))


@constructor(name="meliusnet_c", classes="imagenet", **_DEFAULTS)
def MeliusNetC(**options: "Unpack[MeliusNetOptions]") -> tf.keras.Model:
    """MeliusNetC, 64.1% top-1 on ImageNet. Takes the keyword arguments of `MeliusNet`."""
    return _meliusnet(*SECTIONS["MeliusNetC"], Ends(MeliusNetC, options))


def _meliusnet(blocks, transitions, groups, ends):
    _check_sections(blocks, transitions, groups)
    stem, stem_stride, pad_value = (ends.values[name] for name in _DEFAULTS)
    if stem not in (*_STEMS, "conv3x3"):
        raise ValueError(f"stem must be one of {', '.join(map(repr, (*_STEMS, 'conv3x3')))}, got {stem!r}")
    if stem_stride not in (1, 2):
        raise ValueError(f"stem_stride must be 1 or 2, got {stem_stride}")
    if pad_value not in (-1, 0, 1):
        raise ValueError(f"pad_value must be -1, 0 or 1, got {pad_value}")
    if ends.is_small or stem == "conv3x3":
        x = _conv3x3_stem(ends.image(stem_stride * 2 ** len(transitions)), stem_stride)
    elif stem_stride != 1:
        raise ValueError(f"stem_stride={stem_stride}: the stem {stem!r} has strides of its own")
    else:
        x = _STEMS[stem](ends.image(4 * 2 ** len(transitions)))
    for i, number in enumerate(blocks):
        for j in range(number):
            x = _block(x, float(pad_value), f"section_{i}_block_{j}")
        if i < len(transitions):
            x = _transition(x, transitions[i], groups, f"section_{i}_transition")
    x = batch_norm("head_bn")(x)
    x = Layers.ReLU(name="head_relu")(x)
    return ends.model(x, lambda x: ends.classifier(x, "head_dense", kernel_initializer="glorot_normal"))


def _grouped_stem(x):
    x = _conv(32, 3, STEM, "stem_s0_conv", strides=2)(x)
    x = Layers.ReLU(name="stem_s0_relu")(batch_norm("stem_s0_bn")(x))
    x = _grouped_conv(x, 32, 3, 4, STEM, "stem_s1_groupconv")
    x = Layers.ReLU(name="stem_s1_relu")(batch_norm("stem_s1_bn")(x))
    x = _grouped_conv(x, 64, 3, 8, STEM, "stem_s2_groupconv")
    x = Layers.ReLU(name="stem_s2_relu")(batch_norm("stem_s2_bn")(x))
    return Layers.MaxPooling2D(2, padding="same", name="stem_pool")(x)


def _conv7x7_stem(x):
    x = _conv(64, 7, STEM, "stem_conv", strides=2)(x)
    x = Layers.ReLU(name="stem_relu")(batch_norm("stem_bn")(x))
    return Layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)


def _conv3x3_stem(x, stride):
    return _conv(64, 3, STEM, "stem_conv", strides=stride)(x)


#: The stems that quarter the resolution.
_STEMS = {"grouped": _grouped_stem, "conv7x7": _conv7x7_stem}


def _block(x, pad_value, name):
    """A dense block, then an improvement block.

    The improvement is added to the last 64 channels of what the dense block returns. These are exactly the ones that it
    has just appended, so nothing has to be cut out of the map or padded to its width.
    """
    new = _binary_conv(x, pad_value, f"{name}_dense")
    wide = Layers.Concatenate(name=f"{name}_dense_concat")([x, new])
    improvement = _binary_conv(wide, pad_value, f"{name}_improve")
    new = Layers.Add(name=f"{name}_improve_add")([new, improvement])
    return Layers.Concatenate(name=f"{name}_improve_concat")([x, new])


def _binary_conv(x, pad_value, name):
    x = batch_norm(f"{name}_bn")(x)
    return lq.layers.QuantConv2D(
        GROWTH,
        3,
        padding="same",
        pad_values=pad_value,
        use_bias=False,
        input_quantizer=lq.quantizers.SteSign(clip_value=CLIP),
        kernel_quantizer=lq.quantizers.SteSign(clip_value=CLIP),
        kernel_constraint=lq.constraints.WeightClip(CLIP),
        kernel_initializer="glorot_normal",
        name=f"{name}_binconv",
    )(x)


def _transition(x, filters, groups, name):
    x = batch_norm(f"{name}_bn")(x)
    x = Layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    x = Layers.ReLU(name=f"{name}_relu")(x)
    if groups == 1:
        return _conv(filters, 1, OTHER, f"{name}_pw")(x)
    x = ShuffleChannels(SHUFFLE_GROUPS, name=f"{name}_shuffle")(x)
    return _grouped_conv(x, filters, 1, groups, OTHER, f"{name}_pw")


def _grouped_conv(x, filters, kernel_size, groups, role, name):
    """A grouped convolution as one for each group: TFLite has no grouped one, and Larq Zoo's weights come in parts."""
    parts = SplitChannels(groups, name=f"{name}_split")(x)
    parts = [_conv(filters // groups, kernel_size, role, f"{name}_conv{i}")(part) for i, part in enumerate(parts)]
    return Layers.Concatenate(name=f"{name}_concat")(parts)


def _conv(filters, kernel_size, role, name, *, strides=1):
    return Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="glorot_normal",
        role=role,
        name=name,
    )


def _check_sections(blocks, transitions, groups):
    if not blocks or min(blocks) < 1 or len(transitions) != len(blocks) - 1:
        raise ValueError(
            "blocks must name one positive number for each section and transitions the channels between sections, one "
            f"fewer; got blocks {tuple(blocks)} and transitions {tuple(transitions)}"
        )
    if groups == 1:
        return
    channels = 64
    for number, filters in zip(blocks, transitions, strict=False):
        channels += GROWTH * number
        if channels % SHUFFLE_GROUPS or channels % groups or filters % groups:
            raise ValueError(
                f"a transition from {channels} to {filters} channels cannot have {groups} groups: they must divide "
                f"both, and {SHUFFLE_GROUPS} the first"
            )
        channels = filters
