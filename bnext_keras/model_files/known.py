"""What a configuration may name without being trusted: classes and functions of Keras and Larq, and TensorFlow's
operations that only compute.

Lists, not rules: Keras' namespace has ``get_file``, and TensorFlow's has ``io.write_file``; even ``tf.nn`` has a
sampler that reads a vocabulary from a file. What this process has registered with Keras, this package's layers among
it, needs no list.
"""

import inspect
import sys
from functools import cache

import larq
import tensorflow as tf

#: Public layers that run code or read files that their configuration names, with the reason.
REFUSED_LAYERS = {
    "Lambda": "runs Python code that the file brings",
    "StringLookup": "may read its vocabulary from any file",
    "IntegerLookup": "may read its vocabulary from any file",
    "TextVectorization": "may read its vocabulary from any file",
    "DenseFeatures": "may read its vocabulary from any file",
    "SequenceFeatures": "may read its vocabulary from any file",
    "TFSMLayer": "runs a SavedModel of any place",
    "ClassMethod": "calls any method of a class",
    "InstanceMethod": "calls any method of its input",
    "InstanceProperty": "reads any attribute of its input",
}

#: Dictionaries with a class name that stand for plain values.
VALUES = ("TensorShape", "__tuple__", "__ellipsis__", "__bytes__", "__tensor__", "__numpy__")

_LAYERS = ("layers", "layers.experimental", "layers.experimental.preprocessing", "models")
_OTHERS = (
    "initializers",
    "regularizers",
    "constraints",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.experimental",
    "optimizers.legacy",
    "optimizers.schedules",
    "mixed_precision",
)
_FUNCTIONS = ("activations", "initializers", "regularizers", "constraints", "losses", "metrics")
_LARQ = (larq.layers, larq.quantizers, larq.constraints, larq.activations, larq.optimizers, larq.metrics)
#: Functions there that make objects of whatever they are given.
_NOT_FUNCTIONS = ("get", "serialize", "deserialize")
#: Spellings of initializers and constraints that Keras still reads.
_OLD_NAMES = ("uniform", "normal", "zero", "one", "maxnorm", "minmaxnorm", "nonneg", "unitnorm")

_MATH = """abs accumulate_n acos acosh add add_n argmax argmin asin asinh atan atan2 atanh ceil cos cosh count_nonzero
    cumprod cumsum cumulative_logsumexp divide divide_no_nan equal erf erfc exp expm1 floor floordiv floormod greater
    greater_equal is_finite is_inf is_nan l2_normalize less less_equal log log1p log_sigmoid log_softmax logical_and
    logical_not logical_or logical_xor maximum minimum mod multiply multiply_no_nan negative not_equal pow reciprocal
    reciprocal_no_nan reduce_all reduce_any reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean reduce_min
    reduce_prod reduce_std reduce_sum reduce_variance rint round rsqrt scalar_mul sigmoid sign sin sinh softmax softplus
    softsign sqrt square squared_difference subtract tan tanh top_k truediv xdivy xlogy zero_fraction"""
_NN = """avg_pool avg_pool1d avg_pool2d batch_normalization bias_add conv1d conv2d conv2d_transpose conv_transpose
    convolution crelu depth_to_space depthwise_conv2d dilation2d dropout elu gelu l2_normalize leaky_relu
    local_response_normalization log_softmax lrn max_pool max_pool1d max_pool2d moments pool relu relu6 selu
    separable_conv2d sigmoid silu softmax softplus softsign space_to_batch space_to_depth swish tanh top_k"""
_LINALG = """adjoint band_part cross diag diag_part einsum l2_normalize matmul matrix_transpose matvec norm normalize
    tensordot trace"""
_IMAGE = """adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation central_crop
    convert_image_dtype crop_and_resize crop_to_bounding_box extract_patches flip_left_right flip_up_down
    grayscale_to_rgb hsv_to_rgb pad_to_bounding_box per_image_standardization resize resize_bilinear
    resize_nearest_neighbor resize_with_crop_or_pad resize_with_pad rgb_to_grayscale rgb_to_hsv rgb_to_yiq rgb_to_yuv
    rot90 transpose yiq_to_rgb yuv_to_rgb"""
