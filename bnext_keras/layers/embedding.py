"""Embeddings of one bit for each number."""

import larq as lq
import numpy as np
import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class BinaryEmbedding(tf.keras.layers.Layer):
    r"""An embedding bag whose table is binary: the sign of the mean of its rows' signs.

    $$y = \mathrm{sign}\Big(\tfrac{1}{n} \sum_{k=1}^{n} \mathrm{sign}(T_{i_k})\Big)$$

    for a bag of n indices; both signs have a gradient of 1 where what they are taken of is within [-1, 1]. The latent
    table is float; `packed_table` is what an application needs of it, a bit for each number.

    Takes indices ``(batch, n)``, returns ``(batch, dim)``.

    Args:
        rows: Number of rows.
        dim: Numbers in a row.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.layers.BinaryEmbedding(100, 16)(tf.constant([[7], [99]])).shape.as_list()
        [2, 16]

    Reference:
        bitorch 0.3.0's binary DLRM (hpi-xnor/bitorch).
    """

    def __init__(self, rows, dim, **kwargs):
        super().__init__(**kwargs)
        self.rows = rows
        self.dim = dim

    def build(self, input_shape):
        initial = tf.keras.initializers.RandomUniform(-0.05, 0.05)
        constraint = lq.constraints.WeightClip(1.0)
        shape = (self.rows, self.dim)
        self.table = self.add_weight(name="table", shape=shape, initializer=initial, constraint=constraint)
        self.table.precision = 1
        super().build(input_shape)

    def call(self, inputs):
        rows = lq.quantizers.ste_sign(tf.gather(self.table, inputs))
        return lq.quantizers.ste_sign(tf.reduce_mean(rows, axis=-2))

    def packed_table(self) -> np.ndarray:
        """The table's signs, uint8 of shape ``(rows, ceil(dim / 8))``: the highest bit is the first, 1 for -1."""
        return np.packbits(self.table.numpy() < 0, axis=-1)

    def get_config(self):
        return {**super().get_config(), "rows": self.rows, "dim": self.dim}


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class PackedEmbedding(tf.keras.layers.Layer):
    """`BinaryEmbedding` after training: its table is kept in bits, a 32nd of its float size, and cannot be trained.

    A lookup gathers bytes and unpacks them, with operators that every TFLite interpreter has.

    Args:
        rows: Number of rows.
        dim: Numbers in a row.

    Example:
        >>> import bnext_keras, numpy as np, tensorflow as tf
        >>> latent = bnext_keras.layers.BinaryEmbedding(100, 20)
        >>> indices = tf.constant([[7, 8, 9], [99, 0, 1]])
        >>> expected = latent(indices)
        >>> packed = bnext_keras.layers.PackedEmbedding.of(latent)
        >>> packed.weights[0].dtype.name, packed.weights[0].shape.as_list()
        ('uint8', [100, 3])
        >>> bool(np.all(packed(indices) == expected))
        True
    """

    def __init__(self, rows, dim, **kwargs):
        super().__init__(**kwargs)
        self.rows = rows
        self.dim = dim

    @classmethod
    def of(cls, layer: BinaryEmbedding) -> "PackedEmbedding":
        """The packed form of a trained layer, of the same name."""
        packed = cls(layer.rows, layer.dim, name=layer.name)
        packed.build((None, None))
        packed.table.assign(layer.packed_table())
        return packed

    def build(self, input_shape):
        shape = (self.rows, -(-self.dim // 8))
        self.table = self.add_weight(name="table", shape=shape, dtype=tf.uint8, initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, inputs):
        packed = tf.cast(tf.gather(self.table, inputs), tf.int32)
        divisors = tf.constant([128, 64, 32, 16, 8, 4, 2, 1])
        bits = tf.math.floormod(tf.math.floordiv(packed[..., tf.newaxis], divisors), 2)
        shape = tf.concat([tf.shape(packed)[:-1], [8 * packed.shape[-1]]], axis=0)
        bits = tf.cast(tf.reshape(bits, shape)[..., : self.dim], self.compute_dtype)
        return lq.math.sign(tf.reduce_mean(1 - 2 * bits, axis=-2))

    def get_config(self):
        return {**super().get_config(), "rows": self.rows, "dim": self.dim}
