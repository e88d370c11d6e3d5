"""What float layers share whose kernels are trained in few bits."""

from bnext_keras.quantizers.latent import in_full_precision
from bnext_keras.quantizers.low_bit import fake_quantized
from bnext_keras.roles import check_bits

import tensorflow as tf


class KernelBits(tf.keras.layers.Layer):
    """A layer that may compute with the values of its kernel that so many bits can hold.

    They are those of `bnext_keras.quantizers.fake_quantized`, in training and evaluation alike; the weight itself stays
    float32, under mixed precision too. Biases stay as they are.

    Attributes:
        kernel_bits: 2 to 8; None for a kernel that is used as it is. It may be set until the model is compiled
            (`bnext_keras.quantize_weights` does), and is part of the configuration only if it is not None.
    """

    #: Whether the class computes with `effective_kernel`.
    takes_kernel_bits = True

    def __init__(self, *args, kernel_bits=None, **kwargs):
        if kernel_bits is not None and not self.takes_kernel_bits:
            raise ValueError(f"{type(self).__name__} has bits of its own; leave out kernel_bits")
        super().__init__(*args, **kwargs)
        self.kernel_bits = None if kernel_bits is None else check_bits(kernel_bits)

    def get_config(self):
        stated = {} if self.kernel_bits is None else {"kernel_bits": self.kernel_bits}
        return {**super().get_config(), **stated}

    @property
    def weights_of_channels(self):
        """The kernel's variable, whose last axes are the output channels, and the number of these axes."""
        return self.kernel, 1

    def effective_kernel(self):
        """What the layer computes with, in the type that it computes in."""
        variable, axes = self.weights_of_channels
        if self.kernel_bits is None:
            return variable
        kernel = tf.convert_to_tensor(in_full_precision(variable))
        joined = tf.reshape(kernel, (*kernel.shape[:-axes], -1))
        return tf.cast(tf.reshape(fake_quantized(joined, self.kernel_bits), kernel.shape), self.compute_dtype)
