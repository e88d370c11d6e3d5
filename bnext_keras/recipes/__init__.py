"""Recipes: one file for each published training run, with its settings as plain data.

>>> import bnext_keras
>>> bnext_keras.recipes.names()  # doctest: +ELLIPSIS
['bnext_large', 'bnext_middle', 'bnext_small', 'bnext_tiny', 'boolnet', 'cifar10', 'cifar10_cpu', 'digits', ...]
>>> description, recipe = bnext_keras.recipes.read("bnext_large")
>>> recipe.data.batch_size, recipe.distillation.weak_teachers
(128, ('EfficientNetB0', 'EfficientNetB4', 'ConvNeXtTiny'))

On the command line: ``bnext-train``; from Python: `bnext_keras.training.train`. A recipe of your own is a Python file
anywhere, ``my_recipe.py``, that derives from a published one or makes its own::

    \"\"\"BNext-T on my photos.\"\"\"

    from bnext_keras import recipes

    _, bnext_tiny = recipes.read("bnext_tiny")
    RECIPE = bnext_tiny.derive(
        data={"num_classes": 37},
        schedule={"epochs": 60},
        distillation=recipes.Distillation(),  # no teachers: labels alone
    )

and ``bnext-train my_recipe.py --data photos/ --out runs/mine`` trains it.
"""

from bnext_keras.errors import RecipeError
from bnext_keras.recipes._method import ATTENTION_SCALES, Distillation, Optimizer, Schedule
from bnext_keras.recipes._reading import names, read
from bnext_keras.recipes._recipe import Recipe, recipe_of_record
from bnext_keras.recipes._sections import Compute, Data, Start
from bnext_keras.recipes._settings import as_text

__all__ = [
    "ATTENTION_SCALES",
    "Compute",
    "Data",
    "Distillation",
    "Optimizer",
    "Recipe",
    "RecipeError",
    "Schedule",
    "Start",
    "as_text",
    "names",
    "read",
    "recipe_of_record",
]
