"""Images as the networks want to see them: the one place for evaluation's resizing, cropping and normalization."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bnext_keras.errors import PredictionError

import numpy as np
from PIL import Image, ImageOps

#: Per channel, for values in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CIFAR_MEAN = (0.507, 0.487, 0.441)
CIFAR_STD = (0.267, 0.256, 0.276)
#: Share of the resized image's shorter side that the centre crop keeps.
CROP = 0.95
#: Up to this side images are shown whole; of larger ones the centre, as published.
SMALL_IMAGE = 64
#: Formats whose grey images of 16 bits some versions of Pillow open with 32, values still being below 2^16.
_16_BIT_FORMATS = ("PNG", "PPM")


@dataclass(frozen=True)
class Normalization:
    """``(pixels / 255 - mean) / std``, per channel.

    Args:
        mean: What is subtracted from each channel of an image of values in [0, 1]; one number holds for all channels.
        std: What each channel's difference is divided by, likewise.

    Raises:
        ValueError: if these are not numbers, as many of both, and deviations above 0.

    Example:
        >>> white = np.full((1, 1, 3), 255, np.uint8)
        >>> Normalization(mean=(0.5, 0.5, 0.5), std=(0.25, 0.5, 1.0))(white)
        array([[[2. , 1. , 0.5]]], dtype=float32)
        >>> Normalization((0.5, 0.4, 0.3), 0.25)
        Normalization(mean=(0.5, 0.4, 0.3), std=(0.25, 0.25, 0.25))
    """

    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def __post_init__(self):
        try:
            mean, std = (tuple(map(float, np.atleast_1d(values).tolist())) for values in (self.mean, self.std))
        except (TypeError, ValueError):
            mean = std = ()
        channels = max(len(mean), len(std))
        mean, std = (values * channels if len(values) == 1 else values for values in (mean, std))
        are_numbers = channels and all(map(math.isfinite, (*mean, *std)))
        if not are_numbers or len(mean) != len(std) or min(std) <= 0:
            raise ValueError(
                "mean and std must be a number for each channel, or one for all of them, those of std above 0, "
                f"got {self.mean} and {self.std}"
            )
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", std)

    @classmethod
    def imagenet(cls) -> "Normalization":
        """The normalization of every published ImageNet model here."""
        return cls()

    @classmethod
    def cifar(cls) -> "Normalization":
        """The normalization of BNext-18 on CIFAR."""
        return cls(CIFAR_MEAN, CIFAR_STD)

    @classmethod
    def of_scale(
        cls, scale: float, mean: Sequence[float] | float = 0.0, std: Sequence[float] | float = 1.0
    ) -> "Normalization":
        """``(pixels * scale / 255 - mean) / std``: statistics of images whose values are from 0 to ``scale``.

        Raises:
            ValueError: as the class does, or if the scale is not above 0.

        Example:
            >>> Normalization.of_scale(255, 127.5, 127.5)  # to [-1, 1]
            Normalization(mean=(0.5,), std=(0.5,))
        """
        if not (scale > 0 and math.isfinite(scale)):
            raise ValueError(f"the scale must be a number above 0, got {scale}")
        try:
            return cls(*(tuple(float(value) / scale for value in np.atleast_1d(values)) for values in (mean, std)))
        except TypeError as error:
            raise ValueError(f"mean and std must be numbers, got {mean} and {std}") from error

    def of_channels(self, channels: int) -> "Normalization":
        """The same for images of so many channels: one number becomes several, and grey gets the average of colours.

        Raises:
            ValueError: if it is for another number of channels.

        Example:
            >>> Normalization((0.5,), (0.25,)).of_channels(3).mean
            (0.5, 0.5, 0.5)
            >>> Normalization((0.25, 0.5, 0.75), (1,)).of_channels(1).mean
            (0.5,)
        """
        if len(self.mean) == channels:
            return self
        if len(self.mean) == 1:
            return Normalization(self.mean * channels, self.std * channels)
        if channels == 1:
            return Normalization((math.fsum(self.mean) / len(self.mean),), (math.fsum(self.std) / len(self.std),))
        raise ValueError(f"mean and std have {len(self.mean)} numbers, but images {channels} channels")

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Takes uint8 ``(..., channels)``, returns float32 of the same shape."""
        normalized = np.asarray(pixels, np.float32) / 255
        normalized -= np.asarray(self.mean, np.float32)
        normalized /= np.asarray(self.std, np.float32)
        return normalized

    def __str__(self) -> str:
        """
        >>> str(Normalization.of_scale(255, 127.5, 127.5))
        'mean 0.5 and std 0.5 of values in [0, 1]'
        """
        # Equal numbers are shown once.
        mean, std = (
            ", ".join(f"{value:.4g}" for value in (values[:1] if len(set(values)) == 1 else values))
            for values in (self.mean, self.std)
        )
        return f"mean {mean} and std {std} of values in [0, 1]"


def choose_normalization(
    channels: int, given: Normalization | None, own: Normalization | None
) -> tuple[Normalization, str]:
    """How a model's images are normalized, and what of that is assumed, in words.

    Args:
        channels: Of an image.
        given: What the user says with ``--mean``, ``--std`` and ``--scale``.
        own: What the model's file says.

    Raises:
        PredictionError: if what the user says is for another number of channels.

    Example:
        >>> choose_normalization(1, Normalization((0.5,), (0.25,)), None)
        (Normalization(mean=(0.5,), std=(0.25,)), '')
    """
    if given is not None:
        try:
            return given.of_channels(channels), ""
        except ValueError as error:
            raise PredictionError(f"--mean, --std, --scale: {error}") from error
    if own is not None:
        return own, ""
    assumed = (
        "the model does not say how its images are normalized; ImageNet's mean and deviation are assumed, "
        "--mean, --std and --scale give others"
    )
    return Normalization.imagenet(), assumed


