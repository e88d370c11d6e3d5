"""From a recipe to the callbacks that make plain training the published method."""

from collections.abc import Mapping

from bnext_keras.callbacks import Distillation, DiversifiedConsecutiveDistillation, WeightTemperature
from bnext_keras.quantizers import temperatures
from bnext_keras.recipes import Recipe
from bnext_keras.teachers import Teacher
from bnext_keras.training.schedule import WarmupCosine

import tensorflow as tf


def method(recipe: Recipe, model: tf.keras.Model, teachers: Mapping[str, Teacher]) -> list[tf.keras.callbacks.Callback]:
    """What the method adds to plain training. All of it depends on the epoch alone, so that a run can continue.

    Args:
        recipe: All settings.
        model: The student.
        teachers: Those that the recipe names, by name.
    """
    schedule, distillation = recipe.schedule, recipe.distillation
    callbacks = [
        WarmupCosine(
            schedule.epochs,
            peak=recipe.optimizer.learning_rate,
            warmup=schedule.warmup_learning_rate,
            final=schedule.final_learning_rate,
            warmup_epochs=schedule.warmup_epochs,
        )
    ]
    if recipe.annealing and temperatures(model):
        # A new run that would end soft has been refused; one that an earlier version began may go on.
        callbacks.append(WeightTemperature(*recipe.annealing, may_end_soft=True))
    weak = [teachers[name] for name in distillation.weak_teachers]
    strong = teachers.get(distillation.strong_teacher)
    label_weight = distillation.label_weight
    if weak:
        callbacks.append(
            DiversifiedConsecutiveDistillation(
                weak, strong, schedule.epochs, per_example=distillation.per_example, label_weight=label_weight
            )
        )
    elif strong:
        callbacks.append(Distillation([strong], label_weight=label_weight))
    return callbacks
