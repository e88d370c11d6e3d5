"""The modules of the engine and of whatever they import, moved into one package: nothing else must be installed.

Which they are follows from their import statements. Moving changes these statements and nothing else:
``from converter.tflite import bits`` becomes ``from bnext_runtime.converter.tflite import bits``.
"""

import ast
import importlib.util
import re
from importlib import metadata
from pathlib import Path

from bnext_keras.errors import UserError

import android_demo

#: The package that all of it is moved into.
PACKAGE = "bnext_runtime"
#: What is wanted of the engine; the rest follows.
_ENTRY = "android_demo.runner"
#: Packages that are moved. The last one is pure Python of another project, under the same licence.
_MOVED = ("bnext_keras", "converter", "android_demo", "flatbuffers")
_ASSETS = Path(__file__).parent / "assets"
#: Modules that are others in a wheel: there the library is compiled already.
_REPLACED = {"android_demo.runner.build": _ASSETS / "prebuilt.py"}
#: TensorFlow's generated classes of .tflite files, which need flatbuffers alone: see converter/tflite/schema.py.
_SCHEMA = "converter.tflite._generated_schema"


def collect() -> dict[str, bytes]:
    """The content of each file of the package by its path in a wheel, without the library.

    Raises:
        UserError: if a module cannot be found here.
    """
    modules = _closure()
    modules[_SCHEMA] = _generated_schema()
    files = {}
    for name, path in modules.items():
        is_package = path.name == "__init__.py"
        files[_place(name, is_package)] = moved(path.read_text()).encode()
    for name in modules:
        parents = name.split(".")[:-1]
        for depth in range(1, len(parents) + 1):
            # What these packages do when they are imported is for those who have TensorFlow.
            files.setdefault(_place(".".join(parents[:depth]), True), b"")
    files[f"{PACKAGE}/__init__.py"] = moved((_ASSETS / "package.py").read_text()).encode()
    files[f"{PACKAGE}/py.typed"] = b""
    return dict(sorted(files.items()))


def moved(text: str) -> str:
    """A module's text as it stands in the package.

    Example:
        >>> print(moved("from converter.tflite import bits\\nimport flatbuffers\\nimport numpy"))
        from bnext_runtime.converter.tflite import bits
        from bnext_runtime import flatbuffers
        import numpy
    """
    names = "|".join(_MOVED)
    text = re.sub(rf"^(\s*(?:>>> )?from )((?:{names})[. ])", rf"\1{PACKAGE}.\2", text, flags=re.MULTILINE)
    return re.sub(rf"^(\s*(?:>>> )?)import ({names})$", rf"\1from {PACKAGE} import \2", text, flags=re.MULTILINE)


def versions() -> dict[str, str]:
    """The versions of what is moved out of other projects, by their names."""
    return {name: metadata.version(name) for name in ("flatbuffers", "tensorflow")}


def _closure():
    """Path of every module that the engine imports, directly or not, by its name."""
    found: dict[str, Path] = {}
    pending = [_ENTRY]
    while pending:
        name = pending.pop()
        path = _REPLACED.get(name) or _find(name)
        if name in found or path is None:
            continue
        found[name] = path
        # A package's own __init__ counts only where it is the engine's, or another project's.
        pending += [module for module in _imports(name, path) if module.split(".")[0] in _MOVED]
    return {
        name: path
        for name, path in found.items()
        if path.name != "__init__.py" or name.startswith((_ENTRY, "flatbuffers"))
    }


def _imports(name, path):
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, [package if node.level else "", node.module]))
            yield module
            # What is imported of a package may be a module.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _find(name):
    """A module's file; None if there is no such module: it is a name in one."""
    root, _, rest = name.partition(".")
    if root == "flatbuffers":
        spec = importlib.util.find_spec("flatbuffers")
        folder = Path(spec.origin).parent if spec and spec.origin else None
    else:
        folder = Path(android_demo.__file__).parents[1] / root
    if folder is None or not folder.is_dir():
        raise UserError(f"{root} is not installed", remedy=f"pip install {root}")
    path = folder.joinpath(*rest.split(".")) if rest else folder
    file = path.with_suffix(".py") if rest else path / "__init__.py"
    return next((one for one in (path / "__init__.py", file) if one.is_file()), None)


def _generated_schema():
    from converter.tflite import schema

    return Path(schema.file())


def _place(name, is_package):
    path = f"{PACKAGE}/{name.replace('.', '/')}"
    return f"{path}/__init__.py" if is_package else f"{path}.py"
