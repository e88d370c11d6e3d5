"""The example of fine-tuning, as a newcomer starts it, only shorter and with a smaller network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "fine_tuning.py"
SMALL = ("widths=8,16", "info_recoupling=false", "elm_attention=false", "--epochs", "1", "2")


@pytest.mark.exhaustive
def test_other_digits_are_learned_converted_and_evaluated(tmp_path):
    out = tmp_path / "out"
    wide = {**os.environ, "COLUMNS": "250"}
    command = [sys.executable, EXAMPLE, "--out", out, *SMALL]
    result = subprocess.run(command, capture_output=True, text=True, env=wide)
    assert result.returncode == 0, result.stderr
    assert "for these classes in head, which keeps its fresh ones: train it" in result.stderr
    assert "846 images of" in result.stdout
    rows = [line.split("│") for line in result.stdout.splitlines() if "│" in line and " to " in line]
    accuracies = {row[1].strip(): row[2].strip() for row in rows}
    assert accuracies["tuned/final.h5"] == accuracies["tuned.tflite"]
    assert set(accuracies) == {"tuned/final.h5", "tuned.tflite", "fresh/final.h5"}
    assert (out / "tuned.tflite").stat().st_size < (out / "tuned" / "final.h5").stat().st_size / 3
