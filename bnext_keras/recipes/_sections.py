"""The sections of a recipe: small groups of settings, each checked when it is made.

The defaults are those of the released BNext runs on ImageNet.
"""

from dataclasses import dataclass

from bnext_keras.errors import RecipeError
from bnext_keras.schedules import annealing, soft_end

OPTIMIZERS = ("two_group_adamw", "rectified_adam", "adam")
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
        _check_at_least(self, 1, "num_classes", "image_size", "batch_size")
        _check_at_least(self, 0, "label_offset", "color_jitter", "mixup", "cutmix")
        _check(self, "random_erasing", 0 <= self.random_erasing <= 1, "must be from 0 to 1")
        _check_one_of(self, "normalization", NORMALIZATIONS)
        _check_one_of(self, "augmentation", AUGMENTATIONS)


@dataclass(frozen=True)
class Optimizer:
    """How gradients become steps.

    Attributes:
        name: ``"two_group_adamw"``, ``"rectified_adam"`` or ``"adam"``.
        learning_rate: Learning rate after the warm-up.
        weight_decay: Decay of everything but kernels; AdamW only.
        kernel_weight_decay: Decay of kernels; AdamW only.
        clip_norm: Largest norm of all gradients together; 0 for no clipping.
        ema: Share that an exponential moving average of the weights keeps in each step, 0.999 say, see
            `bnext_keras.training.averages`; 0 for none.
    """

    name: str = "two_group_adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    kernel_weight_decay: float = 1e-8
    clip_norm: float = 5.0
    ema: float = 0.0

    def __post_init__(self):
        # A recipe calls the name "optimizer", and so does the message.
        _check(self, "name", self.name in OPTIMIZERS, f"must be one of {', '.join(OPTIMIZERS)}", shown="optimizer")
        _check(self, "learning_rate", self.learning_rate > 0, "must be above 0")
        _check_at_least(self, 0, "weight_decay", "kernel_weight_decay", "clip_norm")
        _check(self, "ema", 0 <= self.ema < 1, "must be at least 0 and below 1")


@dataclass(frozen=True)
class Schedule:
    """What changes from epoch to epoch.

    Attributes:
        epochs: Length of the run.
        warmup_epochs: Length of the warm-up; 0 for none.
        warmup_learning_rate: Learning rate of the first epoch, if there is a warm-up.
        final_learning_rate: Learning rate that the cosine tends to.
        weight_temperature: Whether kernels start soft, where the network has such kernels; if not, they are binary
            from the first step.
        temperature_decay: Factor of the kernels' temperature, 1 at first, after every epoch. 0 chooses the factor that
            makes kernels binary after the same share of the epochs as in the published run; for its 512 that is 0.9,
            as published.
    """

    epochs: int = 512
    warmup_epochs: int = 5
    warmup_learning_rate: float = 1e-5
    final_learning_rate: float = 1e-7
    weight_temperature: bool = True
    temperature_decay: float = 0.0

    def __post_init__(self):
        _check_at_least(self, 1, "epochs")
        _check_at_least(self, 0, "warmup_epochs", "final_learning_rate")
        _check(
            self,
            "warmup_epochs",
            self.warmup_epochs < self.epochs,
            f"must be fewer than epochs={self.epochs}; 0 is for none",
        )
        _check(self, "warmup_learning_rate", self.warmup_learning_rate > 0, "must be above 0")
        _check(self, "temperature_decay", 0 <= self.temperature_decay < 1, "must be at least 0 and below 1")

    @property
    def annealing(self) -> tuple[float, float]:
        """First temperature of the kernels, and its factor after every epoch.

        Example:
            >>> Schedule(epochs=512).annealing, Schedule(epochs=512, temperature_decay=0.8).annealing
            ((1.0, 0.9), (1.0, 0.8))
        """
        return self.annealing_from(1.0)

    def annealing_from(self, initial: float) -> tuple[float, float]:
        """The same for kernels that begin with another temperature.

        Example:
            >>> Schedule(epochs=512).annealing_from(0.5)[1] > 0.9
            True
        """
        return (initial, self.temperature_decay) if self.temperature_decay else annealing(self.epochs, initial=initial)

    def check_annealed(self, initial: float = 1.0) -> None:
        """Raises RecipeError if kernels of that first temperature would still be soft in the last epoch."""
        fault = soft_end(self.epochs, *self.annealing_from(initial)) if self.weight_temperature and initial else ""
        if fault:
            raise RecipeError(
                fault,
                where=f"temperature_decay={self.temperature_decay}",
                remedy="temperature_decay=0 fits the decay to the epochs",
            )


