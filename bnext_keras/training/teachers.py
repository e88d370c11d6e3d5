"""The teachers that a recipe names: published ones, models of one's own, and small ones that are trained here."""

import re
from collections.abc import Callable
from pathlib import Path

from bnext_keras import teachers
from bnext_keras.classes import stated
from bnext_keras.errors import RunError, UserError
from bnext_keras.files import file_errors_as, write_atomically
from bnext_keras.importers.pretrained import read_pretrained
from bnext_keras.model_files import check_hdf5, load_model
from bnext_keras.optimizers import TwoGroupAdam
from bnext_keras.precision import global_policy
from bnext_keras.preprocessing import Normalization
from bnext_keras.recipes import Recipe
from bnext_keras.saving import hdf5
from bnext_keras.teachers import Teacher, convnet, keras_teacher
from bnext_keras.teachers.keras_models import renormalizing
from bnext_keras.text import counted, first_line
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


#: torchvision's ResNets, and how it calls their files.
_RESNETS = {"ResNet18": "resnet18-f37072fd.pth", "ResNet34": "resnet34-b627a593.pth"}


def published_teachers(recipe: Recipe, weights_folder: Path | None) -> dict[str, Teacher]:
    """The teachers of a recipe that exist before its run, by name.

    Args:
        recipe: The recipe that names them: networks of ``tf.keras.applications``, torchvision's ResNets, or files.
        weights_folder: Folder of the published ones' weights; by default Keras downloads its own.

    Raises:
        RunError: if a teacher or its weights are not there, or it is for other images or classes.
    """
    names = [name for name in recipe.distillation.teachers if not _OWN.fullmatch(name)]
    return {name: _existing_teacher(name, recipe, weights_folder) for name in names}


def _existing_teacher(name, recipe, weights_folder):
    if name in recipe.distillation.teacher_files:
        return _teacher_of_file(name, recipe)
    return (_resnet_teacher if name in _RESNETS else _published_teacher)(name, recipe, weights_folder)


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
    compile_model(model, recipe, TwoGroupAdam())
    fit(model, [WarmupCosine(recipe.distillation.teacher_epochs, peak=OWN_PEAK, final=0.0, warmup_epochs=0)])
    # By every worker, the chief or not: some variables are only there in parts.
    content = hdf5(model)
    if is_chief and path is not None:
        with file_errors_as(RunError):
            write_atomically(path, content)
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


def _teacher_of_file(name, recipe):
    """A model of one's own: the network of an earlier step, say."""
    try:
        model = load_model(name)
    except UserError as error:
        raise RunError(f"teacher {error}") from error
    images, size = model.input_shape, recipe.data.image_size
    if not isinstance(images, tuple) or not tf.TensorShape(images).is_compatible_with((None, size, size, 3)):
        raise RunError(f"takes images of shape {images[1:]}, not of {size} x {size}", where=f"teacher {name}")
    _check_classes(name, model.output_shape[-1], recipe)
    path = Path(name)
    return Teacher(
        model,
        name="_".join(filter(None, (path.parent.name, path.stem))),
        preprocess=renormalizing(normalization(recipe), stated(model).normalization),
        **_computed(recipe, is_own=False),
    )


def _resnet_teacher(name, recipe, weights_folder):
    """One of torchvision's, whose weights nobody downloads here."""
    advice = f"put torchvision's file for it, such as {_RESNETS[name]}, into a folder and name that"
    if weights_folder is None:
        raise RunError(
            "its weights are not downloaded", where=f"teacher {name}", remedy=f"{advice} with --teacher-weights"
        )
    found = sorted(path for path in weights_folder.glob(f"{name.lower()}*") if path.suffix in (".pth", ".pt", ".h5"))
    if not found:
        raise RunError(f"{weights_folder} has no {_RESNETS[name]}", where=f"teacher {name}", remedy=advice)
    size = recipe.data.image_size
    try:
        weights = read_pretrained(found[0])
        _check_classes(name, weights.layers["head"][0].shape[-1] if "head" in weights.layers else 0, recipe)
        model = getattr(teachers, name)(
            input_shape=(size, size, 3), num_classes=recipe.data.num_classes, weights=weights
        )
    except RunError:
        raise
    except (UserError, ValueError) as error:
        raise RunError(f"{found[0]} cannot be used ({first_line(error)})", where=f"teacher {name}") from error
    preprocess = renormalizing(normalization(recipe), weights.normalization or Normalization.imagenet())
    return Teacher(model, preprocess=preprocess, **_computed(recipe, is_own=False))


def _check_classes(name, number, recipe):
    if number != recipe.data.num_classes:
        known = counted(number, "class", "classes")
        raise RunError(f"knows {known}, but the recipe has {recipe.data.num_classes}", where=f"teacher {name}")


def _published_teacher(name, recipe, weights_folder):
    if not callable(getattr(tf.keras.applications, name, None)):
        raise RunError(
            f"teacher {name}: is neither in tf.keras.applications nor a ConvNet8, ConvNet16, ..., nor "
            f"{', '.join(_RESNETS)}, nor the path of a model"
        )
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
