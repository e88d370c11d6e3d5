"""What the constructors of all networks have in common: their keyword arguments, those of `tf.keras.applications`.

A constructor says what is its own and what stands between the two ends of its network; a `Ends` does the rest:

    @constructor(name="tinynet", classes="imagenet")
    def TinyNet(*, width: int = 8, **options: "Unpack[Options]") -> tf.keras.Model:
        ends = Ends(TinyNet, options)
        x = Layers.Conv2D(width, 3, strides=32, name="stem_conv")(ends.image(32))
        return ends.model(x)

Type checkers read the arguments off `Options`; `help`, notebooks and `inspect.signature` see them spelled out, with the
defaults of that network.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

from bnext_keras.labels import IMAGENET_CLASSES
from bnext_keras.layers import Dense
from bnext_keras.models._common import check_input_shape, is_small
from bnext_keras.orientation import Rotate180
from bnext_keras.precision import full_precision
from bnext_keras.roles import HEAD

import tensorflow as tf

if TYPE_CHECKING:
    pass

Layers = tf.keras.layers

Shape = tuple[int | None, int | None, int]
_Constructor = TypeVar("_Constructor", bound=Callable)


class Options(TypedDict, total=False):
    """The keyword arguments of every network are those of `tf.keras.applications`:

    * ``input_shape``: ``(height, width, channels)`` of one image. Where not said otherwise, images of up to 64 pixels
      get a stem that keeps their resolution, and both sides must be divisible by the network's total stride (32; 8 for
      small images). They may be None, for a model that trains on any size but cannot be converted.
    * ``input_tensor``: A Keras tensor to build on, the output of a preprocessing layer say, in place of a new input.
    * ``weights``: None for fresh ones, or the path of a file with weights of this network: a published PyTorch
      checkpoint, Larq Zoo's ``.h5`` file, or a ``.h5`` or ``.keras`` file of one's own. A head of another number of
      classes than the file's stays fresh. Nothing is downloaded.
    * ``include_top``: Whether the model ends in the classifier's logits. If not, it returns its last feature map.
    * ``pooling``: Without the top, ``"avg"`` or ``"max"`` for one vector per image in place of that map.
    * ``classes``: Number of classes, or the name of the data set that the network is for, see
      `bnext_keras.layers.Dense`. A published network with 1000 classes is for ``"imagenet"``.
    * ``num_classes``: Another name of that number.
    * ``classifier_activation``: Activation of the logits, ``"softmax"`` say; none by default, unlike in Keras, because
      losses and teachers of this package take logits.
    * ``name``: Name of the model.
    """

    input_shape: Shape | None
    input_tensor: Any
    weights: str | Path | None
    include_top: bool
    pooling: Literal["avg", "max"] | None
    classes: int | str | None
    num_classes: int
    classifier_activation: str | Callable | None
    name: str | None


_DEFAULTS: dict[str, Any] = {
    "input_shape": (224, 224, 3),
    "input_tensor": None,
    "weights": None,
    "include_top": True,
    "pooling": None,
    "classes": IMAGENET_CLASSES,
    "num_classes": IMAGENET_CLASSES,
    "classifier_activation": None,
    "name": None,
}


def constructor(**defaults: Any) -> Callable[[_Constructor], _Constructor]:
    """Spells out the arguments of a constructor that takes ``**options: "Unpack[Options]"``.

    Its signature and its docstring get them. The function itself stays what it is.

    Args:
        **defaults: Values of those whose default is another one for this network, and of all that a further class
            between `Options` and the annotation adds.

    Example:
        >>> @constructor(name="tinynet", input_shape=(32, 32, 3))
        ... def TinyNet(*, width: int = 8, **options: "Unpack[Options]") -> tf.keras.Model:
        ...     '''A network.'''
        >>> list(inspect.signature(TinyNet).parameters)[:3]
        ['width', 'input_shape', 'input_tensor']
    """

    def decorate(function: _Constructor) -> _Constructor:
        own = inspect.signature(function)
        *first, last = own.parameters.values()
        # The annotation is a text, because Python 3.10 has no `Unpack`.
        options = function.__globals__[re.sub(r"Unpack\[(\w+)\]", r"\1", last.annotation)]
        values = {**_DEFAULTS, **defaults}
        if isinstance(values["classes"], int):
            values["num_classes"] = values["classes"]
        spelled = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=values[name], annotation=annotation)
            for name, annotation in options.__annotations__.items()
        ]
        function.__signature__ = own.replace(parameters=[*first, *spelled])  # type: ignore[attr-defined]
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{inspect.cleandoc(Options.__doc__ or '')}\n"
        return function

    return decorate


class Ends:
    """The two ends of a network: its input in front, and behind its features a classifier, a pool or nothing.

    Args:
        function: The network's constructor.
        options: The keyword arguments that it was given.

    Attributes:
        input_shape: ``(height, width, channels)`` of one image.
        is_small: Whether images get a stem that keeps their resolution.
        num_classes: Number of logits.
        dataset: Name of the data set that they stand for, if that is known.
        name: Name of the model.
        values: All arguments, those that were not given with their defaults.

    Raises:
        TypeError: for an argument that there is not.
        ValueError: for a value that makes no sense.
        bnext_keras.errors.FileError: if the file of weights cannot be read.
    """

    def __init__(self, function: Callable, options: Mapping[str, Any]):
        parameters = inspect.signature(function).parameters
        for name in options:
            if name not in parameters:
                raise TypeError(f"{function.__name__}() got an unexpected keyword argument {name!r}")
        values = {name: parameter.default for name, parameter in parameters.items()}
        default_classes, default_shape = values["classes"], values["input_shape"]
        values.update(options)
        self.values: Mapping[str, Any] = values
        self.name = values["name"] or parameters["name"].default
        self.num_classes, self.dataset = _classes(options, default_classes, values["num_classes"])
        self._tensor, self._include_top = values["input_tensor"], values["include_top"]
        self._pooling, self._activation = values["pooling"], values["classifier_activation"]
        if self._pooling not in _POOLING:
            raise ValueError(f"pooling must be None, 'avg' or 'max', got {self._pooling!r}")
        if self._tensor is not None:
            if not _is_symbolic(self._tensor):
                raise ValueError("input_tensor must be a Keras tensor, such as tf.keras.Input(...) or a layer's output")
            shape = tuple(self._tensor.shape[1:])
            if "input_shape" in options and tuple(options["input_shape"] or shape) != shape:
                raise ValueError(f"input_shape {tuple(options['input_shape'])} is not that of input_tensor, {shape}")
            self.input_shape = shape
        else:
            self.input_shape = tuple(values["input_shape"] or default_shape)
        self.is_small = is_small(self.input_shape)
        self._pretrained = None
        if values["weights"] is not None:
            from bnext_keras.importers.pretrained import Pretrained, read_pretrained  # importers build networks

            weights = values["weights"]
            self._pretrained = weights if isinstance(weights, Pretrained) else read_pretrained(weights)

    def image(self, total_stride: int = 1) -> Any:
        """The image that the stem reads.

        Args:
            total_stride: What both sides must be divisible by.

        Raises:
            ValueError: if they are not.
        """
        check_input_shape(self.input_shape, total_stride)
        if self._tensor is None:
            self._tensor = tf.keras.Input(self.input_shape, name="image")
        if self._pretrained is not None and self._pretrained.is_turned:
            return Rotate180(name="rotate180")(self._tensor)
        return self._tensor

    def model(self, x: Any, top: Callable[[Any], Any] | None = None) -> tf.keras.Model:
        """The model that ends in the last feature map as the user wants it, with weights from the file if there is one.

        Args:
            x: That map.
            top: What makes logits of it; by default `classifier`.

        Raises:
            bnext_keras.errors.StateDictError: if the file's weights are not those of this network.
        """
        inputs = tf.keras.utils.get_source_inputs(self._tensor)
        features = tf.keras.Model(inputs, x)
        if self._include_top:
            x = (top or self.classifier)(x)
            if self._activation is not None:
                x = Layers.Activation(self._activation, dtype=full_precision(), name="predictions")(x)
        elif self._pooling is not None:
            x = _POOLING[self._pooling](name="head_pool")(x)
        model = tf.keras.Model(inputs, x, name=self.name)
        if self._pretrained is not None:
            known = {layer.name for layer in features.layers}
            fresh = self._pretrained.put_into(model, top={layer.name for layer in model.layers} - known)
            if fresh or not self._include_top:
                model = self._of_same_images(model, self._pretrained.normalization)
        return model

    def _of_same_images(self, model, scale):
        """A network that states what the file's head stated of images: without that head they are the same."""
        from bnext_keras.classes import annotate

        is_image = any(self._tensor is image for image in model.inputs)
        return annotate(model, mean=scale.mean, std=scale.std) if scale is not None and is_image else model

    def classifier(self, x: Any, name: str = "head", **options: Any) -> Any:
        """Logits of a map: a global average, then `logits`."""
        return self.logits(Layers.GlobalAveragePooling2D(name="head_pool")(x), name, **options)

    def logits(self, x: Any, name: str = "head", *, layer: type = Dense, **options: Any) -> Any:
        """Logits of vectors: a dense layer that states what they stand for."""
        stated = {"role": HEAD, "classes": self.dataset, "dtype": full_precision()}
        return layer(self.num_classes, **stated, **options, name=name)(x)


_POOLING: dict[str | None, Any] = {
    None: None,
    "avg": Layers.GlobalAveragePooling2D,
    "max": Layers.GlobalMaxPooling2D,
}


def _is_symbolic(tensor):
    try:
        return tf.keras.backend.is_keras_tensor(tensor)
    except ValueError:  # Keras' answer for what is no tensor at all
        return False


def _classes(given, default, default_number):
    """How many classes there are, and of which data set."""
    classes = given.get("classes", default)
    numbers = {name: given[name] for name in ("num_classes", "classes") if name in given}
    if classes is None or isinstance(classes, str):
        numbers.pop("classes", None)
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, Integral) or number < 1:
            raise ValueError(f"{name} must be a whole number above 0, got {number!r}")
    if len(set(numbers.values())) > 1:
        raise ValueError(f"classes {numbers['classes']} and num_classes {numbers['num_classes']} differ; give one")
    number = next(iter(numbers.values()), default_number)
    if "classes" in given and not isinstance(classes, Integral):
        return number, classes
    return number, default if isinstance(default, str) and number == IMAGENET_CLASSES else None
