"""Images as the networks want to see them: the one place for evaluation's resizing, cropping and normalization."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

#: Per channel, for values in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
#: Share of the resized image's shorter side that the centre crop keeps.
CROP = 0.95


def load_image(
    path: str | Path,
    size: tuple[int, int] = (224, 224),
    *,
    channels: int = 3,
    crop: float = CROP,
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
    upright: bool = False,
) -> np.ndarray:
    """Reads one image the way the published evaluation does.

    Resizes (bicubic) so that the centre crop of ``size`` is ``crop`` of the image's shorter side, crops, scales to
    [0, 1] and normalizes.

    Args:
        path: Any file that Pillow reads.
        size: Height and width of the result in pixels.
        channels: 3 for colour or 1 for grey; grey uses the average of ``mean`` and ``std``.
        crop: Share of the shorter side that is kept.
        mean: Per channel, subtracted.
        std: Per channel, divided by.
        upright: Whether to turn a photo as its camera noted (EXIF orientation). The published evaluation does not.

    Returns:
        float32 ``(height, width, channels)``.

    Raises:
        OSError: if the file is missing or no image (Pillow's error).
        ValueError: if ``channels`` is neither 1 nor 3.

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
    with Image.open(path) as file:
        image = (ImageOps.exif_transpose(file) if upright else file).convert("RGB" if channels == 3 else "L")
    pixels = np.asarray(centre_crop(image, size, crop=crop), np.float32) / 255
    if channels == 1:
        return ((pixels - np.mean(mean)) / np.mean(std))[..., np.newaxis].astype(np.float32)
    return ((pixels - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)).astype(np.float32)


def centre_crop(image: Image.Image, size: tuple[int, int], *, crop: float = CROP) -> Image.Image:
    """Resizes (bicubic) so that the centre of the wanted size is ``crop`` of the shorter side, and cuts it out.

    Args:
        image: Of any size.
        size: Height and width of the result in pixels.
        crop: Share of the shorter side that is kept.

    Example:
        >>> centre_crop(Image.new("RGB", (300, 200)), (224, 112)).size
        (112, 224)
    """
    height, width = size
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
