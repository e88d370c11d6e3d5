"""What a recipe is: every setting of one training run, as plain data.

This module needs nothing but the standard library, and `read` does not import the recipe's file, so that `bnext-train`
can list recipes and check settings before it starts TensorFlow.
"""

import ast
import difflib
import types
import typing
from dataclasses import dataclass, fields, replace
from pathlib import Path

from bnext_keras.errors import RecipeError

FOLDER = Path(__file__).parent

OPTIMIZERS = ("two_group_adamw", "rectified_adam", "adam")
AUGMENTATIONS = ("imagenet", "crop_and_flip", "cifar", "shift")
NORMALIZATIONS = ("imagenet", "cifar")


@dataclass(frozen=True)
class Recipe:
    """Every setting of one training run.

    Attributes:
        model: Function of `bnext_keras.models` that builds the network.
        widths: Channels of stem and blocks, for ``model="BNext"`` only.
        stem_stride: 1 or 2, of BNext's stem; by default what suits the image size.
        elm_attention: Whether BNext has it; without is an ablation.
        info_recoupling: The same.
        num_classes: Number of classes.
        image_size: Height and width of the images in pixels.
        data: What to train on if the command line does not say: ``"digits"`` or nothing.
        label_offset: Number of the first class in TFRecord files: 1 in the usual ones of ImageNet.
        augmentation: ``"imagenet"`` (random-resized crop, flip, RandAugment), ``"crop_and_flip"`` (the same without
            RandAugment), ``"cifar"`` (shift by up to four pixels, flip) or ``"shift"`` (by up to two).
        color_jitter: Largest relative change of brightness, contrast and saturation. This and the following three are
            to be studied: the published networks were trained without, their authors found that they do harm.
        random_erasing: Probability that a rectangle of an image becomes noise.
        mixup: Parameter of the Beta distribution by which two images and their labels are blended.
        cutmix: The same, for pasting a part of another image.
        normalization: Whose mean and deviation: ``"imagenet"`` or ``"cifar"``.
        batch_size: Images of one step, of all devices together.
        epochs: Length of the run.
        optimizer: ``"two_group_adamw"``, ``"rectified_adam"`` or ``"adam"``.
        learning_rate: After the warm-up.
        warmup_learning_rate: Of the first epoch, if there is a warm-up.
        final_learning_rate: What the cosine tends to.
        warmup_epochs: Length of the warm-up.
        weight_decay: Of everything but kernels; AdamW only.
        kernel_weight_decay: Of kernels; AdamW only.
        clip_norm: Largest norm of all gradients together; 0 for no clipping.
        weight_temperature: Whether BNext's kernels start soft; without they are binary from the first step.
        temperature_decay: By which the kernels' temperature, 1 at first, is multiplied after every epoch. 0 for the
            factor that gets to binary kernels after the same share of the epochs as the published run.
        weak_teachers: Names of the teachers that take turns, weakest first; empty for training on labels. They are
            those of ``tf.keras.applications``; ``ConvNet8``, or with any other number, is a small network of so many
            channels that is trained on the same images first.
        strong_teacher: Name of the teacher that stays.
        teacher_epochs: For how long teachers are trained that this project trains itself.
        label_weight: Share of the labels' cross-entropy in the distillation loss.
        per_example: Whether each example has its own weights of the two teachers.
        seed: Of weights, order and augmentation.
    """

    model: str
    widths: tuple[int, ...] = ()
    stem_stride: int | None = None
    elm_attention: bool = True
    info_recoupling: bool = True
    num_classes: int = 1000
    image_size: int = 224
    data: str = ""
    label_offset: int = 0
    augmentation: str = "imagenet"
    color_jitter: float = 0.0
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    normalization: str = "imagenet"
    batch_size: int = 512
    epochs: int = 512
    optimizer: str = "two_group_adamw"
    learning_rate: float = 1e-3
    warmup_learning_rate: float = 1e-5
    final_learning_rate: float = 1e-7
    warmup_epochs: int = 5
    weight_decay: float = 1e-3
    kernel_weight_decay: float = 1e-8
    clip_norm: float = 5.0
    weight_temperature: bool = True
    temperature_decay: float = 0.9
    weak_teachers: tuple[str, ...] = ()
    strong_teacher: str = ""
    teacher_epochs: int = 0
    label_weight: float = 0.0
    per_example: bool = True
    seed: int = 0

    def __post_init__(self):
        for name in ("num_classes", "image_size", "batch_size", "epochs"):
            _require(getattr(self, name) >= 1, name, self, "must be at least 1")
        for name in (
            "warmup_epochs",
            "teacher_epochs",
            "weight_decay",
            "kernel_weight_decay",
            "clip_norm",
            "color_jitter",
            "mixup",
            "cutmix",
            "label_offset",
            "seed",
        ):
            _require(getattr(self, name) >= 0, name, self, "must not be negative")
        for name in ("learning_rate", "warmup_learning_rate"):
            _require(getattr(self, name) > 0, name, self, "must be above 0")
        _require(self.final_learning_rate >= 0, "final_learning_rate", self, "must not be negative")
        _require(0 <= self.temperature_decay < 1, "temperature_decay", self, "must be at least 0 and below 1")
        for name in ("label_weight", "random_erasing"):
            _require(0 <= getattr(self, name) <= 1, name, self, "must be from 0 to 1")
        _require(self.warmup_epochs < self.epochs, "warmup_epochs", self, f"must be fewer than epochs={self.epochs}")
        _require(self.stem_stride in (None, 1, 2), "stem_stride", self, "must be 1 or 2")
        for name, choices in (
            ("optimizer", OPTIMIZERS),
            ("augmentation", AUGMENTATIONS),
            ("normalization", NORMALIZATIONS),
        ):
            _require(getattr(self, name) in choices, name, self, f"must be one of {', '.join(choices)}")
        if self.weak_teachers and not self.strong_teacher:
            raise RecipeError("weak_teachers need a strong_teacher")
        own = [name for name in (*self.weak_teachers, self.strong_teacher) if name.startswith("ConvNet")]
        own = [name for name in own if name.removeprefix("ConvNet").isdecimal()]
        if own and not self.teacher_epochs:
            raise RecipeError(f"teacher {own[0]} is trained before the student: say how long, such as teacher_epochs=6")

    def with_settings(self, settings: typing.Sequence[str]) -> "Recipe":
        """A copy with other values of some fields, each given as ``"key=value"``.

        Raises:
            RecipeError: if a key is unknown or a value is not of its type.

        Example:
            >>> recipe = Recipe(model="BNextTiny").with_settings(["epochs=20", "weak_teachers=EfficientNetB0"])
            Traceback (most recent call last):
            ...
            bnext_keras.recipes._recipe.RecipeError: weak_teachers need a strong_teacher
            >>> Recipe(model="BNextTiny").with_settings(["epochs=20", "widths=32,64"]).widths
            (32, 64)
        """
        kinds = typing.get_type_hints(Recipe)
        values = {}
        for setting in settings:
            key, equals, text = setting.partition("=")
            if not equals:
                raise RecipeError(f"{setting!r}: write settings as key=value, such as epochs=20")
            if key not in kinds:
                raise RecipeError(f"no recipe has a setting {key!r}{near_misses(key, kinds)}")
            values[key] = _parse(key, kinds[key], text)
        return replace(self, **values)


