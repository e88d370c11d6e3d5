"""Adam's update as one operation of TensorFlow for each variable.

Keras writes the update out of 35 operations, for each variable anew: 14,000 of the 24,500 in the graph of a step of
BNext-T, which has 384 variables. Python builds and TensorFlow optimizes each of them before the first step; in every
step a GPU starts a kernel for each, unless Keras has XLA compile each variable's update by itself, which takes a minute
more. TensorFlow's own kernel does it at once, and reads and writes a variable's memory once.
"""

import tensorflow as tf


class _Terms:
    """What has been computed in a step; no dictionary, in which Keras would look for variables."""

    def __init__(self):
        self.found = {}


class FusedAdam(tf.keras.optimizers.Optimizer):
    """What makes the update of a Keras optimizer with Adam's variables one operation; stands before it among bases.

    An update computes, with g for the gradient, m and v for the two means, t for the number of the step and the
    hyperparameters of the optimizer,

        m += (1 - beta_1) (g - m)
        v += (1 - beta_2) (g^2 - v)
        variable -= learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)

    as Keras does. ``amsgrad`` goes Keras' way.
    """

    def __init__(self, *arguments, jit_compile=False, **options):
        # On a GPU, Keras' default is True: a program for every shape of variable.
        super().__init__(*arguments, jit_compile=jit_compile, **options)

    # AutoGraph finds nothing to convert below here, and warns of what it cannot read in Larq's variables.
    @tf.autograph.experimental.do_not_convert
    def _distributed_apply_gradients_fn(self, distribution, grads_and_vars, **kwargs):
        self._terms = _Terms()
        try:
            return super()._distributed_apply_gradients_fn(distribution, grads_and_vars, **kwargs)
        finally:
            # A graph's tensors are of no use to the next one.
            self._terms = _Terms()

    def _shared(self, name, dtype, value):
        """What all variables of one type need in a step: a number, or a function of the type that computes some."""
        found = self._terms.found
        if (name, dtype) not in found:
            value = value(dtype) if callable(value) else value
            found[name, dtype] = tf.nest.map_structure(lambda number: tf.cast(number, dtype), value)
        return found[name, dtype]

    def factor_and_epsilon(self, dtype):
        """Of this step's m / (sqrt(v) + epsilon)."""
        step = tf.cast(self.iterations + 1, dtype)
        first, second = (1 - tf.pow(tf.cast(beta, dtype), step) for beta in (self.beta_1, self.beta_2))
        return tf.cast(self.learning_rate, dtype) * tf.sqrt(second) / first, self.epsilon

    def update_step(self, gradient, variable):
        if self.amsgrad:
            super().update_step(gradient, variable)
            return
        place = self._index_dict[self._var_key(variable)]
        self._fused_update(gradient, variable, self._momentums[place], self._velocities[place])

    def _fused_update(self, gradient, variable, mean, variance):
        """The update of one variable and of its means m and v."""
        dtype = variable.dtype
        factor, epsilon = self._shared("factor and epsilon", dtype, self.factor_and_epsilon)
        none = self._shared("none", dtype, 0.0)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.handle,
            v=variance.handle,
            # The factor has what TensorFlow would make of these.
            beta1_power=none,
            beta2_power=none,
            lr=factor,
            beta1=self._shared("beta_1", dtype, self.beta_1),
            beta2=self._shared("beta_2", dtype, self.beta_2),
            epsilon=epsilon,
            grad=gradient,
        )
