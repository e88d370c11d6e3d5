"""The example of fine-tuning, as a newcomer starts it, only shorter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "fine_tuning.py"


@pytest.mark.exhaustive
def test_what_was_learned_helps_with_other_digits(tmp_path):
    out = tmp_path / "out"
    wide = {**os.environ, "COLUMNS": "250"}
    result = subprocess.run([sys.executable, EXAMPLE, "--out", out], capture_output=True, text=True, env=wide)
    assert result.returncode == 0, result.stderr
    assert "for these classes in head, which keeps its fresh ones: train it" in result.stderr
    tuned, converted, fresh, _ = [line for line in result.stdout.splitlines() if "%" in line and " to " in line][-4:]
    assert (out / "tuned.tflite").stat().st_size < (out / "tuned" / "final.h5").stat().st_size / 3
    share = {name: float(line.split("│")[2].strip(" %")) for name, line in
             {"tuned": tuned, "converted": converted, "fresh": fresh}.items()}  # fmt: skip
    assert share["tuned"] == share["converted"] > share["fresh"]
