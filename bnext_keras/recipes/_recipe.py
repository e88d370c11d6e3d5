"""What a recipe is: every setting of one training run, as plain data that needs no TensorFlow."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from bnext_keras.errors import RecipeError
from bnext_keras.recipes import _settings
from bnext_keras.recipes._method import Distillation, Optimizer, Schedule
from bnext_keras.recipes._sections import Compute, Data, Start
from bnext_keras.roles import FLOAT_BITS, parse_bits

SIGNS = ("all", "activations", "tanh")


@dataclass(frozen=True)
class Recipe:
    """Every setting of one training run.

    Attributes:
        model: Function of `bnext_keras.models` that builds the network.
        model_options: Keyword arguments of that function, such as ``{"widths": (32, 64)}``, but for the input shape and
            the number of classes, which are the data's.
        float_twin: Whether the network is trained without its signs, see `bnext_keras.twin.float_twin`: what it would
            be worth if its kernels and activations were floats.
        signs: What is binary: ``"all"``; or ``"activations"`` alone, in a first step of training, while kernels are
            floats; or nothing, ``"tanh"``: activations are hyperbolic tangents then. See
            `bnext_keras.twin.float_kernels`.
        weight_bits: Bits that weights of stem, squeeze-and-expand and head are trained in, such as ``"8/4/8"``, see
            `bnext_keras.weight_bits`; 32 is for floats.
        data: The images, and what is done to them.
        optimizer: How gradients become steps.
        schedule: What changes from epoch to epoch.
        start: What the run begins with, if not with fresh weights.
        distillation: Who teaches.
        compute: What a step is computed in.
        seed: Seed of weights, order and augmentation.

    Example:
        >>> from bnext_keras.recipes import Data, Recipe
        >>> recipe = Recipe("MeliusNet22", data=Data(image_size=32, num_classes=10))
        >>> recipe.data.image_size, recipe.schedule.epochs
        (32, 512)
    """

    model: str
    model_options: dict[str, Any] = field(default_factory=dict)
    float_twin: bool = False
    signs: str = "all"
    weight_bits: str = "32/32/32"
    data: Data = field(default_factory=Data)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    start: Start = field(default_factory=Start)
    distillation: Distillation = field(default_factory=Distillation)
    compute: Compute = field(default_factory=Compute)
    seed: int = 0

    def __post_init__(self):
        if self.seed < 0:
            raise RecipeError(f"seed={self.seed}: must not be negative")
        if self.float_twin and self.start.init:
            raise RecipeError("float_twin=true: a float twin has weights of its own; leave out init=, or the twin")
        if self.signs not in SIGNS:
            raise RecipeError(f"signs={self.signs}: must be one of {', '.join(SIGNS)}")
        if self.float_twin and self.signs != "all":
            raise RecipeError(f"signs={self.signs}: a float twin has none; leave out one of both")
        try:
            is_low_bit = set(parse_bits(self.weight_bits).values()) != {FLOAT_BITS}
        except ValueError as error:
            raise RecipeError(f"weight_bits={self.weight_bits}: {error}") from error
        if self.float_twin and is_low_bit:
            raise RecipeError("float_twin=true: a float twin has float weights; leave out weight_bits=, or the twin")
        # JSON knows no tuples: so a recipe is equal to the one that its record makes.
        object.__setattr__(self, "model_options", {name: _frozen(value) for name, value in self.model_options.items()})

    @property
    def annealing(self) -> tuple[float, float] | None:
        """First temperature of the kernels and its factor after every epoch; None if they are binary all the time.

        Example:
            >>> Recipe("BNext").annealing, Recipe("BNext").with_settings(["init=mine.h5"]).annealing
            ((1.0, 0.9), None)
        """
        initial = self._first_temperature
        return self.schedule.annealing_from(initial) if initial else None

    @property
    def _first_temperature(self):
        if not self.schedule.weight_temperature:
            return 0.0
        return self.start.temperature if self.start.init else 1.0

    def check(self) -> None:
        """Raises RecipeError if no run can begin so: its kernels would be soft at the end, or fresh layers frozen."""
        self.schedule.check_annealed(self._first_temperature)
        self.start.check()

    def derive(self, **changes: Any) -> "Recipe":
        """A recipe that differs from this one in what is named.

        Args:
            **changes: New values by name. A section is given as a dictionary of what changes in it, or whole. Options
                of the model are added to those that are there; one that becomes None is left out.

        Raises:
            RecipeError: if there is no such setting, or a value is out of its bounds.

        Example:
            >>> base = Recipe("BNext", model_options={"widths": (32, 64)})
            >>> recipe = base.derive(model_options={"stem_stride": 2}, data={"batch_size": 128}, seed=1)
            >>> recipe.model_options, recipe.data.batch_size, recipe.seed
            ({'widths': (32, 64), 'stem_stride': 2}, 128, 1)
        """
        for name, change in changes.items():
            if name not in self.__dataclass_fields__:
                raise RecipeError(f"a recipe has no {name!r}{_settings.near_misses(name, self.__dataclass_fields__)}")
            if name == _settings.MODEL_OPTIONS:
                options = {**self.model_options, **change}
                changes[name] = {option: value for option, value in options.items() if value is not None}
            elif name in _settings.SECTIONS and isinstance(change, Mapping):
                changes[name] = _replaced(name, getattr(self, name), change)
        return replace(self, **changes)

    def with_settings(self, settings: Sequence[str]) -> "Recipe":
        """A copy with other values of some settings, each given as ``"key=value"``.

        Keys are written in full, ``optimizer.learning_rate``, or without the section where that says enough.

        Raises:
            RecipeError: if a key is unknown or a value is not of its type.

        Example:
            >>> recipe = Recipe("BNextTiny").with_settings(["epochs=20", "weak_teachers=EfficientNetB0"])
            Traceback (most recent call last):
            ...
            bnext_keras.errors.RecipeError: weak_teachers need a strong_teacher
            >>> Recipe("BNext").with_settings(["schedule.epochs=20", "widths=32,64"]).model_options
            {'widths': (32, 64)}
        """
        return self.derive(**_settings.changes(settings, self.model_options))

    def settings(self) -> dict[str, Any]:
        """All values by their full names: what can be set.

        Example:
            >>> settings = Recipe("BNext", model_options={"widths": (32, 64)}).settings()
            >>> settings["model_options.widths"], settings["optimizer.learning_rate"], settings["seed"]
            ((32, 64), 0.001, 0)
        """
        found = {}
        for name, value in asdict(self).items():
            found.update(
                {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
            )
        return found


def recipe_of_record(record: Mapping[str, Any]) -> Recipe:
    """The recipe that a run's ``run.json`` records, that of an earlier version too, which knew no sections.

    Raises:
        RecipeError: if there are settings in it that this version does not have.

    Example:
        >>> recipe = recipe_of_record({"model": "BNext", "widths": [32, 64], "data": "digits", "epochs": 12})
        >>> recipe.model_options, recipe.data.source, recipe.schedule.epochs
        ({'widths': (32, 64)}, 'digits', 12)
    """
    if not isinstance(record.get("data"), Mapping):
        record = _in_sections(record)
    try:
        return Recipe(record["model"]).derive(**record)
    except (KeyError, TypeError) as error:
        raise RecipeError(f"the recorded recipe is not one of this version ({error})") from error


def _in_sections(flat):
    """The settings of a record without sections, as arguments of `Recipe.derive`."""
    # Every network had these four; they were passed on only if they were something else.
    unset: dict[str, Any] = {"widths": [], "stem_stride": None, "elm_attention": True, "info_recoupling": True}
    changes: dict[str, Any] = {}
    for key, value in flat.items():
        if key in unset and value == unset[key]:
            continue
        section, name = _settings.resolve(key)
        if section:
            changes.setdefault(section, {})[name] = value
        else:
            changes[name] = value
    return changes


def _replaced(section, value, change):
    known = [each.name for each in fields(value)]
    for name in change:
        if name not in known:
            raise RecipeError(f"{section} has no setting {name!r}{_settings.near_misses(name, known)}")
    return replace(value, **{name: _frozen(each) for name, each in change.items()})


def _frozen(value):
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
