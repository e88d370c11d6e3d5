"""Recipes: what is published, settings as texts, files of one's own, and records of earlier versions."""

import importlib
import json
from dataclasses import asdict

from bnext_keras import recipes
from bnext_keras.recipes import Data, Distillation, Optimizer, Recipe, RecipeError, Schedule, Start, recipe_of_record
from bnext_keras.schedules import weight_temperature

import pytest

BASE = Recipe("BNext", model_options={"widths": (32, 64)})


def test_recipes_are_plain_data_and_say_what_to_expect():
    for name in recipes.names():
        description, recipe = recipes.read(name)
        assert f"bnext-train {name} " in description
        assert "Hardware" in description
        assert "Expected accuracy" in description
        module = importlib.import_module(f"bnext_keras.recipes.{name}")
        assert recipe == module.RECIPE
        assert recipe_of_record(json.loads(json.dumps(asdict(recipe)))) == recipe


@pytest.mark.parametrize(
    ("name", "model", "weak", "strong", "batch_size"),
    [
        ("bnext_tiny", "BNextTiny", ("EfficientNetB0",), "EfficientNetB2", 512),
        ("bnext_small", "BNextSmall", ("EfficientNetB0",), "EfficientNetB2", 512),
        ("bnext_middle", "BNextMiddle", ("EfficientNetB0", "EfficientNetB2"), "EfficientNetB4", 512),
        ("bnext_large", "BNextLarge", ("EfficientNetB0", "EfficientNetB4", "ConvNeXtTiny"), "ConvNeXtTiny", 128),
    ],
)
def test_the_published_curricula(name, model, weak, strong, batch_size):
    teachers = Distillation(weak_teachers=weak, strong_teacher=strong)
    assert recipes.read(name)[1] == Recipe(model, data=Data(batch_size=batch_size), distillation=teachers)


def test_the_other_published_runs():
    melius = Recipe(
        "MeliusNet22",
        data=Data(batch_size=256, augmentation="crop_and_flip"),
        optimizer=Optimizer("rectified_adam", learning_rate=2e-3, clip_norm=0.0),
        schedule=Schedule(epochs=120, warmup_epochs=0, final_learning_rate=0.0),
    )
    assert recipes.read("meliusnet22")[1] == melius
    adam = Optimizer("adam", learning_rate=3e-3, clip_norm=0.0)
    assert recipes.read("meliusnet59")[1] == melius.derive(model="MeliusNet59", optimizer=adam)
    cifar = Data(num_classes=10, image_size=32, normalization="cifar", augmentation="cifar")
    assert recipes.read("cifar10")[1] == Recipe("BNextTiny", data=cifar, schedule=Schedule(epochs=256))


def test_cifar10_for_a_processor_is_cifar10_with_a_narrow_network_and_few_epochs_that_end_binary():
    narrow = recipes.read("cifar10")[1].derive(
        model="BNext",
        model_options={"widths": (32, 64, 128, 128, 256), "stem_stride": 2},
        data={"batch_size": 128},
        optimizer={"learning_rate": 3e-3},
        schedule={"epochs": 10, "warmup_epochs": 0, "final_learning_rate": 0.0},
    )
    recipe = recipes.read("cifar10_cpu")[1]
    assert recipe == narrow
    initial, decay = recipe.annealing
    assert (weight_temperature(2, initial, decay) > 0, weight_temperature(3, initial, decay)) == (True, 0.0)


PLAIN = Recipe(
    "QuickNet",
    data=Data(batch_size=256, augmentation="crop_and_flip"),
    optimizer=Optimizer("adam", weight_decay=0.0, kernel_weight_decay=0.0, clip_norm=0.0),
    schedule=Schedule(epochs=128, warmup_epochs=0, final_learning_rate=0.0),
)
REACTNET = PLAIN.derive(
    model="ReActNetA",
    optimizer={"learning_rate": 1.25e-3},
    schedule={"decay": "linear"},
    distillation={"strong_teacher": "ResNet34"},
)
#: Weight of the attention maps: the mean of eight distances, times 30.
R2B = PLAIN.derive(
    model="RealToBinaryNet",
    optimizer={"learning_rate": 1e-3},
    schedule={
        "epochs": 75,
        "warmup_epochs": 5,
        "warmup_learning_rate": 1e-4,
        "decay": "steps",
        "decay_epochs": (40, 60, 70),
        "decay_factor": 0.3,
    },
    distillation={"label_weight": 1.0, "teacher_weight": 3.0, "attention_weight": 3.75, "attention_scale": "largest"},
)
PENALTY = {"name": "two_group_adam", "kernel_weight_decay": 1e-5}
#: PokeBNN's learning rate, 2e-5 for every 256 images, and what is left of it after 50 of 750 epochs.
POKE = Optimizer("two_group_adam", 6.4e-4, weight_decay=0.0, kernel_weight_decay=5e-5, beta_2=0.99, clip_norm=0.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reactnet_1", REACTNET.derive(signs="activations", optimizer=PENALTY)),
        ("reactnet_2", REACTNET.derive(start={"init": "runs/reactnet_1/final.h5"})),
        (
            "quicknet",
            PLAIN.derive(
                data={"batch_size": 2048},
                optimizer={"name": "adam_and_momentum", "learning_rate": 0.1, "kernel_learning_rate": 0.01},
                schedule={"epochs": 600, "warmup_epochs": 5, "warmup_learning_rate": 0.01},
            ),
        ),
        (
            "boolnet",
            PLAIN.derive(
                model="BoolNet",
                optimizer={"name": "rectified_adam", "learning_rate": 2e-3, "clip_norm": 2.5},
                schedule={"epochs": 80, "final_learning_rate": 1e-8, "temperature_decay": 0.815},
                distillation={"strong_teacher": "ResNet34"},
            ),
        ),
    ],
)
def test_published_runs_of_other_networks(name, expected):
    assert recipes.read(name)[1] == expected


