"""The sections of a recipe that say what a network learns by: optimizer, schedule and teachers.

The defaults are those of the released BNext runs on ImageNet.
"""

from dataclasses import dataclass

from bnext_keras.errors import RecipeError
from bnext_keras.recipes._checks import check, check_at_least, check_one_of
from bnext_keras.schedules import DECAYS, annealing, learning_rate, soft_end

OPTIMIZERS = ("two_group_adamw", "rectified_adam", "adam", "two_group_adam", "adam_and_momentum")
ATTENTION_SCALES = ("length", "largest")


@dataclass(frozen=True)
class Optimizer:
    """How gradients become steps.

    Attributes:
        name: ``"adam"``; ``"rectified_adam"``; ``"two_group_adamw"``, with weight decay, and ``"two_group_adam"``, with
            a penalty, each for kernels and for everything else; ``"adam_and_momentum"``, Adam for binary kernels and
            momentum for everything else. See `bnext_keras.optimizers`.
        learning_rate: Learning rate after the warm-up.
        kernel_learning_rate: That of binary kernels, which rises and falls with the other one; 0 for the same. For
            ``"adam_and_momentum"`` only.
        weight_decay: Decay of everything but kernels, or the penalty's strength; of the optimizers of two groups only.
        kernel_weight_decay: The same of kernels.
        beta_2: Share that the mean of squared gradients keeps in each step.
        clip_norm: Largest norm of all gradients together; 0 for no clipping.
        ema: Share that an exponential moving average of the weights keeps in each step, 0.999 say, see
            `bnext_keras.training.averages`; 0 for none.
    """

    name: str = "two_group_adamw"
    learning_rate: float = 1e-3
    kernel_learning_rate: float = 0.0
    weight_decay: float = 1e-3
    kernel_weight_decay: float = 1e-8
    beta_2: float = 0.999
    clip_norm: float = 5.0
    ema: float = 0.0

    def __post_init__(self):
        # A recipe calls the name "optimizer", and so does the message.
        check(self, "name", self.name in OPTIMIZERS, f"must be one of {', '.join(OPTIMIZERS)}", shown="optimizer")
        check(self, "learning_rate", self.learning_rate > 0, "must be above 0")
        check_at_least(self, 0, "kernel_learning_rate", "weight_decay", "kernel_weight_decay", "clip_norm")
        check(
            self,
            "kernel_learning_rate",
            not self.kernel_learning_rate or self.name == "adam_and_momentum",
            "kernels have a learning rate of their own with optimizer=adam_and_momentum only",
        )
        check(self, "beta_2", 0 <= self.beta_2 < 1, "must be at least 0 and below 1")
        check(self, "ema", 0 <= self.ema < 1, "must be at least 0 and below 1")


