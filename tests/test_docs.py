"""README and docs: what they name exists, and what they show can be typed."""

import argparse
import ast
import contextlib
import importlib
import io
import re
import shlex
import sys
import textwrap
import types
from pathlib import Path

import bnext_keras

import numpy as np
import pytest
from PIL import Image
from tflite_graphs import Graph

from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.metadata import InputOrientation, Metadata, write_metadata

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PACKAGES = ("bnext_keras", "converter", "android_demo")
FOLDERS = (*PACKAGES, "tests", "examples", "benchmarks", "docs")
PAGES = [
    README,
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(page for folder in FOLDERS for page in (ROOT / folder).rglob("README.md")),
]
MOST_LINES = 120

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
#: A line that a user types, behind a prompt or variables perhaps.
_COMMAND = re.compile(r"^(?:\$ )?(?:[A-Z_]+='[^']*'\s+)*(bnext-[a-z]+\b.*)$")
_PYTEST = re.compile(r"^pytest( \S.*)$")
_SCRIPT = re.compile(r"^(?:\$ )?python (\S+\.py)(.*)$")
#: ``converter/graph.py:Graph``, or the file alone, or a folder.
_PLACE = re.compile(rf"^((?:{'|'.join(FOLDERS)})/[\w./-]*)(?::(\w+))?$")


def read(page):
    return page.read_text(encoding="utf-8")


def prose(page):
    """A page without its blocks of code."""
    return _FENCE.sub("", read(page))


def blocks(page, *languages):
    return [textwrap.dedent(code) for _, language, code in _FENCE.findall(read(page)) if language in languages]


def spans(page):
    return _SPAN.findall(prose(page))