def test_the_four_steps_of_real_to_binary():
    first, second, third, fourth = (recipes.read(f"r2b_{step}")[1] for step in (1, 2, 3, 4))
    assert (first.model, first.schedule.epochs, first.distillation) == ("ResNet18", 100, Distillation())
    pairs = [f"stage{stage}_block{i}_add" for stage in range(4) for i in (1, 3)]
    of_resnet = [f"stage{stage}_block{i}_out" for stage in range(4) for i in (0, 1)]
    assert second.distillation.attention_pairs == dict(zip(pairs, of_resnet, strict=True))
    assert third.distillation.attention_pairs == dict(zip(pairs, pairs, strict=True))
    files = [f"runs/r2b_{step}/best.h5" for step in (1, 2, 3)]
    teachers = {"strong_teacher": files[0], "attention": second.distillation.attention}
    assert second == R2B.derive(signs="tanh", distillation=teachers)
    teachers = {"strong_teacher": files[1], "attention": tuple(pairs)}
    assert third == R2B.derive(signs="activations", distillation=teachers)
    assert fourth == R2B.derive(
        optimizer={"learning_rate": 2e-4},
        schedule={"warmup_learning_rate": 2e-5},
        start={"init": files[2]},
        distillation={"strong_teacher": files[2], "teacher_weight": 0.8},
    )


def test_the_two_parts_of_pokebnns_run_are_one_line_of_learning_rates():
    first, second = (recipes.read(f"pokebnn_{step}")[1] for step in (1, 2))
    assert first.optimizer == POKE
    assert (first.signs, second.signs) == ("activations", "all")
    assert second.start == Start("runs/pokebnn_1/final.h5", measure_bounds=True)
    rates = [
        recipe.schedule.learning_rate(epoch, recipe.optimizer.learning_rate)
        for recipe in (first, second)
        for epoch in range(recipe.schedule.epochs)
    ]
    assert rates == pytest.approx([6.4e-4 * (1 - epoch / 750) for epoch in range(750)])


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("epochs=20", "schedule.epochs", 20),
        ("schedule.epochs=20", "schedule.epochs", 20),
        ("optimizer.learning_rate=2e-3", "optimizer.learning_rate", 2e-3),
        ("optimizer=adam", "optimizer.name", "adam"),
        ("data=digits", "data.source", "digits"),
        ("per_example=false", "distillation.per_example", False),
        ("model=BNextTiny", "model", "BNextTiny"),
        ("seed=7", "seed", 7),
        ("precision=mixed_bfloat16", "compute.precision", "mixed_bfloat16"),
        ("ema=0.999", "optimizer.ema", 0.999),
        ("signs=activations", "signs", "activations"),
        ("decay=linear", "schedule.decay", "linear"),
        ("widths=8,16,32", "model_options.widths", (8, 16, 32)),
        ("model_options.widths=8", "model_options.widths", (8,)),
        ("stem_stride=2", "model_options.stem_stride", 2),
        ("elm_attention=False", "model_options.elm_attention", False),
        ("model_options.stem=conv7x7", "model_options.stem", "conv7x7"),
        ("model_options.pad_value=-1", "model_options.pad_value", -1),
        ("model_options.blocks=4,5,4", "model_options.blocks", (4, 5, 4)),
    ],
)
def test_a_setting_is_found_with_its_section_and_without(setting, name, value):
    changed = BASE.with_settings([setting]).settings()
    assert changed.pop(name) == value
    before = BASE.settings()
    before.pop(name, None)
    assert changed == before


def test_an_option_is_taken_away_by_an_empty_text_and_by_none():
    assert BASE.with_settings(["widths="]).model_options == {}
    assert BASE.derive(model_options={"widths": None, "stem_stride": 1}).model_options == {"stem_stride": 1}