@dataclass(frozen=True)
class Schedule:
    """What changes from epoch to epoch.

    Attributes:
        epochs: Length of the run.
        warmup_epochs: Length of the warm-up; 0 for none.
        warmup_learning_rate: Learning rate of the first epoch, if there is a warm-up.
        final_learning_rate: Learning rate that a cosine or a line tends to.
        decay: How the learning rate falls after the warm-up: ``"cosine"``, ``"linear"`` or ``"steps"``, see
            `bnext_keras.schedules.learning_rate`.
        decay_epochs: The epochs of the steps.
        decay_factor: What the learning rate is multiplied with at each of them.
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
    decay: str = "cosine"
    decay_epochs: tuple[int, ...] = ()
    decay_factor: float = 0.1
    weight_temperature: bool = True
    temperature_decay: float = 0.0

    def __post_init__(self):
        check_at_least(self, 1, "epochs")
        check_at_least(self, 0, "warmup_epochs", "final_learning_rate")
        check(
            self,
            "warmup_epochs",
            self.warmup_epochs < self.epochs,
            f"must be fewer than epochs={self.epochs}; 0 is for none",
        )
        check(self, "warmup_learning_rate", self.warmup_learning_rate > 0, "must be above 0")
        check_one_of(self, "decay", DECAYS)
        check(
            self,
            "decay_epochs",
            not self.decay_epochs or self.decay == "steps",
            "there are steps with decay=steps only",
        )
        check(self, "decay_factor", 0 < self.decay_factor <= 1, "must be above 0 and at most 1")
        check(self, "temperature_decay", 0 <= self.temperature_decay < 1, "must be at least 0 and below 1")

    def learning_rate(self, epoch: int, peak: float) -> float:
        """The learning rate of an epoch, counted from 0, in a run whose largest one is ``peak``.

        Example:
            >>> schedule = Schedule(epochs=4, warmup_epochs=0, decay="steps", decay_epochs=(2,))
            >>> [schedule.learning_rate(epoch, 0.5) for epoch in range(4)]
            [0.5, 0.5, 0.05, 0.05]
        """
        return learning_rate(
            epoch,
            self.epochs,
            peak=peak,
            warmup=self.warmup_learning_rate,
            final=self.final_learning_rate,
            warmup_epochs=self.warmup_epochs,
            decay=self.decay,
            decay_epochs=self.decay_epochs,
            decay_factor=self.decay_factor,
        )

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
class Distillation:
    """Who teaches. Without teachers the network learns from labels.

    A teacher's name is one of ``tf.keras.applications``; or ``ResNet18`` or ``ResNet34``, torchvision's, of
    `bnext_keras.teachers`; or the path of a model of one's own, ``runs/first_step/best.h5``; or ``ConvNet8``, with any
    number: a small network of so many channels, which the run trains on the same images first.

    Attributes:
        weak_teachers: Names of the teachers that take turns, weakest first.
        strong_teacher: Name of the teacher that stays.
        teacher_epochs: Length of the training of a ``ConvNet``.
        label_weight: Share of the labels' cross-entropy in the loss.
        teacher_weight: What a single teacher's cross-entropy is multiplied with.
        attention: Layers of the network whose attention maps are to be the strong teacher's, each ``"layer"``, or
            ``"layer:its"`` where the teacher calls its own differently. See `bnext_keras.callbacks.AttentionMatching`.
        attention_weight: What the sum of their distances is multiplied with.
        attention_scale: What a map is divided by, ``"length"`` or ``"largest"``.
        per_example: Whether each example has its own weights of the two teachers.
    """

    weak_teachers: tuple[str, ...] = ()
    strong_teacher: str = ""
    teacher_epochs: int = 0
    label_weight: float = 0.0
    teacher_weight: float = 1.0
    attention: tuple[str, ...] = ()
    attention_weight: float = 1.0
    attention_scale: str = "length"
    per_example: bool = True

    def __post_init__(self):
        check_at_least(self, 0, "teacher_epochs")
        check(self, "label_weight", 0 <= self.label_weight <= 1, "must be from 0 to 1")
        check_at_least(self, 0, "teacher_weight", "attention_weight")
        check_one_of(self, "attention_scale", ATTENTION_SCALES)
        if self.weak_teachers and not self.strong_teacher:
            raise RecipeError("weak_teachers need a strong_teacher")
        if self.attention and not self.strong_teacher:
            raise RecipeError("attention needs a strong_teacher")
        single = self.teacher_weight == 1 or not self.weak_teachers
        check(self, "teacher_weight", single, "two teachers weight each other; leave it out, or weak_teachers")
        own = [name for name in self.teachers if name.removeprefix("ConvNet").isdecimal()]
        if own and not self.teacher_epochs:
            raise RecipeError(f"teacher {own[0]} is trained before the student: say how long, such as teacher_epochs=6")

    @property
    def teachers(self) -> tuple[str, ...]:
        """The names of all teachers, each once."""
        return tuple(dict.fromkeys((*self.weak_teachers, *filter(None, [self.strong_teacher]))))

    @property
    def teacher_files(self) -> tuple[str, ...]:
        """Those of them that are paths of models.

        Example:
            >>> Distillation(weak_teachers=("EfficientNetB0",), strong_teacher="runs/large/best.h5").teacher_files
            ('runs/large/best.h5',)
        """
        return tuple(name for name in self.teachers if name.endswith((".h5", ".keras")))

    @property
    def attention_pairs(self) -> dict[str, str]:
        """The teacher's layers by the network's.

        Example:
            >>> Distillation(strong_teacher="ResNet18", attention=("block1", "block2_add:block2")).attention_pairs
            {'block1': 'block1', 'block2_add': 'block2'}
        """
        pairs = (text.partition(":") for text in self.attention)
        return {own: its or own for own, _, its in pairs}