_TOP = """abs acos acosh add add_n argmax argmin argsort asin asinh atan atan2 atanh batch_to_space boolean_mask
    broadcast_to cast ceil clip_by_norm clip_by_value concat constant convert_to_tensor cos cosh cumsum depth_to_space
    divide einsum ensure_shape equal exp expand_dims eye fill floor gather gather_nd greater greater_equal identity less
    less_equal linspace log logical_and logical_not logical_or matmul maximum meshgrid minimum multiply negative norm
    not_equal one_hot ones ones_like pad pow range rank realdiv reduce_all reduce_any reduce_logsumexp reduce_max
    reduce_mean reduce_min reduce_prod reduce_sum repeat reshape reverse roll round rsqrt saturate_cast scalar_mul
    scatter_nd sequence_mask shape sigmoid sign sin sinh size slice sort space_to_batch space_to_depth split sqrt square
    squeeze stack stop_gradient strided_slice subtract tan tanh tensordot tile transpose truediv unstack where zeros
    zeros_like"""
_BACKEND = """abs argmax argmin batch_dot batch_flatten batch_normalization bias_add cast clip concatenate conv2d cos
    depthwise_conv2d dot elu equal exp expand_dims flatten gather greater greater_equal hard_sigmoid l2_normalize less
    less_equal log max maximum mean min minimum not_equal ones_like permute_dimensions pool2d pow prod relu repeat
    repeat_elements reshape resize_images reverse round separable_conv2d sigmoid sign sin softmax softplus softsign
    spatial_2d_padding sqrt square squeeze stack std stop_gradient sum switch tanh tile transpose var zeros_like"""
_PREFIXES = {
    "": _TOP,
    "math.": _MATH,
    "nn.": _NN,
    "linalg.": _LINALG,
    "image.": _IMAGE,
    "bitwise.": "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift",
    "__operators__.": "add eq getitem ne",
    "keras.backend.": _BACKEND,
    "keras.activations.": """elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softmax softplus softsign
        swish tanh""",
}
#: TensorFlow's operations, by the names under which Keras writes them, that compute and do nothing else.
OPERATIONS = frozenset(prefix + name for prefix, names in _PREFIXES.items() for name in names.split())


def is_operation(name: object) -> bool:
    """
    >>> is_operation("math.add"), is_operation("compat.v1.transpose"), is_operation("io.write_file")
    (True, True, False)
    """
    return isinstance(name, str) and name.removeprefix("compat.v1.") in OPERATIONS


@cache
def classes() -> dict[str, frozenset[type]]:
    """The classes that may be named, by name."""
    found: dict[str, set[type]] = {}
    public = [_public(path) for path in (*_LAYERS, *_OTHERS)]
    for module in filter(None, [*public, *_LARQ]):
        for name, value in vars(module).items():
            if inspect.isclass(value) and hasattr(value, "from_config") and name not in REFUSED_LAYERS:
                found.setdefault(name, set()).add(value)
    built_in = _engine()
    for name in ("Functional", "TFOpLambda", "SlicingOpLambda", "AddLoss"):
        if name in built_in:
            found.setdefault(name, set()).add(built_in[name])
    # Spellings of older versions, which Keras still reads.
    for name in ("BatchNormalizationV1", "BatchNormalizationV2"):
        found.setdefault(name, set()).add(tf.keras.layers.BatchNormalization)
    return {
        name: frozenset(values)
        for name, values in found.items()
        if not any(issubclass(value, tf.keras.layers.Lambda) for value in values)
    }


@cache
def functions() -> frozenset[str]:
    """The functions that may be named: activations, initializers and the like, of Keras and Larq."""
    modules = [*filter(None, map(_public, _FUNCTIONS)), larq.quantizers, larq.activations, larq.constraints]
    names = {
        name
        for module in modules
        for name, value in vars(module).items()
        if (inspect.isfunction(value) or inspect.isclass(value))
        and _is_of_keras(value)
        and not name.startswith(("_", "get_"))
    }
    return frozenset((names | set(_OLD_NAMES)) - set(_NOT_FUNCTIONS))


def finds(module: object, name: str) -> bool:
    """Whether Keras, which imports a module to find a class there, would find one of `classes`."""
    if not isinstance(module, str):
        return False
    path = f"tf_{module}" if module == "keras" or module.startswith("keras.") else module
    if path.split(".")[0] not in ("tf_keras", "larq"):
        return False
    public = _public(path.partition(".")[2]) if path.startswith("tf_keras.") else None
    found = getattr(public, name, None) or vars(sys.modules.get(path, object)).get(name)
    return inspect.isclass(found) and found in classes().get(name, ())


def _public(path):
    found = tf.keras
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _engine():
    """Classes that Keras writes into files but does not export, by name."""
    modules = [
        sys.modules.get(f"tf_keras.src.{path}")
        for path in ("engine.functional", "engine.base_layer", "layers.core.tf_op_layer")
    ]
    return {name: value for module in modules if module for name, value in vars(module).items()}


def _is_of_keras(value):
    return value.__module__.split(".")[0] in ("tf_keras", "keras", "larq", "tensorflow")
