"""Everything that may happen to a training image, as one value."""

from dataclasses import dataclass, field

from bnext_keras.data.augment.crop import padded_crop, random_resized_crop
from bnext_keras.data.augment.jitter import color_jitter
from bnext_keras.data.augment.randaugment import RandAugment
from bnext_keras.preprocessing import CROP, centre_crop

import numpy as np
from PIL import Image

CROPS = ("random-resized", "padded", "centre")


@dataclass(frozen=True)
class Augmentation:
    """What happens to a training image, in the order of the fields.

    The default is what BNext's published networks were trained with on ImageNet. The article found that several popular
    augmentations hurt binary networks; they are here to be studied, and off by default.

    Attributes:
        crop: ``"random-resized"`` (any part, stretched), ``"padded"`` (the image with a black margin, shifted) or
            ``"centre"`` (as in evaluation).
        scale: Least and largest share of the image's area that a random-resized crop takes.
        ratio: Least and largest ratio of its width to its height.
        padding: Margin of a padded crop in pixels, on every side.
        centre: Share of the shorter side that a centre crop keeps; a padded crop always starts from all of it.
        flip: Probability of a horizontal flip.
        randaugment: RandAugment and its strength, or None.
        color_jitter: Largest relative change of brightness, contrast and saturation; 0 for none.
        random_erasing: Probability that a rectangle becomes noise.
        mixup: Parameter of the Beta distribution by which two images and their labels are blended; 0 for none.
        cutmix: Parameter of the Beta distribution by which a part of one image is pasted into another; 0 for none. With
            mixup too, each batch gets one of them, with equal probability.

    Example:
        >>> Augmentation.imagenet() == Augmentation()
        True
        >>> Augmentation(cutmix=1.0, randaugment=RandAugment(magnitude=9)).mixes
        True

    Reference:
        timm's ``create_transform`` and ``Mixup``, as BNext's training code calls them.
    """

    crop: str = "random-resized"
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    padding: int = 4
    centre: float = CROP
    flip: float = 0.5
    randaugment: RandAugment | None = field(default_factory=RandAugment)
    color_jitter: float = 0.0
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self):
        if self.crop not in CROPS:
            raise ValueError(f"crop must be one of {', '.join(CROPS)}, got {self.crop!r}")
        for name in ("scale", "ratio"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be two numbers above 0 in order, got {(low, high)}")
        for name in ("flip", "random_erasing"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a probability, got {getattr(self, name)}")
        for name in ("padding", "color_jitter", "mixup", "cutmix"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not 0 < self.centre <= 1:
            raise ValueError(f"centre must be a share above 0 and up to 1, got {self.centre}")

    @classmethod
    def imagenet(cls) -> "Augmentation":
        """The published one: random-resized crop, flip and ``rand-m7-mstd0.5-inc1``."""
        return cls()

    @classmethod
    def cifar(cls) -> "Augmentation":
        """The augmentation of BNext-18 on CIFAR: shifts by up to four pixels, and flips."""
        return cls(crop="padded", randaugment=None)

    @classmethod
    def none(cls) -> "Augmentation":
        """Training images just as evaluation sees them."""
        return cls(crop="centre", flip=0.0, randaugment=None)

    @property
    def mixes(self) -> bool:
        """Whether images are mixed, which makes labels one-hot."""
        return bool(self.mixup or self.cutmix)

    def __call__(self, image: Image.Image, size: tuple[int, int], generator: np.random.Generator) -> Image.Image:
        """Crops and changes one RGB image; erasing and mixing come after normalization, in the pipeline.

        Args:
            image: An image of any size.
            size: Height and width of the result in pixels.
            generator: Source of all randomness.
        """
        if self.crop == "random-resized":
            image = random_resized_crop(image, size, generator, self.scale, self.ratio)
        elif self.crop == "padded":
            image = padded_crop(centre_crop(image, size, crop=1.0), generator, self.padding)
        else:
            image = centre_crop(image, size, crop=self.centre)
        if generator.random() < self.flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.randaugment is not None:
            image = self.randaugment(image, generator)
        if self.color_jitter:
            image = color_jitter(image, generator, self.color_jitter)
        return image
