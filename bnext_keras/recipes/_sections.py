"""The sections of a recipe: small groups of settings, each checked when it is made.

Here are the images, the weights that a run begins with, and what it computes in; what it learns by is in
`bnext_keras.recipes._method`. The defaults are those of the released BNext runs on ImageNet.
"""

from dataclasses import dataclass

from bnext_keras.errors import RecipeError
from bnext_keras.recipes._checks import check, check_at_least, check_one_of

AUGMENTATIONS = ("imagenet", "crop_and_flip", "cifar", "shift")
NORMALIZATIONS = ("imagenet", "cifar")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@dataclass(frozen=True)
class Data:
    """The images, and what is done to them.

    Attributes:
        source: What to train on if the command line does not say: ``"digits"`` or nothing.
        num_classes: Number of classes.
        image_size: Height and width of the images in pixels.
        batch_size: Images in one step, on all devices together.
        label_offset: Number of the first class in TFRecord files; usually 1 for ImageNet.
        normalization: Mean and deviation to normalize with: those of ``"imagenet"`` or ``"cifar"``.
        augmentation: ``"imagenet"`` (random-resized crop, flip, RandAugment), ``"crop_and_flip"`` (without
            RandAugment), ``"cifar"`` (shift by up to four pixels, flip) or ``"shift"`` (by up to two).
        color_jitter: Largest relative change of brightness, contrast and saturation. This and the next three are
            there to be studied: the published networks were trained without, and their authors found that they harm.
        random_erasing: Probability that a rectangle of an image becomes noise.
        mixup: Parameter of the Beta distribution by which two images and their labels are blended.
        cutmix: Parameter of the Beta distribution by which a part of one image is pasted into another.
    """

    source: str = ""
    num_classes: int = 1000
    image_size: int = 224
    batch_size: int = 512
    label_offset: int = 0
    normalization: str = "imagenet"
    augmentation: str = "imagenet"
    color_jitter: float = 0.0
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self):
        check_at_least(self, 1, "num_classes", "image_size", "batch_size")
        check_at_least(self, 0, "label_offset", "color_jitter", "mixup", "cutmix")
        check(self, "random_erasing", 0 <= self.random_erasing <= 1, "must be from 0 to 1")
        check_one_of(self, "normalization", NORMALIZATIONS)
        check_one_of(self, "augmentation", AUGMENTATIONS)


@dataclass(frozen=True)
class Start:
    """What a run begins with, if not with fresh weights: fine-tuning, or the last of several steps of training.

    Attributes:
        init: A file of weights: a model of this network, imported or of one's own, or a published checkpoint. A head
            for other classes stays fresh. Empty for fresh weights.
        freeze: Parts of the network that stay as they are, see `bnext_keras.freezing.freeze`.
        temperature: Temperature of the kernels in the first epoch. 0 keeps them binary, as those of a finished run are:
            softened, they would be another network's at first. Above 0 kernels are softened so far, and hardened again.
        measure_bounds: Whether the bounds of layers of 8 and 4 bits are measured first, on the run's first batches, see
            `bnext_keras.bounds.measure_bounds`.
    """

    init: str = ""
    freeze: tuple[str, ...] = ()
    temperature: float = 0.0
    measure_bounds: bool = False

    def __post_init__(self):
        check(self, "temperature", 0 <= self.temperature <= 1, "must be from 0 to 1")

    def check(self) -> None:
        """Raises RecipeError if fresh layers were to stay as they are, or to be measured."""
        if self.freeze and not self.init:
            raise RecipeError(
                "layers that stay as they are need weights to begin with",
                where=f"freeze={','.join(self.freeze)}",
                remedy="name their file with init=FILE, or freeze nothing with freeze=",
            )
        if self.measure_bounds and not self.init:
            raise RecipeError(
                "bounds that are measured need weights to begin with",
                where="measure_bounds=true",
                remedy="name their file with init=FILE",
            )


@dataclass(frozen=True)
class Compute:
    """What a step is computed in; the recipe is the same. A run may be continued with other values.

    Attributes:
        precision: ``"float32"``, or ``"mixed_float16"`` or ``"mixed_bfloat16"``, see `bnext_keras.precision`.
        jit_compile: Whether XLA compiles the step, teachers included. On one device only.
        teacher_precision: The teachers' precision, where it is another one; their answers are float32 in any.
        teacher_jit_compile: Whether XLA compiles the teachers, where it does not compile the whole step.
    """

    precision: str = "float32"
    jit_compile: bool = False
    teacher_precision: str = ""
    teacher_jit_compile: bool = False

    def __post_init__(self):
        check_one_of(self, "precision", PRECISIONS)
        if self.teacher_precision:
            check_one_of(self, "teacher_precision", PRECISIONS)

    def check_strategy(self, strategy: str | None) -> None:
        """Raises RecipeError if a step cannot be computed so on the devices of a strategy."""
        if self.jit_compile and strategy not in (None, "none"):
            raise RecipeError(
                f"jit_compile=true: XLA cannot compile a step that devices share (--strategy {strategy})",
                remedy="leave it out; teacher_jit_compile=true works there",
            )