@dataclass(frozen=True)
class Start:
    """What a run begins with, if not with fresh weights: fine-tuning.

    Attributes:
        init: A file of weights: a model of this network, imported or of one's own, or a published checkpoint. A head
            for other classes stays fresh. Empty for fresh weights.
        freeze: Parts of the network that stay as they are, see `bnext_keras.freezing.freeze`.
        temperature: Temperature of the kernels in the first epoch. 0 keeps them binary, as those of a finished run are:
            softened, they would be another network's at first. Above 0 kernels are softened so far, and hardened again.
    """

    init: str = ""
    freeze: tuple[str, ...] = ()
    temperature: float = 0.0

    def __post_init__(self):
        _check(self, "temperature", 0 <= self.temperature <= 1, "must be from 0 to 1")

    def check(self) -> None:
        """Raises RecipeError if layers were to stay as they are that have fresh weights."""
        if self.freeze and not self.init:
            raise RecipeError(
                "layers that stay as they are need weights to begin with",
                where=f"freeze={','.join(self.freeze)}",
                remedy="name their file with init=FILE, or freeze nothing with freeze=",
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
        _check_one_of(self, "precision", PRECISIONS)
        if self.teacher_precision:
            _check_one_of(self, "teacher_precision", PRECISIONS)

    def check_strategy(self, strategy: str | None) -> None:
        """Raises RecipeError if a step cannot be computed so on the devices of a strategy."""
        if self.jit_compile and strategy not in (None, "none"):
            raise RecipeError(
                f"jit_compile=true: XLA cannot compile a step that devices share (--strategy {strategy})",
                remedy="leave it out; teacher_jit_compile=true works there",
            )


@dataclass(frozen=True)
class Distillation:
    """Who teaches. Without teachers the network learns from labels.

    A teacher's name is one of ``tf.keras.applications``, or ``ConvNet8``, with any number: a small network of so many
    channels, which the run trains on the same images first.

    Attributes:
        weak_teachers: Names of the teachers that take turns, weakest first.
        strong_teacher: Name of the teacher that stays.
        teacher_epochs: Length of the training of a ``ConvNet``.
        label_weight: Share of the labels' cross-entropy in the loss.
        per_example: Whether each example has its own weights of the two teachers.
    """

    weak_teachers: tuple[str, ...] = ()
    strong_teacher: str = ""
    teacher_epochs: int = 0
    label_weight: float = 0.0
    per_example: bool = True

    def __post_init__(self):
        _check_at_least(self, 0, "teacher_epochs")
        _check(self, "label_weight", 0 <= self.label_weight <= 1, "must be from 0 to 1")
        if self.weak_teachers and not self.strong_teacher:
            raise RecipeError("weak_teachers need a strong_teacher")
        own = [name for name in self.teachers if name.removeprefix("ConvNet").isdecimal()]
        if own and not self.teacher_epochs:
            raise RecipeError(f"teacher {own[0]} is trained before the student: say how long, such as teacher_epochs=6")

    @property
    def teachers(self) -> tuple[str, ...]:
        """The names of all teachers, each once."""
        return tuple(dict.fromkeys((*self.weak_teachers, *filter(None, [self.strong_teacher]))))


def _check(section, name, condition, what, shown=None):
    if not condition:
        raise RecipeError(f"{shown or name}={getattr(section, name)}: {what}")


def _check_at_least(section, least, *names):
    for name in names:
        what = f"must be at least {least}" if least else "must not be negative"
        _check(section, name, getattr(section, name) >= least, what)


def _check_one_of(section, name, choices):
    _check(section, name, getattr(section, name) in choices, f"must be one of {', '.join(choices)}")
