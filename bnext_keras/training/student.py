"""From a recipe to a compiled network."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bnext_keras import networks
from bnext_keras.classes import annotate, stated
from bnext_keras.errors import RunError, UserError
from bnext_keras.freezing import freeze
from bnext_keras.importers.pretrained import read_pretrained
from bnext_keras.labels import without_synsets
from bnext_keras.logs import get_logger
from bnext_keras.optimizers import AdamAndMomentum, RectifiedAdam, TwoGroupAdam, TwoGroupAdamW
from bnext_keras.precision import global_policy
from bnext_keras.quantizers import harden
from bnext_keras.recipes import Recipe
from bnext_keras.recipes._settings import fitted, near_misses
from bnext_keras.training.datasets import augmentation, normalization
from bnext_keras.twin import float_kernels, float_twin
from bnext_keras.weight_bits import quantize_weights

import tensorflow as tf

log = get_logger(__name__)


def build_model(
    recipe: Recipe, class_names: Sequence[str] | None = None, weights: Path | None = None
) -> tf.keras.Model:
    """The network of a recipe, with the seed's initial weights. It states its classes and how images are normalized.

    With weights from a file its kernels are binary, and what the recipe freezes is frozen.

    Args:
        recipe: All settings.
        class_names: What the data set calls its classes, None if it has no names. WordNet's numbers, as ImageNet's
            folders are called, become ImageNet's names.
        weights: The file of its weights; by default the recipe's ``init``, if it names one.

    Raises:
        RunError: if there is no such model, or it does not fit the other settings or the file of weights.
        RecipeError: if the recipe freezes what the network does not have, or gives it an option of another type.
    """
    network = networks.find(recipe.model)
    if network is None:
        misses = near_misses(recipe.model, networks.names())
        raise RunError(f"model={recipe.model}: bnext_keras.models and bnext_keras.zoo have no such network{misses}")
    size = recipe.data.image_size
    names = None if class_names is None else without_synsets(class_names)
    options = {**_initial(recipe, weights, names), **_own_options(recipe, network)}
    tf.keras.utils.set_random_seed(recipe.seed)
    try:
        with global_policy(recipe.compute.precision):
            model = network(input_shape=(size, size, 3), num_classes=recipe.data.num_classes, **options)
    except UserError as error:
        raise RunError(f"init={weights or recipe.start.init}: {error}") from error
    except ValueError as error:
        raise RunError(f"model={recipe.model}: {error}") from error
    except TypeError as error:
        # It does not take one of the options, or lacks one.
        raise RunError(
            str(error),
            where=f"model={recipe.model}",
            remedy=f"the options given are {', '.join(recipe.model_options) or 'none'}; widths=32,64, say, gives one, "
            "widths= takes it away",
        ) from error
    if recipe.float_twin:
        with global_policy(recipe.compute.precision):
            model = float_twin(model)
    elif recipe.signs != "all":
        with global_policy(recipe.compute.precision):
            model = float_kernels(model, tanh=recipe.signs == "tanh", keep_weights=bool(recipe.start.init))
    if names == stated(model).class_names:
        names = None  # ImageNet's need not be listed
    try:
        quantize_weights(model, recipe.weight_bits)
    except ValueError as error:
        raise RunError(f"weight_bits={recipe.weight_bits}: {error}") from error
    scale = normalization(recipe)
    with global_policy(recipe.compute.precision):
        model = annotate(model, class_names=names, mean=scale.mean, std=scale.std)
    if recipe.start.init:
        if soft := harden(model):
            log.warning("%s: the kernels of %d layers were not binary; they are now", recipe.start.init, len(soft))
        freeze(model, recipe.start.freeze)
    return model


def _own_options(recipe, network):
    """The recipe's ``model_options`` as the network takes them, by its signature; unknown ones are left to it."""
    kinds = {name: parameter.annotation for name, parameter in inspect.signature(network).parameters.items()}
    return {
        name: fitted(f"model_options.{name}", kinds[name], value) if name in kinds else value
        for name, value in recipe.model_options.items()
    }


def _initial(recipe, weights, names):
    """The network's argument ``weights``, if it is to have one."""
    path = weights or recipe.start.init
    if not path:
        return {}
    try:
        return {"weights": read_pretrained(path).for_classes(names)}
    except UserError as error:
        raise RunError(f"init={path}: {error}") from error


def build_student(
    recipe: Recipe, class_names: Sequence[str] | None = None, weights: Path | None = None
) -> tf.keras.Model:
    """`build_model`'s network, compiled with the recipe's optimizer."""
    model = build_model(recipe, class_names, weights)
    compile_model(model, recipe, build_optimizer(recipe))
    return model


def compile_model(model: tf.keras.Model, recipe: Recipe, optimizer: tf.keras.optimizers.Optimizer) -> None:
    """Gives a model the labels' cross-entropy as loss, and accuracies as metrics.

    An optimizer of a model in mixed_float16 is wrapped by Keras in one that scales the loss.

    Where images are mixed, labels are shares of the classes; that of the largest share then counts as the right one.
    """
    if augmentation(recipe).mixes:
        loss = tf.keras.losses.CategoricalCrossentropy(from_logits=True)
        accuracy, top_k = tf.keras.metrics.CategoricalAccuracy, tf.keras.metrics.TopKCategoricalAccuracy
    else:
        loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        accuracy, top_k = tf.keras.metrics.SparseCategoricalAccuracy, tf.keras.metrics.SparseTopKCategoricalAccuracy
    metrics = [accuracy("accuracy")]
    if recipe.data.num_classes > 10:
        metrics.append(top_k(5, "top5_accuracy"))
    model.compile(optimizer, loss, metrics, jit_compile=recipe.compute.jit_compile or None)


def build_optimizer(recipe: Recipe) -> tf.keras.optimizers.Optimizer:
    """The optimizer of a recipe; its learning rate is for `LearningRate` to set."""
    settings = recipe.optimizer
    options: dict[str, Any] = {"global_clipnorm": settings.clip_norm or None, "beta_2": settings.beta_2}
    if settings.ema:
        options |= {"use_ema": True, "ema_momentum": settings.ema}
    rate, decays = settings.learning_rate, (settings.weight_decay, settings.kernel_weight_decay)
    if settings.name == "rectified_adam":
        return RectifiedAdam(rate, **options)
    if settings.name == "adam":
        # Without penalties it is Keras' Adam, of fewer operations.
        return TwoGroupAdam(rate, epsilon=1e-7, **options)
    if settings.name == "two_group_adam":
        return TwoGroupAdam(rate, *decays, **options)
    if settings.name == "adam_and_momentum":
        return AdamAndMomentum(rate, kernel_factor=(settings.kernel_learning_rate or rate) / rate, **options)
    return TwoGroupAdamW(rate, *decays, **options)
