"""Images as the networks want to see them: the one place for evaluation's resizing, cropping and normalization."""

from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageOps

#: Per channel, for values in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
#: Share of the resized image's shorter side that the centre crop keeps.
CROP = 0.95
#: Formats whose grey images of 16 bits some versions of Pillow open with 32, values still being below 2^16.
_16_BIT_FORMATS = ("PNG", "PPM")


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
    crop: float = CROP,
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
        crop: Share of the shorter side that is kept.
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
