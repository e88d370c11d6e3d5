"""The teachers that a recipe names: published ones, and small ones that are trained here."""

import re
from collections.abc import Callable
from pathlib import Path

from bnext_keras.errors import RunError
from bnext_keras.files import file_errors_as, write_atomically
from bnext_keras.model_files.hdf5 import check_hdf5
from bnext_keras.precision import global_policy
from bnext_keras.recipes import Recipe
from bnext_keras.saving import hdf5
from bnext_keras.teachers import Teacher, convnet, keras_teacher
from bnext_keras.training.datasets import normalization
from bnext_keras.training.schedule import WarmupCosine
from bnext_keras.training.student import compile_model

import tensorflow as tf

_OWN = re.compile(r"ConvNet([1-9]\d*)")
#: Largest learning rate of the teachers that are trained here.
OWN_PEAK = 5e-3
#: Names of Keras' weight files, where they are not the architecture's name in small letters.
_FILES = {
    "ConvNeXtTiny": "convnext_tiny.h5",
    "ConvNeXtSmall": "convnext_small.h5",
    "ConvNeXtBase": "convnext_base.h5",
}


def published_teachers(recipe: Recipe, weights_folder: Path | None) -> dict[str, Teacher]:
    """The teachers of a recipe that are in ``tf.keras.applications``, by name.

    Args:
        recipe: The recipe that names them.
        weights_folder: Folder of their weights; by default Keras downloads them.

    Raises:
        RunError: if a teacher or its weights are not there.
    """
    names = [name for name in recipe.distillation.teachers if not _OWN.fullmatch(name)]
    return {name: _published_teacher(name, recipe, weights_folder) for name in names}


def own_teachers(
    recipe: Recipe,
    folder: Path | None,
    fit: Callable[[tf.keras.Model, list[tf.keras.callbacks.Callback]], None],
    is_chief: bool = True,
) -> dict[str, Teacher]:
    """The teachers of a recipe that are trained here, by name: ``ConvNet8`` is a `convnet` of 8 channels.

    Args:
        recipe: The recipe that names them, and says for how long they are trained.
        folder: Folder for their weights; a teacher that is there already is not trained again. None for nowhere.
        fit: Trains a compiled model for ``teacher_epochs``, with callbacks.
        is_chief: Whether this process writes the files.

    Raises:
        RunError: if a file cannot be written.
    """
    names = [name for name in recipe.distillation.teachers if _OWN.fullmatch(name)]
    return {name: _own_teacher(name, recipe, folder, fit, is_chief) for name in names}


def _own_teacher(name, recipe, folder, fit, is_chief):
    tf.keras.utils.set_random_seed(recipe.seed)
    shape = (recipe.data.image_size, recipe.data.image_size, 3)
    with global_policy(recipe.compute.precision):
        model = convnet(int(_OWN.fullmatch(name)[1]), shape, recipe.data.num_classes)
    path = None if folder is None else folder / f"{name}.h5"
    if path is not None and path.exists():
        with file_errors_as(RunError):
            check_hdf5(path)
        model.load_weights(path)
        return Teacher(model, **_computed(recipe, is_own=True))
    if is_chief and path is not None:
        print(f"Teacher {name}: {recipe.distillation.teacher_epochs} epochs on the labels")
    compile_model(model, recipe, tf.keras.optimizers.Adam())
    fit(model, [WarmupCosine(recipe.distillation.teacher_epochs, peak=OWN_PEAK, final=0.0, warmup_epochs=0)])
    # By every worker, the chief or not: some variables are only there in parts.
    content = hdf5(model)
    if is_chief and path is not None:
        with file_errors_as(RunError):
            write_atomically(path, content, make_folder=True)
    return Teacher(model, **_computed(recipe, is_own=True))


def _computed(recipe, is_own):
    """In what a teacher is computed: one that is trained here is made in the student's precision, others in float32."""
    compute = recipe.compute
    precision = compute.teacher_precision or compute.precision
    return {
        "precision": None if precision == (compute.precision if is_own else "float32") else precision,
        # In a step that XLA compiles everything is compiled.
        "jit_compile": compute.teacher_jit_compile and not compute.jit_compile,
    }


def _published_teacher(name, recipe, weights_folder):
    if not callable(getattr(tf.keras.applications, name, None)):
        raise RunError(f"teacher {name}: is neither in tf.keras.applications nor a ConvNet8, ConvNet16, ...")
    file = _FILES.get(name, f"{name.lower()}.h5")
    options = {
        **_computed(recipe, is_own=False),
        "input_shape": (recipe.data.image_size, recipe.data.image_size, 3),
        "num_classes": recipe.data.num_classes,
        "normalization": normalization(recipe),
    }
    advice = f"put Keras' weights for it, the file {file}, into a folder and name that with --teacher-weights"
    if weights_folder is not None:
        path = weights_folder / file
        if not path.is_file():
            raise RunError(f"teacher {name}: there is no file {path}")
        with file_errors_as(RunError):
            check_hdf5(path)
        try:
            return keras_teacher(name, str(path), **options)
        except (ValueError, OSError) as error:
            raise RunError(f"teacher {name}: {path} cannot be used ({error})") from error
    if recipe.data.num_classes != 1000:
        raise RunError(
            f"teacher {name}: Keras' published weights are for 1000 classes, not {recipe.data.num_classes}; {advice}"
        )
    try:
        return keras_teacher(name, **options)
    # Keras' downloads fail with a bare Exception.
    except Exception as error:
        raise RunError(f"teacher {name}: its weights cannot be downloaded ({error}); {advice}") from error
