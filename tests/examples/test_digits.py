"""The demo, as a newcomer starts it, only shorter."""

import subprocess
import sys
from pathlib import Path

import forked
import pytest
from PIL import Image

DIGITS = Path(__file__).parents[2] / "examples" / "digits.py"


def run(*arguments):
    return forked.run(DIGITS, *arguments)


def test_digits_are_learned_converted_and_classified_alike(tmp_path):
    command = [sys.executable, DIGITS, "epochs=3", "widths=32,64", "--out", tmp_path]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if "same class as Keras" in line]
    assert len(lines) == 1
    assert "100.00%" in lines[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "digit.png",
        "digits.html",
        "digits.png",
        "model.h5",
        "model.tflite",
    ]
    assert (tmp_path / "model.tflite").stat().st_size < (tmp_path / "model.h5").stat().st_size / 5
    with Image.open(tmp_path / "digits.png") as figure:
        figure.verify()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["epochs=1"], "warmup_epochs=1: must be fewer than epochs=1"),
        (["widths=32,48"], "must equal widths[0] = 32 or be twice as much"),
        (["model=BNextHuge"], "no such network"),
        (["learning_rate=-1"], "learning_rate=-1.0: must be above 0"),
        (["epoch=3"], "no recipe has a setting 'epoch'; did you mean epochs?"),
        (["--out", __file__], "--out"),
    ],
)
def test_bad_arguments_get_one_line(tmp_path, arguments, message):
    defaults = [] if "--out" in arguments else ["--out", tmp_path]
    result = run(*arguments, *defaults)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_options_of_the_last_version_are_settings_now(tmp_path):
    result = run("--epochs", 1, "--widths", 32, 64, "--out", tmp_path)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "digits.py: --epochs 1 is now spelled epochs=1; the old spelling goes with the next version",
        "digits.py: --widths 32 64 is now spelled widths=32,64; the old spelling goes with the next version",
        "digits.py: warmup_epochs=1: must be fewer than epochs=1; 0 is for none",
    ]


def test_help_teaches():
    result = run("--help")
    assert result.returncode == 0
    assert "1797 real handwritten digits" in result.stdout
