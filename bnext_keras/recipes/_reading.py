"""Where recipes are found: in this folder by name, and in files of one's own."""

import importlib
import importlib.util
import traceback
from pathlib import Path
from types import ModuleType

from bnext_keras.errors import RecipeError
from bnext_keras.recipes._recipe import Recipe
from bnext_keras.recipes._settings import near_misses
from bnext_keras.text import first_line

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The names of all recipes of this project."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def read(recipe: str | Path) -> tuple[str, Recipe]:
    """A recipe's description and settings.

    Args:
        recipe: A name out of `names`, or the path of a Python file of one's own, which ends in ``.py``. Such a file is
            run: it has a docstring, which is the description, and sets ``RECIPE``.

    Raises:
        RecipeError: if there is no such recipe, or the file fails.

    Example:
        >>> description, recipe = read("bnext_tiny")
        >>> recipe.schedule.epochs, recipe.distillation.strong_teacher
        (512, 'EfficientNetB2')
    """
    name = str(recipe)
    if name.endswith(".py"):
        module = _run(Path(name))
    elif name in names():
        module = importlib.import_module(f"bnext_keras.recipes.{name}")
    else:
        raise RecipeError(
            f"there is no recipe {name!r}{near_misses(name, names())}; bnext-train list shows all, "
            "and a file of your own ends in .py"
        )
    found = getattr(module, "RECIPE", None)
    if not isinstance(found, Recipe):
        raise RecipeError("sets no RECIPE = Recipe(...)", where=name)
    return (module.__doc__ or "").strip(), found


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        raise RecipeError("no such file", where=str(path))
    file = path.absolute()  # as importlib names it in tracebacks
    spec = importlib.util.spec_from_file_location(f"recipe_{path.stem}", file)
    # Never None for a name that ends in .py.
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    # Whatever a user's code may raise.
    except Exception as error:
        raise RecipeError(_what(error), where=f"{path}, line {_line(error, file)}") from error
    return module


def _what(error: Exception) -> str:
    if isinstance(error, RecipeError):
        return str(error)
    # A SyntaxError's text would say once more where it is.
    return f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else first_line(error)}"


def _line(error: Exception, path: Path) -> int | None:
    """The last line of the file that ran, or that cannot be parsed."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), None)