def test_options_that_a_recipe_states_need_no_section():
    recipe = BASE.derive(model_options={"pad_value": 0.0})
    assert recipe.with_settings(["pad_value=-1"]).model_options["pad_value"] == -1


def test_what_show_prints_can_be_given_back():
    for name in recipes.names():
        _, recipe = recipes.read(name)
        texts = [f"{key}={recipes.as_text(value)}" for key, value in recipe.settings().items()]
        assert BASE.with_settings([*texts, *([] if recipe.model_options else ["widths="])]) == recipe


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epoch=3", "no recipe has a setting 'epoch'; did you mean epochs?"),
        (
            "optimiser.learning_rate=1",
            "no recipe has a setting 'optimiser.learning_rate'; did you mean optimizer.learn",
        ),
        ("data.epochs=1", "no recipe has a setting 'data.epochs'; did you mean schedule.epochs"),
        ("stem=conv7x7", "no recipe has a setting 'stem'"),
        ("seed=-1", "seed=-1: must not be negative"),
        ("schedule.epochs=0", "epochs=0: must be at least 1"),
        ("optimizer.learning_rate=0", "learning_rate=0.0: must be above 0"),
        ("temperature_decay=1", "temperature_decay=1.0: must be at least 0 and below 1"),
        ("augmentation=none", "augmentation=none: must be one of imagenet, crop_and_flip, cifar, shift"),
        ("precision=float16", "precision=float16: must be one of float32, mixed_float16, mixed_bfloat16"),
        ("teacher_precision=half", "teacher_precision=half: must be one of float32, mixed_float16, mixed_bfloat16"),
        ("ema=1", "ema=1.0: must be at least 0 and below 1"),
        ("strong_teacher=ConvNet8", "teacher ConvNet8 is trained before the student: say how long"),
        ("signs=some", "signs=some: must be one of all, activations, tanh"),
        ("decay=line", "decay=line: must be one of cosine, linear, steps"),
        ("decay_epochs=40,60", "decay_epochs=(40, 60): there are steps with decay=steps only"),
        ("decay_factor=0", "decay_factor=0.0: must be above 0 and at most 1"),
        ("kernel_learning_rate=0.01", "kernel_learning_rate=0.01: kernels have a learning rate of their own with"),
        ("beta_2=1", "beta_2=1.0: must be at least 0 and below 1"),
        ("attention=block1", "attention needs a strong_teacher"),
        ("attention_scale=max", "attention_scale=max: must be one of length, largest"),
    ],
)
def test_bad_settings_are_told_with_what_may_have_been_meant(setting, message):
    with pytest.raises(RecipeError) as caught:
        BASE.with_settings([setting])
    assert str(caught.value).startswith(message)


def test_a_name_that_two_sections_have_is_ambiguous():
    recipe = BASE.derive(model_options={"epochs": 3})
    with pytest.raises(RecipeError, match=r"^epochs: say which, schedule\.epochs or model_options\.epochs$"):
        recipe.with_settings(["epochs=5"])
    assert recipe.with_settings(["schedule.epochs=6"]).schedule.epochs == 6


def test_deriving_names_what_it_does_not_know():
    with pytest.raises(RecipeError, match="a recipe has no 'shedule'; did you mean schedule"):
        BASE.derive(shedule={"epochs": 3})
    with pytest.raises(RecipeError, match="schedule has no setting 'epoch'; did you mean epochs"):
        BASE.derive(schedule={"epoch": 3})


def test_a_file_of_ones_own_is_a_recipe(tmp_path):
    path = tmp_path / "my_recipe.py"
    path.write_text(
        '"""My photos."""\n'
        "from bnext_keras import recipes\n"
        "EPOCHS = 2 * 30\n"
        'RECIPE = recipes.read("bnext_tiny")[1].derive(schedule={"epochs": EPOCHS})\n'
    )
    description, recipe = recipes.read(str(path))
    assert description == "My photos."
    assert recipe == recipes.read("bnext_tiny")[1].derive(schedule={"epochs": 60})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("RECIPE = None\n", ": sets no RECIPE = Recipe(...)"),
        ("\nRECIPE = (\n", ", line 2: SyntaxError: '(' was never closed"),
        ("import nowhere_at_all\n", ", line 1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        (
            "from bnext_keras.recipes import Recipe\n\nRECIPE = Recipe('BNext').derive(schedule={'epochs': 0})\n",
            ", line 3: epochs=0: must be at least 1",
        ),
        ("def f():\n    return 1 / 0\n\nf()\n", ", line 2: ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_that_fails_is_told_in_one_line(tmp_path, content, message):
    path = tmp_path / "my_recipe.py"
    path.write_text(content)
    with pytest.raises(RecipeError) as caught:
        recipes.read(path)
    assert str(caught.value) == f"{path}{message}"


@pytest.mark.parametrize("name", ["my_recipe.py", "./my_recipe.py", "../runs/my_recipe.py"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("\nRECIPE = (\n", "line 2: SyntaxError: '(' was never closed"),
        ("\n\n1 / 0\n", "line 3: ZeroDivisionError: division by zero"),
    ],
)
def test_the_line_is_told_of_a_relative_path_too(tmp_path, monkeypatch, name, content, message):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path / "runs")
    (tmp_path / "runs" / "my_recipe.py").write_text(content)
    with pytest.raises(RecipeError) as caught:
        recipes.read(name)
    assert str(caught.value) == f"{name.removeprefix('./')}, {message}"


