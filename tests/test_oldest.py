"""What `make test-oldest` installs are the lowest versions that pyproject.toml promises."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lower_bounds():
    """Every requirement of pyproject.toml with its lower bound; of the project itself there is none.

    Larq Zoo is left out, beside which the tests do not run: it wants another TensorFlow.
    """
    text = (ROOT / "pyproject.toml").read_text()
    # Python 3.10 has no reader of TOML.
    project = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    return dict(re.findall(r'"((?!larq-zoo)[a-z0-9-]+)>=([0-9.]+)', project))


def parts(version):
    """Numbers of a version, without zeros at its end: 2.17 is 2.17.0."""
    return tuple(int(number) for number in re.sub(r"(\.0)+$", "", version).split("."))


def test_the_oldest_versions_are_the_promised_ones():
    ours, _, _ = (ROOT / "tests/oldest.txt").read_text().partition("# Not ours")
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([0-9.]+)$", ours, re.MULTILINE))
    promised = lower_bounds()
    assert {name: parts(version) for name, version in pinned.items()} == {
        name: parts(version) for name, version in promised.items()
    }