def anchors(page):
    """The names that GitHub gives to a page's headings."""
    names = []
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        names.append(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    assert len(set(names)) == len(names), f"{page.name}: two headings are the same"
    return names


def typed(pattern):
    """What pages show of that pattern, as lines of a block or within a sentence."""
    found = []
    for page in PAGES:
        lines = [line for code in blocks(page, "") for line in code.replace("\\\n", " ").splitlines()]
        # A command's name alone, or with the name of a subcommand, is no line to type.
        lines += [span for span in spans(page) if not re.fullmatch(r"bnext-[a-z]+(?: [a-z]+)?", span)]
        found += [(page, match) for match in map(pattern.match, lines) if match]
    return found


def cases(found):
    return [pytest.param(page, what, id=f"{page.name}: {_shown(what)}") for page, what in dict.fromkeys(found)]


def _shown(what):
    return " ".join(str(what).split())[:70]


def test_the_readme_is_short():
    assert len(read(README).splitlines()) <= MOST_LINES


@pytest.mark.parametrize(
    ("page", "target"), cases((page, link) for page in PAGES for link in _LINK.findall(prose(page)))
)
def test_links_lead_somewhere(page, target):
    if "://" in target:
        return
    path, _, anchor = target.partition("#")
    linked = (page.parent / path).resolve() if path else page
    assert linked.is_relative_to(ROOT)
    assert linked.exists()
    assert not anchor or anchor in anchors(linked)


@pytest.mark.parametrize(
    ("page", "place"), cases((page, span) for page in PAGES for span in spans(page) if _PLACE.match(span))
)
def test_named_places_exist(page, place):
    path, name = _PLACE.match(place).groups()
    assert (ROOT / path).exists()
    if name:
        defined = rf"^(?:def|class) {name}\b"
        assert re.search(defined, read(ROOT / path), re.MULTILINE), f"{path} does not define {name}"


def rooms():
    """The paths in the tree of `docs/architecture.md`."""
    tree = next(code for code in blocks(ARCHITECTURE, "") if code.startswith("bnext_keras/"))
    paths, parents = [], {}
    for line in tree.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        parents[depth] = name
        paths.append("".join(parents[level] for level in range(depth + 1)))
    return paths


def test_the_tree_names_what_is_there():
    assert [path for path in rooms() if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tree_names_every_room(package):
    """Every folder of a package, and every file at the top of those that have files of their own there."""
    top = ROOT / package
    there = {f"{package}/{path.name}/" for path in top.iterdir() if (path / "__init__.py").exists()}
    there |= {f"{package}/{path.name}" for path in top.glob("*.py") if path.name not in ("__init__.py", "_version.py")}
    assert sorted(there - set(rooms())) == []


@pytest.mark.parametrize(("page", "code"), cases((page, code) for page in PAGES for code in blocks(page, "python")))
def test_python_compiles(page, code):
    ast.parse(code)


def names_in_code():
    for page in PAGES:
        for code in blocks(page, "python"):
            yield from ((page, name) for name in re.findall(r"(?<![\w.])(?:bnext_keras|data)(?:\.[A-Za-z]\w*)+", code))


@pytest.mark.parametrize(("page", "name"), cases(names_in_code()))
def test_names_in_code_exist(page, name):
    if name.startswith("data."):
        name = f"bnext_keras.{name}"
    found = bnext_keras
    for part in name.split(".")[1:]:
        found = getattr(found, part)


@pytest.fixture
def command(monkeypatch):
    """Runs a command line all the way but for its work; returns its exit status and what it complains of."""
    scripts = dict(re.findall(r'^(bnext-[a-z]+) = "(.+):main"$', read(ROOT / "pyproject.toml"), re.MULTILINE))
    for package in PACKAGES:
        for file in (ROOT / package / "cli").rglob("[!_]*.py"):
            module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
            if hasattr(module, "run"):
                monkeypatch.setattr(module, "run", lambda tool, work, arguments: 0)

    def run(line):
        tool, *arguments = shlex.split(line, comments=True)
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            try:
                status = importlib.import_module(scripts[tool]).main(arguments)
            except SystemExit as error:
                status = error.code
        return status, errors.getvalue()

    return run


@pytest.mark.parametrize(("page", "line"), cases((page, match[1]) for page, match in typed(_COMMAND)))
def test_commands_can_be_typed(page, line, command):
    assert command(line) == (0, "")


def trainings():
    for page, match in typed(_COMMAND):
        tool, *arguments = shlex.split(match[1], comments=True)
        settings = [argument for argument in arguments if re.match(r"\w+=", argument)]
        if tool == "bnext-train" and settings:
            yield page, shlex.join(["show", arguments[0], *settings])


@pytest.mark.parametrize(("page", "line"), cases(trainings()))
def test_settings_exist(page, line):
    from bnext_keras.cli.train import main

    assert main(shlex.split(line)) == 0


@pytest.mark.parametrize(("page", "line"), cases((page, match[0]) for page, match in typed(_SCRIPT)))
def test_scripts_have_the_options_that_are_shown(page, line):
    path, arguments = _SCRIPT.match(line).groups()
    script = read(ROOT / path) + '"--help"'
    assert [option for option in re.findall(r"--[a-z][\w-]*", arguments) if f'"{option}"' not in script] == []


@pytest.mark.parametrize(("page", "paths"), cases((page, match[1]) for page, match in typed(_PYTEST)))
def test_tests_to_run_exist(page, paths):
    arguments = argparse.ArgumentParser()
    arguments.add_argument("-m")
    arguments.add_argument("paths", nargs="+")
    wanted = arguments.parse_args(shlex.split(paths)).paths
    assert [path for path in wanted if not (ROOT / path).exists()] == []


def test_the_example_of_a_pass_is_one(monkeypatch):
    """`docs/adding.md` shows a pass and its tests, which are run here."""
    name = "converter.passes.drop_repeated_relus"
    rewrite, tests = (code for code in blocks(ROOT / "docs" / "adding.md", "python") if "repeated_relu" in code)
    module, namespace = types.ModuleType(name), {}
    exec(rewrite, vars(module))
    monkeypatch.setitem(sys.modules, name, module)
    exec(tests, namespace)
    examples = [value for name, value in namespace.items() if name.startswith("test_")]
    assert len(examples) == 2
    for example in examples:
        example()


def test_the_example_of_test_data_normalizes_as_the_file_states(tmp_path, monkeypatch):
    """`docs/measuring.md` prepares pictures for a network that was trained with values from -1 to 1."""
    monkeypatch.chdir(tmp_path)
    graph = Graph()
    content = graph.content(graph.add("MEAN", [graph.input((1, 2, 2, 3)), graph.constant(np.int32([1, 2]))], (1, 3)))
    metadata = Metadata("net", InputOrientation.AS_MODEL, 3, mean=(0.5,) * 3, std=(0.5,) * 3)
    Path("model.tflite").write_bytes(write_metadata(Flatbuffer(content), metadata))
    Image.new("RGB", (2, 2), (255, 0, 255)).save("photo.png")
    (code,) = (code for code in blocks(ROOT / "docs" / "measuring.md", "python") if "test.npz" in code)
    exec(code, {"files": ["photo.png"], "labels": [1]})
    with np.load("test.npz") as found:
        assert found["images"].shape == (1, 224, 224, 3)
        assert found["images"][0, 0, 0].tolist() == [1, -1, 1]
        assert found["labels"].tolist() == [1]