def names() -> list[str]:
    """The names of all recipes."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def read(name: str) -> tuple[str, Recipe]:
    """A recipe's description and settings, read from its file without importing it.

    Raises:
        RecipeError: if there is no such recipe.

    Example:
        >>> description, recipe = read("bnext_tiny")
        >>> recipe.epochs, recipe.strong_teacher
        (512, 'EfficientNetB2')
    """
    if name not in names():
        raise RecipeError(f"there is no recipe {name!r}{near_misses(name, names())}; bnext-train --list shows all")
    module = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    call = next(statement.value for statement in module.body if isinstance(statement, ast.Assign))
    settings = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    return ast.get_docstring(module), Recipe(**settings)


def near_misses(word: str, words: typing.Iterable[str]) -> str:
    """A question to append to an error: which of ``words`` may have been meant. Empty if none is near.

    Example:
        >>> near_misses("epoch", ["epochs", "seed"])
        '; did you mean epochs?'
    """
    by_small_letters = {known.lower(): known for known in words}
    matches = difflib.get_close_matches(word.lower(), list(by_small_letters), n=3, cutoff=0.6)
    found = [by_small_letters[match] for match in matches]
    return f"; did you mean {' or '.join(found)}?" if found else ""


def _parse(key, kind, text):
    if isinstance(kind, types.UnionType):  # int | None
        if text.lower() in ("", "none"):
            return None
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is tuple:
        return tuple(_parse(key, typing.get_args(kind)[0], part) for part in text.split(",") if part)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise RecipeError(f"{key}={text}: must be true or false")
        return text.lower() == "true"
    try:
        value = kind(text)
    except ValueError:
        value = None
    # "nan" and "inf" are numbers to Python.
    if value is None or (kind is float and value - value != 0):
        what = {int: "a whole number", float: "a number"}[kind]
        raise RecipeError(f"{key}={text}: must be {what}, such as {key}={_example(key)}")
    return value


def _example(key):
    default = next(field.default for field in fields(Recipe) if field.name == key)
    return {"widths": "32,64,128", "stem_stride": 2}.get(key, default)


def _require(condition, name, recipe, what):
    if not condition:
        raise RecipeError(f"{name}={getattr(recipe, name)}: {what}")
