"""The notebooks: executed as they are, and committed with outputs that tell nothing of the machine they ran on."""

import json
import re
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))
#: Absolute paths, and what TensorFlow prints with the number of a process.
FOREIGN = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|usr|work|opt|var|mnt|Users)/|[A-Z]:\\\\|^[IWE]0000", re.MULTILINE)


def code_of(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_been_executed_from_beginning_to_end(path):
    cells = code_of(json.loads(path.read_text()))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs
    assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_outputs_tell_nothing_of_the_machine(path):
    for cell in code_of(json.loads(path.read_text())):
        for output in cell["outputs"]:
            data = {kind: text for kind, text in output.get("data", {}).items() if kind.startswith("text/")}
            for text in (*data.values(), output.get("text", "")):
                assert not FOREIGN.search("".join(text)), text
    assert path.stat().st_size < 200_000


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    # The kernel imports from where this process does.
    monkeypatch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()


def test_there_is_one_for_each_use():
    assert [path.stem for path in NOTEBOOKS] == ["convert", "measure", "train"]
