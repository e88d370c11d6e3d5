"""ABC-Net's kernels: several binary ones whose weighted sum comes near the latent kernel."""

from bnext_keras.gradients import custom_gradient

import larq as lq
import numpy as np
import tensorflow as tf


@lq.utils.register_keras_custom_object
class KernelBase(lq.quantizers.Quantizer):
    r"""One of M binary bases of a kernel, with its coefficient.

    With $W' = W - \mathrm{mean}(W)$ and the standard deviation $\mathrm{std}(W)$ of the whole kernel,

    $$B_i = \mathrm{sign}\!\left(W' + u_i\, \mathrm{std}(W)\right), \quad u_i = -1 + \frac{2 (i - 1)}{M - 1}, \qquad
    \alpha = \mathrm{argmin}_\alpha \Big\| W - \sum_i \alpha_i B_i \Big\|^2, \qquad q_i(W) = \alpha_i B_i,$$

    $u_1 = 0$ for $M = 1$. The pseudo-gradient is $\partial q_i / \partial W = \alpha_i$: the sign passes everything,
    the coefficient is a constant.

    Args:
        index: Which base, from 0.
        bases: Their number M.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> from bnext_keras.quantizers import KernelBase
        >>> kernel = tf.constant([[3.0], [1.0], [-1.0], [-3.0]])
        >>> [KernelBase(i, 2)(kernel).numpy().ravel().astype(float).round(3).tolist() for i in (0, 1)]
        [[1.5, -1.5, -1.5, -1.5], [1.5, 1.5, 1.5, -1.5]]

    Reference:
        Lin, Zhao, Pan, "Towards Accurate Binary Convolutional Neural Network", arXiv 1711.11294 (NIPS 2017), section
        3.1.
    """

    precision = 1

    def __init__(self, index, bases, **kwargs):
        if not 0 <= index < bases:
            raise ValueError(f"index must be from 0 to {bases - 1}, got {index}")
        super().__init__(**kwargs)
        self.index = index
        self.bases = bases

    def call(self, inputs):
        @custom_gradient
        def binarize(kernel):
            signs = _bases(kernel, self.bases)
            scale = _coefficients(kernel, signs)[self.index]
            return scale * signs[self.index], lambda upstream: scale * upstream

        return binarize(tf.convert_to_tensor(inputs))

    def get_config(self):
        return {**super().get_config(), "index": self.index, "bases": self.bases}


def _bases(kernel, number):
    centred = kernel - tf.reduce_mean(kernel)
    deviation = tf.math.reduce_std(kernel)
    shifts = np.linspace(-1.0, 1.0, number) if number > 1 else [0.0]
    return tf.stack([lq.math.sign(centred + float(shift) * deviation) for shift in shifts])


def _coefficients(kernel, signs):
    """Least squares by the normal equations, of size M x M; two bases may be equal, hence the pseudo-inverse."""
    number = signs.shape[0]
    columns = tf.reshape(signs, (number, -1))
    products = tf.matmul(columns, columns, transpose_b=True)
    right = tf.linalg.matvec(columns, tf.reshape(kernel, [-1]))
    return tf.linalg.matvec(tf.linalg.pinv(products), right)
