"""Recipes: one file for each published training run, with its settings as plain data.

>>> import bnext_keras
>>> bnext_keras.recipes.names()
['bnext_large', 'bnext_middle', 'bnext_small', 'bnext_tiny', 'cifar10', 'digits', 'meliusnet22', 'meliusnet59']
>>> description, recipe = bnext_keras.recipes.read("bnext_large")
>>> recipe.batch_size, recipe.weak_teachers
(128, ('EfficientNetB0', 'EfficientNetB4', 'ConvNeXtTiny'))

On the command line: ``bnext-train``; from Python: `bnext_keras.training.train`. A file of your own beside these is
found by its name: a docstring and ``RECIPE = Recipe(...)`` with literal values.
"""

from bnext_keras.errors import RecipeError
from bnext_keras.recipes._recipe import Recipe, names, read

__all__ = ["Recipe", "RecipeError", "names", "read"]
