"""Latent weights in full precision, whatever a network computes in.

Under Keras' mixed precision variables are float32 and cast to half precision where a layer reads them. Larq quantizes
what has been read, so a latent weight of -1e-8, which float16 holds as -0, would count as +1 in training and as -1 in
the converted file; a temperature of 1e-7 could not be told from 2e-7; and means of latent weights would have three
digits. Importing this module turns the order around for all layers of Larq: a latent weight is quantized in float32,
and the result, signs mostly, which any type holds exactly, is cast.

>>> import bnext_keras, larq as lq, tensorflow as tf
>>> layer = lq.layers.QuantDense(1, kernel_quantizer="ste_sign", kernel_constraint="weight_clip", dtype="mixed_float16")
>>> layer.build((None, 1))
>>> layer.kernel.assign([[-1e-8]]);  # doctest: +ELLIPSIS
<...>
>>> layer(tf.ones((1, 1))).numpy().tolist()
[[-1.0]]
"""

import tensorflow as tf
from larq.quantized_variable import QuantizedVariable
from tf_keras.src.mixed_precision.autocast_variable import AutoCastVariable, create_autocast_variable


def in_full_precision(variable: tf.Variable) -> tf.Variable:
    """A layer's variable as it is, where Keras would cast what is read of it."""
    return variable._variable if isinstance(variable, AutoCastVariable) else variable


_from_variable = QuantizedVariable.from_variable.__func__


def _quantized_before_it_is_cast(cls, variable, quantizer=None, *args, **kwargs):
    if not isinstance(variable, AutoCastVariable):
        return _from_variable(cls, variable, quantizer, *args, **kwargs)
    if isinstance(quantizer, tf.keras.layers.Layer):
        quantizer._autocast = False  # or Keras would cast what the quantizer is given
    return create_autocast_variable(_from_variable(cls, variable._variable, quantizer, *args, **kwargs))


QuantizedVariable.from_variable = classmethod(_quantized_before_it_is_cast)
