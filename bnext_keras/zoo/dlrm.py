"""A binary DLRM: a recommendation model whose embedding tables are signs.

By the code of others, and without a published accuracy: bitorch has this form of Meta's DLRM. Nearly all of such a
model is tables: 2.16 GB of floats for Criteo's Kaggle data, 64 MiB of bits.

Each table looks up a vector of signs; the bottom network makes a float one of the same length of the dense features.
What the top network reads is that vector and all products of two different vectors.

References:
    Naumov et al., "Deep Learning Recommendation Model for Personalization and Recommendation Systems",
    arXiv 1906.00091; bitorch 0.3.0 (hpi-xnor/bitorch).
"""

from collections.abc import Sequence

from bnext_keras.layers import BinaryEmbedding, Dense, PackedEmbedding, TakeChannels
from bnext_keras.roles import STEM
from bnext_keras.zoo._blocks import PYTORCH, ste

import larq as lq
import tensorflow as tf

Layers = tf.keras.layers

#: Rows of the embedding tables for the Criteo data set of Kaggle's competition.
CRITEO_KAGGLE = (
    *(1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194),
    *(27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572),
)


def BinaryDLRM(
    rows: Sequence[int] = CRITEO_KAGGLE,
    *,
    dense_features: int = 13,
    dim: int = 16,
    bottom: Sequence[int] = (512, 256, 64),
    top: Sequence[int] = (512, 256),
    packed: bool = False,
    name: str = "binary_dlrm",
) -> tf.keras.Model:
    """A DLRM with binary embedding tables and a binary top network; returns one logit.

    Args:
        rows: Rows of each embedding table. The latent tables of Criteo's take 2.2 GB.
        dense_features: Number of dense features.
        dim: Length of every vector.
        bottom: Widths of the float network for the dense features, without its last, which is ``dim``.
        top: Widths of the binary network for the products, without its last, which is 1.
        packed: Whether tables are kept in bits and cannot be trained, see `pack`.
        name: Name of the model.

    Returns:
        A model of two inputs, ``dense``, floats ``(batch, dense_features)``, and ``sparse``, one index for each table,
        ``(batch, tables)``; its output is ``(batch, 1)``.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.zoo.BinaryDLRM([10, 100], bottom=[32], top=[32])
        >>> model.output_shape
        (None, 1)
    """
    dense = tf.keras.Input((dense_features,), name="dense")
    sparse = tf.keras.Input((len(rows),), dtype=tf.int32, name="sparse")
    x = dense
    for i, units in enumerate((*bottom, dim)):
        x = _layer(x, units, f"bottom{i}")
    table = PackedEmbedding if packed else BinaryEmbedding
    vectors = [x, *(table(n, dim, name=f"table{i}")(sparse[:, i : i + 1]) for i, n in enumerate(rows))]
    x = Layers.Concatenate(name="interaction")([x, _products(vectors)])
    for i, units in enumerate(top):
        x = _layer(x, units, f"top{i}", binary=True)
    x = _layer(x, 1, f"top{len(top)}", binary=True, activation=False)
    return tf.keras.Model([dense, sparse], x, name=name)


def pack(model: tf.keras.Model) -> tf.keras.Model:
    """The same network with its tables in bits: a 32nd of their size, answers that are equal, and no training.

    Args:
        model: A model made by `BinaryDLRM`.

    Example:
        >>> import bnext_keras
        >>> from bnext_keras.zoo.dlrm import pack
        >>> pack(bnext_keras.zoo.BinaryDLRM([10, 100], bottom=[32], top=[32])).get_layer("table1").table.shape.as_list()
        [100, 2]
    """

    def clone(layer):
        if isinstance(layer, BinaryEmbedding):
            return PackedEmbedding(layer.rows, layer.dim, name=layer.name)
        return type(layer).from_config(layer.get_config())

    packed = tf.keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        if isinstance(layer, BinaryEmbedding):
            packed.get_layer(layer.name).set_weights([layer.packed_table()])
        else:
            packed.get_layer(layer.name).set_weights(layer.get_weights())
    return packed


def _layer(x, units, name, *, binary=False, activation=True):
    """Normalization, a linear layer, normalization, and a PReLU of one slope."""
    x = PYTORCH(x, f"{name}_bn1")
    if binary:
        options = {"input_quantizer": ste(1.0)(), "kernel_quantizer": "approx_sign", "kernel_constraint": "weight_clip"}
        x = lq.layers.QuantDense(units, **options, use_bias=False, name=name)(x)
    else:
        x = Dense(units, role=STEM, name=name)(x)
    x = PYTORCH(x, f"{name}_bn2")
    if not activation:
        return x
    initial = tf.keras.initializers.Constant(0.25)
    return Layers.PReLU(shared_axes=[1], alpha_initializer=initial, name=f"{name}_act")(x)


def _products(vectors):
    """All products of two different vectors, row by row below the diagonal of their matrix."""
    stacked = Layers.Concatenate(name="vectors_flat")(vectors)
    stacked = Layers.Reshape((len(vectors), vectors[0].shape[-1]), name="vectors")(stacked)
    products = Layers.Dot(axes=2, name="products")([stacked, stacked])
    number = len(vectors)
    below = [i * number + j for i in range(number) for j in range(i)]
    flat = Layers.Reshape((number * number,), name="products_flat")(products)
    return TakeChannels(below, name="products_below")(flat)
