"""What a layer states of the data that its network is for: the classes' names, and how images are normalized.

The head of this project's networks is a `bnext_keras.layers.Dense`, which states it. Behind the output of any other
network an `Annotation` does, which computes nothing. Both keep it in their configuration, and so in every file format,
like the roles of layers (`bnext_keras.roles`). `bnext_keras.classes.annotate` puts it there, and
`bnext_keras.classes.stated` reads it.
"""

from collections.abc import Sequence
from typing import Any

from bnext_keras.labels import check_names
from bnext_keras.preprocessing import Normalization

import tensorflow as tf


class Annotated:
    """A layer's part that states something; to be named before Keras' class among its bases.

    Args:
        *args: Positional arguments of Keras' class.
        class_names: Names of the classes in the order of the outputs, None where they are unknown.
        mean: What is subtracted from each channel of an image of values in [0, 1], None where it is unknown.
        std: What each channel's difference is divided by; ``mean`` and ``std`` are stated together.
        **kwargs: Other arguments of Keras' class.

    Raises:
        ValueError: if the names are no texts, or mean and deviation no `bnext_keras.preprocessing.Normalization`.
    """

    def __init__(self, *args, class_names=None, mean=None, std=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.state(class_names, mean, std)

    def state(
        self,
        class_names: Sequence[str] | None = None,
        mean: Sequence[float] | float | None = None,
        std: Sequence[float] | float | None = None,
    ) -> None:
        """States these from now on, and nothing else."""
        self.class_names = check_names(class_names)
        if (mean is None) != (std is None):
            raise ValueError("mean and std are stated together")
        normalization = None if mean is None or std is None else Normalization.of_scale(1, mean, std)
        self.mean: tuple[float, ...] | None = None if normalization is None else normalization.mean
        self.std: tuple[float, ...] | None = None if normalization is None else normalization.std

    @property
    def normalization(self) -> Normalization | None:
        """``mean`` and ``std`` together."""
        return None if self.mean is None or self.std is None else Normalization(self.mean, self.std)

    def get_config(self) -> dict[str, Any]:
        names = ("class_names", "mean", "std")
        values = {name: getattr(self, name) for name in names}
        # Lists, because JSON has no tuples. What is not stated is not mentioned: most layers state nothing.
        stated = {name: list(value) for name, value in values.items() if value is not None}
        return {**super().get_config(), **stated}  # type: ignore[misc]


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class Annotation(Annotated, tf.keras.layers.Layer):
    """Returns what it is given, and states of what classes that is and how the network's images are normalized.

    Args:
        class_names: See `Annotated`, as for the next two.
        mean: In [0, 1], per channel.
        std: In [0, 1], per channel.
        **kwargs: Arguments of `tf.keras.layers.Layer`.

    Raises:
        ValueError: if that cannot be stated, or there are more or fewer names than outputs.

    Example:
        >>> import tensorflow as tf
        >>> layer = Annotation(class_names=["cat", "dog"])
        >>> layer(tf.constant([[1.0, 2.0]])).numpy().tolist()
        [[1.0, 2.0]]
        >>> type(layer).from_config(layer.get_config()).class_names
        ('cat', 'dog')
    """

    def __init__(self, **kwargs):
        # Under mixed precision logits keep the type that they have.
        super().__init__(**{"autocast": False, **kwargs})

    def build(self, input_shape):
        if self.class_names is not None and len(self.class_names) != input_shape[-1]:
            raise ValueError(f"there are {len(self.class_names)} class_names for {input_shape[-1]} outputs")
        super().build(input_shape)

    def call(self, inputs):
        return inputs