def test_a_file_must_be_there(tmp_path):
    with pytest.raises(RecipeError, match=r"nowhere\.py: no such file$"):
        recipes.read(tmp_path / "nowhere.py")


#: As version 0.1 wrote it: bnext-train digits epochs=3 elm_attention=false.
OLD_RECORD = {
    "model": "BNext",
    "widths": [32, 64, 128, 256],
    "stem_stride": 2,
    "elm_attention": False,
    "info_recoupling": True,
    "num_classes": 10,
    "image_size": 32,
    "data": "digits",
    "label_offset": 0,
    "augmentation": "shift",
    "color_jitter": 0.0,
    "random_erasing": 0.0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "normalization": "imagenet",
    "batch_size": 16,
    "epochs": 3,
    "optimizer": "two_group_adamw",
    "learning_rate": 0.002,
    "warmup_learning_rate": 2e-05,
    "final_learning_rate": 0.0,
    "warmup_epochs": 1,
    "weight_decay": 0.001,
    "kernel_weight_decay": 1e-08,
    "clip_norm": 5.0,
    "weight_temperature": True,
    "temperature_decay": 0.0,
    "weak_teachers": ["ConvNet16"],
    "strong_teacher": "ConvNet32",
    "teacher_epochs": 12,
    "label_weight": 0.0,
    "per_example": True,
    "seed": 0,
}


def test_a_record_without_sections_is_the_recipe_that_it_was():
    expected = recipes.read("digits")[1].with_settings(["epochs=3", "elm_attention=false"])
    assert recipe_of_record(OLD_RECORD) == expected
    old_melius = {**OLD_RECORD, "model": "MeliusNet22", "widths": [], "stem_stride": None, "elm_attention": True}
    assert recipe_of_record(old_melius).model_options == {}


def test_a_record_of_a_later_version_is_refused():
    with pytest.raises(RecipeError, match="no recipe has a setting 'epoch_length'"):
        recipe_of_record({**OLD_RECORD, "epoch_length": 3})
    with pytest.raises(RecipeError, match="a recipe has no 'ema'"):
        recipe_of_record({**asdict(BASE), "ema": {}})
    with pytest.raises(RecipeError, match="not one of this version"):
        recipe_of_record({})


def test_kernels_of_a_run_that_begins_with_weights_stay_binary():
    assert BASE.annealing == (1.0, 0.9)
    assert BASE.derive(start={"init": "mine.h5"}).annealing is None
    assert BASE.derive(schedule={"weight_temperature": False}).annealing is None
    softened = BASE.derive(start={"init": "mine.h5", "temperature": 0.5}, schedule={"epochs": 20})
    initial, decay = softened.annealing
    assert initial == 0.5
    # Binary in the same epoch as one that begins with 1.
    assert 0.5 * decay**5 >= 1e-7 > 0.5 * decay**6
    softened.check()
    with pytest.raises(RecipeError, match="the weight temperature is still"):
        softened.derive(schedule={"temperature_decay": 0.9}).check()
    with pytest.raises(RecipeError, match="temperature=2: must be from 0 to 1"):
        Start(temperature=2)


def test_what_excludes_each_other_is_refused():
    with pytest.raises(RecipeError, match="signs=tanh: a float twin has none"):
        BASE.with_settings(["signs=tanh", "float_twin=true"])
    with pytest.raises(RecipeError, match=r"teacher_weight=2\.0: two teachers weight each other"):
        BASE.with_settings(["weak_teachers=A", "strong_teacher=B", "teacher_weight=2"])
    with pytest.raises(RecipeError, match="measure_bounds=true: bounds that are measured need weights to begin with"):
        BASE.with_settings(["measure_bounds=true"]).check()


def test_nothing_fresh_is_frozen():
    BASE.derive(start={"init": "mine.h5", "freeze": ("stem",)}).check()
    with pytest.raises(RecipeError, match="freeze=stem,block1: layers that stay as they are need weights"):
        BASE.with_settings(["freeze=stem,block1"]).check()
