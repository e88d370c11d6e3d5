"""The teachers that a recipe names: published ones, and small ones that are trained here."""

import re
from collections.abc import Callable
from pathlib import Path

from bnext_keras.errors import RunError
from bnext_keras.files import write_atomically
from bnext_keras.recipes import Recipe
from bnext_keras.saving import hdf5
from bnext_keras.teachers import Teacher, convnet, keras_teacher
from bnext_keras.training.schedule import WarmupCosine
from bnext_keras.training.student import compile_model

import tensorflow as tf

_OWN = re.compile(r"ConvNet([1-9]\d*)")
#: Largest learning rate of the teachers that are trained here.
OWN_PEAK = 5e-3
#: What Keras calls the files of its published weights, where that is not the architecture's name in small letters.
_FILES = {
    "ConvNeXtTiny": "convnext_tiny.h5",
    "ConvNeXtSmall": "convnext_small.h5",
    "ConvNeXtBase": "convnext_base.h5",
}


def published_teachers(recipe: Recipe, weights_folder: Path | None) -> dict[str, Teacher]:
    """Those of a recipe's teachers that are in ``tf.keras.applications``, by name.

    Args:
        recipe: Names them.
        weights_folder: Where their weights are; by default Keras downloads them.

    Raises:
        RunError: if a teacher or its weights are not there.
    """
    names = [name for name in _names(recipe) if not _OWN.fullmatch(name)]
    return {name: _published_teacher(name, recipe, weights_folder) for name in names}


def own_teachers(
    recipe: Recipe,
    folder: Path,
    fit: Callable[[tf.keras.Model, list[tf.keras.callbacks.Callback]], None],
    is_chief: bool = True,
) -> dict[str, Teacher]:
    """Those of a recipe's teachers that are trained here, by name: ``ConvNet8`` is a `convnet` of 8 channels.

    Args:
        recipe: Names them, and says for how long they are trained.
        folder: Where they are kept; one that is there already is not trained again.
        fit: Trains a compiled model for ``recipe.teacher_epochs``, with callbacks.
        is_chief: Whether this process writes the files.

    Raises:
        RunError: if a file cannot be written.
    """
    names = [name for name in _names(recipe) if _OWN.fullmatch(name)]
    return {name: _own_teacher(name, recipe, folder, fit, is_chief) for name in names}


def _names(recipe):
    return dict.fromkeys((*recipe.weak_teachers, *filter(None, [recipe.strong_teacher])))


def _own_teacher(name, recipe, folder, fit, is_chief):
    tf.keras.utils.set_random_seed(recipe.seed)
    shape = (recipe.image_size, recipe.image_size, 3)
    model = convnet(int(_OWN.fullmatch(name)[1]), shape, recipe.num_classes)
    path = folder / f"{name}.h5"
    if path.exists():
        model.load_weights(path)
        return Teacher(model)
    if is_chief:
        print(f"Teacher {name}: {recipe.teacher_epochs} epochs on the labels")
    compile_model(model, recipe, tf.keras.optimizers.Adam())
    fit(model, [WarmupCosine(recipe.teacher_epochs, peak=OWN_PEAK, final=0.0, warmup_epochs=0)])
    content = hdf5(model)  # by every worker: some variables are only there in parts
    if is_chief:
        try:
            folder.mkdir(exist_ok=True)
            write_atomically(path, content)
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error
    return Teacher(model)


def _published_teacher(name, recipe, weights_folder):
    if not callable(getattr(tf.keras.applications, name, None)):
        raise RunError(f"teacher {name}: is neither in tf.keras.applications nor a ConvNet8, ConvNet16, ...")
    file = _FILES.get(name, f"{name.lower()}.h5")
    options = {"input_shape": (recipe.image_size, recipe.image_size, 3), "num_classes": recipe.num_classes}
    advice = f"put Keras' weights for it, the file {file}, into a folder and name that with --teacher-weights"
    if weights_folder is not None:
        path = weights_folder / file
        if not path.is_file():
            raise RunError(f"teacher {name}: there is no file {path}")
        try:
            return keras_teacher(name, str(path), **options)
        except (ValueError, OSError) as error:
            raise RunError(f"teacher {name}: {path} cannot be used ({error})") from error
    if recipe.num_classes != 1000:
        raise RunError(
            f"teacher {name}: Keras' published weights are for 1000 classes, not {recipe.num_classes}; {advice}"
        )
    try:
        return keras_teacher(name, **options)
    # Keras' downloads fail with a bare Exception.
    except Exception as error:
        raise RunError(f"teacher {name}: its weights cannot be downloaded ({error}); {advice}") from error
