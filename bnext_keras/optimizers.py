"""The optimizers of the published runs that Keras does not have.

BNext was trained by AdamW with two groups of parameters: next to no decay for kernels, whose latent weights matter by
their sign alone, and an ordinary one for everything else. MeliusNet was trained by rectified Adam, ReActNet's and
PokeBNN's kernels by Adam with a penalty, QuickNet by one rule for binary kernels and another one for everything else.
"""

import re

from bnext_keras.fused_adam import FusedAdam

import larq as lq
import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class TwoGroupAdamW(FusedAdam, tf.keras.optimizers.AdamW):
    """AdamW that decays kernels by another rate than all other variables.

    Before each step a variable w becomes ``w - learning_rate * decay * w``. Kernels are the variables of four
    dimensions, and those whose layer says that they decay as such (``variable.decays_as_kernel``): processors' biases,
    mixing scales and the kernels of squeeze-and-expand, which have four dimensions in the released code of BNext.

    Args:
        learning_rate: A number or a schedule, as for `tf.keras.optimizers.AdamW`.
        weight_decay: Rate of all other variables.
        kernel_weight_decay: Rate of kernels.
        like_kernels: Regular expression for names of further variables that decay as kernels. Models that earlier
            versions saved with their optimizer bring one along.
        epsilon: Added to the denominator; PyTorch's default, not Keras' 1e-7.
        name: Name of the optimizer.
        **kwargs: Any other argument of `tf.keras.optimizers.AdamW`, such as ``global_clipnorm``.

    Example:
        >>> import bnext_keras
        >>> optimizer = bnext_keras.training.TwoGroupAdamW(1e-3, global_clipnorm=5.0)
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> [weight.name for weight in model.trainable_weights if optimizer.is_kernel(weight)][:2]
        ['stem_conv/kernel:0', 'block1_3x3_bias/bias:0']

    Reference:
        The training code of arXiv 2211.12933; Loshchilov & Hutter, arXiv 1711.05101.
    """

    weight_decay: float

    def __init__(
        self,
        learning_rate=1e-3,
        weight_decay=1e-3,
        kernel_weight_decay=1e-8,
        like_kernels=None,
        epsilon=1e-8,
        name="TwoGroupAdamW",
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, epsilon=epsilon, name=name, **kwargs)
        self.kernel_weight_decay = kernel_weight_decay
        self.like_kernels = like_kernels

    def is_kernel(self, variable: tf.Variable) -> bool:
        """Whether a variable decays by ``kernel_weight_decay``."""
        return _is_kernel(variable) or bool(self.like_kernels and re.search(self.like_kernels, variable.name))

    def _apply_weight_decay(self, variables):
        # Sorted here: on several devices what decays is given the copies, which do not know what they are.
        rated = [
            (variable, self.kernel_weight_decay if self.is_kernel(variable) else self.weight_decay)
            for variable in variables
            if self._use_weight_decay(variable)
        ]
        decaying = [(variable, rate) for variable, rate in rated if rate]
        tf.__internal__.distribute.interim.maybe_merge_call(self._decay, self._distribution_strategy, decaying)

    @tf.autograph.experimental.do_not_convert
    def _decay(self, distribution, variables_and_rates):
        def decay(variable, share):
            variable.assign_sub(variable * share)

        shares = {}
        for variable, rate in variables_and_rates:
            if (rate, variable.dtype) not in shares:
                shares[rate, variable.dtype] = tf.cast(self.learning_rate, variable.dtype) * rate
            distribution.extended.update(variable, decay, args=(shares[rate, variable.dtype],), group=False)

    def get_config(self):
        own = {"kernel_weight_decay": self.kernel_weight_decay, "like_kernels": self.like_kernels}
        return {**super().get_config(), **own}


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class RectifiedAdam(FusedAdam, tf.keras.optimizers.Adam):
    """Adam that needs no warm-up: its first steps are those of plain momentum, until its variances can be trusted.

    Step t, counted from 1, knows rho = rho_max - 2 t beta_2^t / (1 - beta_2^t) with rho_max = 2 / (1 - beta_2) - 1.
    Up to rho = 5 (five steps with the default) it moves by the unbiased mean of the gradients alone; above, by Adam's
    step times ``sqrt((rho - 4) (rho - 2) rho_max / ((rho_max - 4) (rho_max - 2) rho))``.

    Args:
        learning_rate: A number or a schedule, as for `tf.keras.optimizers.Adam`.
        epsilon: Added to the denominator.
        name: Name of the optimizer.
        **kwargs: Any other argument of `tf.keras.optimizers.Adam` but ``amsgrad``.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> weight = tf.Variable([1.0])
        >>> optimizer = bnext_keras.training.RectifiedAdam(0.1)
        >>> optimizer.apply_gradients([(tf.constant([0.5]), weight)]);  # doctest: +ELLIPSIS
        <tf.Variable ...>
        >>> round(float(weight[0]), 3)
        0.95

    Reference:
        Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", arXiv 1908.03265, algorithm 2; with 5
        for the 4 of the paper, as in its authors' code.
    """

    def __init__(self, learning_rate=1e-3, epsilon=1e-8, name="RectifiedAdam", **kwargs):
        super().__init__(learning_rate, epsilon=epsilon, name=name, **kwargs)

    def factor_and_epsilon(self, dtype):
        # In float64, for the two terms of rho are nearly equal at first.
        step = tf.cast(self.iterations + 1, tf.float64)
        beta_1, beta_2 = tf.constant(self.beta_1, tf.float64), tf.constant(self.beta_2, tf.float64)
        mean_share, variance_share = 1 - beta_1**step, 1 - beta_2**step
        rho_max = 2 / (1 - beta_2) - 1
        rho = rho_max - 2 * step * beta_2**step / variance_share
        trusted = tf.maximum(rho, 5.0)  # keeps the square root real where it is not used
        rectification = tf.sqrt((trusted - 4) * (trusted - 2) * rho_max / ((rho_max - 4) * (rho_max - 2) * trusted))
        rate, deviation = tf.cast(self.learning_rate, tf.float64) / mean_share, tf.sqrt(variance_share)
        # Beside a huge epsilon the root of v vanishes: what is left is momentum.
        huge = 1e18
        return (
            tf.where(rho > 5, rate * rectification * deviation, rate * huge),
            tf.where(rho > 5, self.epsilon * deviation, huge),
        )


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class TwoGroupAdam(FusedAdam, tf.keras.optimizers.Adam):
    """Adam with a penalty on squares of weights, of one strength for kernels and of another one for everything else.

    ``penalty * w`` is added to the gradient of a variable w, after clipping, and goes through Adam's means with it:
    what PyTorch's Adam calls weight decay. AdamW's decay goes past them, see `TwoGroupAdamW`; the groups are the same.

    Args:
        learning_rate: A number or a schedule, as for `tf.keras.optimizers.Adam`.
        penalty: Strength for all other variables.
        kernel_penalty: Strength for kernels.
        epsilon: Added to the denominator; PyTorch's default, not Keras' 1e-7.
        name: Name of the optimizer.
        **kwargs: Any other argument of `tf.keras.optimizers.Adam`, such as ``beta_2``.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> kernel = tf.Variable(tf.ones((1, 1, 1, 1)))
        >>> optimizer = bnext_keras.training.TwoGroupAdam(0.1, kernel_penalty=0.5)
        >>> optimizer.apply_gradients([(tf.zeros((1, 1, 1, 1)), kernel)]);  # doctest: +ELLIPSIS
        <tf.Variable ...>
        >>> round(float(tf.squeeze(kernel)), 3)
        0.9

    Reference:
        The training code of arXiv 2003.03488, with PyTorch's Adam; that of arXiv 2112.00133, with a term of the loss.
    """

    def __init__(
        self, learning_rate=1e-3, penalty=0.0, kernel_penalty=0.0, epsilon=1e-8, name="TwoGroupAdam", **kwargs
    ):
        super().__init__(learning_rate, epsilon=epsilon, name=name, **kwargs)
        self.penalty = penalty
        self.kernel_penalty = kernel_penalty

    def build(self, var_list):
        # Noted here: on several devices a step is given the copies, which do not know what they are.
        self._kernels = frozenset(self._var_key(variable) for variable in var_list if _is_kernel(variable))
        super().build(var_list)

    def update_step(self, gradient, variable):
        penalty = self.kernel_penalty if self._var_key(variable) in self._kernels else self.penalty
        if penalty:
            gradient = tf.convert_to_tensor(gradient) + tf.cast(penalty, variable.dtype) * variable
        super().update_step(gradient, variable)

    def get_config(self):
        return {**super().get_config(), "penalty": self.penalty, "kernel_penalty": self.kernel_penalty}


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class AdamAndMomentum(FusedAdam, tf.keras.optimizers.SGD):
    """Adam for binary kernels, gradient descent with momentum for everything else, at two learning rates.

    Larq's `larq.optimizers.CaseOptimizer` of two optimizers does the same for Keras' older ones. This is one optimizer
    of the new kind, so that clipping is by the norm of all gradients together, and averages of weights, checkpoints and
    a learning rate that is set from outside are Keras' own. Binary kernels are those of Larq's layers whose quantizer
    has one bit.

    Args:
        learning_rate: For everything else: a number or a schedule.
        kernel_factor: That of kernels is so many times as large, whatever the schedule makes of it.
        momentum: Share that a step has of the one before, of everything else.
        beta_1: Share that the mean of gradients keeps in each step, of kernels.
        beta_2: Share that the mean of their squares keeps in each step, of kernels.
        epsilon: Added to Adam's denominator.
        name: Name of the optimizer.
        **kwargs: Any other argument of `tf.keras.optimizers.SGD`, such as ``global_clipnorm``.

    Example:
        >>> import bnext_keras, larq as lq, tensorflow as tf
        >>> dense = lq.layers.QuantDense(1, kernel_quantizer="ste_sign", kernel_constraint="weight_clip")
        >>> dense.build((None, 1))
        >>> _ = dense.kernel.assign([[0.5]])
        >>> optimizer = bnext_keras.training.AdamAndMomentum(0.1, kernel_factor=0.2)
        >>> _ = optimizer.apply_gradients([(tf.constant([[3.0]]), dense.kernel), (tf.constant([3.0]), dense.bias)])
        >>> round(float(dense.kernel.latent_variable), 3), round(float(dense.bias), 3)
        (0.48, -0.3)

    Reference:
        Larq Zoo's training of QuickNet, release 2.4.0.
    """

    def __init__(
        self,
        learning_rate=0.1,
        kernel_factor=0.1,
        momentum=0.9,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        name="AdamAndMomentum",
        **kwargs,
    ):
        super().__init__(learning_rate, momentum=momentum, name=name, **kwargs)
        self.kernel_factor = kernel_factor
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, var_list):
        super().build(var_list)
        binary = [variable for variable in var_list if lq.optimizers.Bop.is_binary_variable(variable)]
        # Noted here: on several devices a step is given the copies, which do not know what they are.
        self._place = {self._var_key(variable): place for place, variable in enumerate(binary)}
        if not hasattr(self, "_velocities"):
            self._velocities = [self.add_variable_from_reference(variable, "v") for variable in binary]

    def update_step(self, gradient, variable):
        key = self._var_key(variable)
        mean = self.momentums[self._index_dict[key]]
        if key in self._place:
            self._fused_update(gradient, variable, mean, self._velocities[self._place[key]])
            return
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=mean.handle,
            lr=self._shared("learning_rate", dtype, self.learning_rate),
            grad=gradient,
            momentum=self._shared("momentum", dtype, self.momentum),
            use_nesterov=self.nesterov,
        )

    def factor_and_epsilon(self, dtype):
        factor, epsilon = super().factor_and_epsilon(dtype)
        return factor * self.kernel_factor, epsilon

    def get_config(self):
        own = ("kernel_factor", "beta_1", "beta_2", "epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _is_kernel(variable):
    return len(variable.shape) == 4 or getattr(variable, "decays_as_kernel", False)


# Keras' wrapper that scales the loss, for float16, writes the bare names of optimizers into .h5 files.
_OWN = (TwoGroupAdamW, RectifiedAdam, TwoGroupAdam, AdamAndMomentum)
tf.keras.utils.get_custom_objects().update({optimizer.__name__: optimizer for optimizer in _OWN})
