"""The ledger of private API, docs/private-api.md, lists every use and nothing else."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("bnext_keras", "converter", "android_demo")

PRIVATE_MODULES = re.compile(
    r"tensorflow\.(python|core|compiler|lite\.python)\b|(tf_keras|keras)\.src\b|larq_compute_engine\.(mlir|tflite)\b"
    r"|(?!bnext_keras|converter|android_demo)\w+(\.\w+)*\._[a-z]"
)
#: Named in ``from PACKAGE import MODULE``, where nothing tells them from classes and functions.
MODULES = ("tensorflow.lite.python.schema_py_generated", "tensorflow.python.framework.op_def_registry")
PRIVATE_NAMES = re.compile(r"_[A-Za-z]\w*")
PRIVATE_TEXTS = re.compile(r"tf_keras\.|interpreter_wrapper_lite")


def entries():
    """What, files and contract of each row."""
    for line in (ROOT / "docs/private-api.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            what, files, _, _, contract = cells
            yield what.strip("`"), re.findall(r"`([^`]+)`", files), contract.strip("` |")


def trees():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def is_own(node):
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def defined(tree):
    """Private names that a file gives to functions, classes and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            yield node.attr
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def uses(tree, inherited):
    """What looks like private API of others in a file. ``inherited``: private names that any file defines."""
    own = set(defined(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if PRIVATE_MODULES.match(alias.name))
        elif isinstance(node, ast.ImportFrom):
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                if PRIVATE_MODULES.match(name):
                    yield name if name in MODULES else node.module
        elif isinstance(node, ast.Attribute) and PRIVATE_NAMES.fullmatch(node.attr):
            known = inherited if is_own(node.value) else own
            is_super = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super"
            if (is_super or node.attr not in known) and not node.attr.startswith("_bnext_keras"):
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr", "setattr"):
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else ""
            if PRIVATE_NAMES.fullmatch(name) and not name.startswith("_bnext_keras") and name not in inherited:
                yield name
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "vars":
                yield "vars(...)[...]"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and PRIVATE_TEXTS.fullmatch(node.value):
            yield node.value


def test_every_use_is_listed():
    files = dict(trees())
    inherited = {name for tree in files.values() for name in defined(tree)}
    listed = {(what, file) for what, places, _ in entries() for file in places}
    found = {(use, file) for file, tree in files.items() for use in uses(tree, inherited)}
    missing = sorted(found - listed)
    assert not missing, "docs/private-api.md does not list:\n" + "\n".join(f"{use} in {file}" for use, file in missing)


@pytest.mark.parametrize(("what", "files", "contract"), list(entries()))
def test_entries_are_in_use(what, files, contract):
    for file in files:
        text = (ROOT / file).read_text() if (ROOT / file).exists() else ""
        module, _, name = what.rpartition(".")
        spellings = [what, what.replace("...", "layer").replace("[layer]", "["), f"from {module} import {name}"]
        assert any(spelling in text for spelling in spellings) or (what.startswith("vars(") and "vars(" in text), (
            f"{file} does not use {what} any more: take it out of docs/private-api.md"
        )


@pytest.mark.parametrize(("what", "files", "contract"), list(entries()))
def test_entries_have_a_contract(what, files, contract):
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert f"def {contract}(" in tests, f"{what}: there is no {contract} in tests/contracts"
