"""Training by recipe: runs that survive being killed, on one device or many.

>>> import bnext_keras
>>> description, recipe = bnext_keras.recipes.read("digits")
>>> bnext_keras.training.train(recipe, "runs/digits")  # doctest: +SKIP

is what ``bnext-train digits --out runs/digits`` does. Its parts serve in training loops of one's own too: the published
optimizers and learning rates, and `Checkpoints` to continue from.
"""

from bnext_keras.errors import RunError
from bnext_keras.optimizers import AdamAndMomentum, RectifiedAdam, TwoGroupAdam, TwoGroupAdamW
from bnext_keras.training.checkpoint import Checkpoints
from bnext_keras.training.estimate import Estimate, estimate
from bnext_keras.training.run import train
from bnext_keras.training.schedule import LearningRate, WarmupCosine

__all__ = [
    "AdamAndMomentum",
    "Checkpoints",
    "Estimate",
    "LearningRate",
    "RectifiedAdam",
    "RunError",
    "TwoGroupAdam",
    "TwoGroupAdamW",
    "WarmupCosine",
    "estimate",
    "train",
]
