"""Which part of an image training sees."""

import math

import numpy as np
from PIL import Image, ImageOps

_ATTEMPTS = 10


def random_resized_crop(
    image: Image.Image,
    size: tuple[int, int],
    generator: np.random.Generator,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Image.Image:
    """Cuts a random rectangle out and stretches it (bicubic) to the wanted size.

    Args:
        image: An image of any size.
        size: Height and width of the result in pixels.
        generator: Where all randomness comes from.
        scale: Least and largest share of the image's area.
        ratio: Least and largest width / height.

    Reference:
        torchvision's ``RandomResizedCrop``, timm's ``RandomResizedCropAndInterpolation``.
    """
    left, top, width, height = draw_rectangle(image.size, generator, scale, ratio)
    # Not resize(box=...): that lets the filter see pixels outside of the rectangle.
    cut = image.crop((left, top, left + width, top + height))
    return cut.resize((size[1], size[0]), Image.Resampling.BICUBIC)


def draw_rectangle(
    image_size: tuple[int, int],
    generator: np.random.Generator,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> tuple[int, int, int, int]:
    """Draws a rectangle within an image, uniform in area and in the logarithm of the ratio.

    If ten of them do not fit, takes the largest one in the centre whose ratio is allowed.

    Args:
        image_size: Width and height, as Pillow has them.
        generator: Where all randomness comes from.
        scale: Least and largest share of the image's area.
        ratio: Least and largest width / height.

    Returns:
        Left, top, width, height.

    Example:
        >>> draw_rectangle((300, 100), np.random.default_rng(0), scale=(1, 1), ratio=(3 / 4, 4 / 3))
        (83, 0, 133, 100)
    """
    image_width, image_height = image_size
    for _ in range(_ATTEMPTS):
        area = generator.uniform(*scale) * image_width * image_height
        drawn_ratio = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
        width, height = round(math.sqrt(area * drawn_ratio)), round(math.sqrt(area / drawn_ratio))
        if 0 < width <= image_width and 0 < height <= image_height:
            left = int(generator.integers(image_width - width + 1))
            top = int(generator.integers(image_height - height + 1))
            return left, top, width, height
    width, height = image_width, image_height
    if width / height < ratio[0]:
        height = max(1, round(width / ratio[0]))
    elif width / height > ratio[1]:
        width = max(1, round(height * ratio[1]))
    return (image_width - width) // 2, (image_height - height) // 2, width, height


def padded_crop(image: Image.Image, generator: np.random.Generator, padding: int = 4) -> Image.Image:
    """Shifts an image by up to ``padding`` pixels in each direction; what comes into view is black.

    Reference:
        torchvision's ``RandomCrop(size, padding=4)``, as everyone trains on CIFAR.
    """
    left, top = (int(offset) for offset in generator.integers(2 * padding + 1, size=2))
    return ImageOps.expand(image, padding, fill=0).crop((left, top, left + image.width, top + image.height))
