"""From a recipe to the callbacks that make plain training the published method."""

from collections.abc import Mapping
from functools import partial

from bnext_keras.callbacks import (
    AttentionMatching,
    Distillation,
    DiversifiedConsecutiveDistillation,
    WeightTemperature,
)
from bnext_keras.quantizers import temperatures
from bnext_keras.recipes import Recipe
from bnext_keras.teachers import Teacher
from bnext_keras.training.schedule import LearningRate

import tensorflow as tf


def method(recipe: Recipe, model: tf.keras.Model, teachers: Mapping[str, Teacher]) -> list[tf.keras.callbacks.Callback]:
    """What the method adds to plain training. All of it depends on the epoch alone, so that a run can continue.

    Args:
        recipe: All settings.
        model: The student.
        teachers: Those that the recipe names, by name.
    """
    schedule, distillation = recipe.schedule, recipe.distillation
    callbacks: list[tf.keras.callbacks.Callback] = [
        LearningRate(partial(schedule.learning_rate, peak=recipe.optimizer.learning_rate))
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
        callbacks.append(Distillation([strong], [distillation.teacher_weight], label_weight=label_weight))
    if distillation.attention:
        callbacks.append(
            AttentionMatching(
                strong,
                distillation.attention_pairs,
                distillation.attention_weight,
                scaled_to=distillation.attention_scale,
            )
        )
    return callbacks