def open_image(source: str | Path | IO[bytes], mode: str = "RGB", *, upright: bool = False) -> Image.Image:
    """Reads an image as 8 bits a channel: the one way in which training, evaluation and predictions do.

    Palettes, CMYK and grey are converted as Pillow does it. Of grey images of 16 bits the upper 8 are kept, as Pillow
    does with those in colour; its own conversion would make white of all but the darkest. A transparent image is read
    without its transparency, as in the published training: what shows is the colour that the file has there. Of
    several frames the first is read.

    Args:
        source: A file's path or the file itself.
        mode: ``"RGB"``, or ``"L"`` for grey.
        upright: Whether to turn a photo as its camera noted (EXIF orientation).

    Raises:
        OSError: if the file is missing, no regular one, or no image (Pillow's error).
        ValueError: if its values have no certain scale, as floats and whole numbers of 32 bits have none.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> Image.fromarray(np.array([[0, 256, 32768, 65535]], np.uint16)).save(file, "PNG")
        >>> np.asarray(open_image(file, "L")).tolist()
        [[0, 1, 128, 255]]
    """
    # A pipe would wait for a writer that may never come.
    if isinstance(source, str | Path) and Path(source).exists() and not Path(source).is_file():
        raise OSError("no regular file")
    with Image.open(source) as file:
        if file.mode == "F" or (file.mode == "I" and file.format not in _16_BIT_FORMATS):
            kind = "floats" if file.mode == "F" else "whole numbers of 32 bits"
            raise ValueError(f"its values are {kind}, of which nobody knows what is white; save it with 8 or 16 bits")
        image = ImageOps.exif_transpose(file) if upright else file
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return image.convert(mode)


def load_image(
    path: str | Path,
    size: tuple[int, int] = (224, 224),
    *,
    channels: int = 3,
    crop: float | None = None,
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
    upright: bool = False,
) -> np.ndarray:
    """Reads one image the way the published evaluation does.

    Resizes (bicubic) so that the centre crop of ``size`` is ``crop`` of the image's shorter side, crops, scales to
    [0, 1] and normalizes.

    Args:
        path: Any file that `open_image` reads.
        size: Height and width of the result in pixels.
        channels: 3 for colour or 1 for grey; grey uses the average of ``mean`` and ``std``.
        crop: Share of the shorter side that is kept; by default the `default_crop` of the size.
        mean: Per channel, subtracted.
        std: Per channel, divided by.
        upright: Whether to turn a photo as its camera noted (EXIF orientation). The published evaluation does not.

    Returns:
        float32 ``(height, width, channels)``.

    Raises:
        OSError: if the file is missing or no image (Pillow's error).
        ValueError: if ``channels`` is neither 1 nor 3, or the image has no certain scale.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
        ...     Image.new("RGB", (300, 200), (255, 255, 255)).save(file.name)
        ...     load_image(file.name, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)).max()
        1.0

    Reference:
        The evaluation transform of BNext's training code.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, got {channels}")
    image = open_image(path, "RGB" if channels == 3 else "L", upright=upright)
    pixels = np.asarray(centre_crop(image, size, crop=crop), np.float32) / 255
    if channels == 1:
        return ((pixels - np.mean(mean)) / np.mean(std))[..., np.newaxis].astype(np.float32)
    return ((pixels - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)).astype(np.float32)


def default_crop(input_shape: Sequence[int]) -> float:
    """The share of an image's shorter side that a network looks at outside of training, unless somebody says otherwise.

    Evaluation, predictions and measurements of accuracy all ask here.

    Args:
        input_shape: ``(height, width)`` of the network's input, channels may follow.

    Example:
        >>> default_crop((32, 32, 3)), default_crop((224, 224, 3))
        (1.0, 0.95)
    """
    return 1.0 if min(input_shape[:2]) <= SMALL_IMAGE else CROP


def centre_crop(image: Image.Image, size: tuple[int, int], *, crop: float | None = None) -> Image.Image:
    """Resizes (bicubic) so that the centre of the wanted size is ``crop`` of the shorter side, and cuts it out.

    Args:
        image: Of any size.
        size: Height and width of the result in pixels.
        crop: Share of the shorter side that is kept; by default the `default_crop` of the size.

    Example:
        >>> centre_crop(Image.new("RGB", (300, 200)), (224, 112)).size
        (112, 224)
    """
    height, width = size
    crop = default_crop(size) if crop is None else crop
    scale = max(height / image.height, width / image.width) / crop
    resized = image.resize(
        (max(width, round(image.width * scale)), max(height, round(image.height * scale))), Image.Resampling.BICUBIC
    )
    left, top = (resized.width - width) // 2, (resized.height - height) // 2
    return resized.crop((left, top, left + width, top + height))


def pixels_from_normalized(
    images: Any, mean: tuple[float, ...] = IMAGENET_MEAN, std: tuple[float, ...] = IMAGENET_STD
) -> Any:
    """Undoes the normalization: what networks want to see that scale their input themselves, such as Keras' own.

    Args:
        images: Normalized images, channels last; a NumPy array or a TensorFlow tensor of floats.
        mean: Per channel, what was subtracted.
        std: Per channel, what was divided by.

    Returns:
        Pixels from 0 to 255, of the same kind and type, not rounded.

    Example:
        >>> pixels_from_normalized(np.zeros((1, 3), np.float32)).round(2)
        array([[123.68, 116.28, 103.53]], dtype=float32)
    """
    dtype = getattr(images.dtype, "as_numpy_dtype", images.dtype)
    return images * (255 * np.asarray(std)).astype(dtype) + (255 * np.asarray(mean)).astype(dtype)
