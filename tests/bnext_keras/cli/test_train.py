"""bnext-train: what it tells and what it refuses, before TensorFlow and after."""

import json
import subprocess
import sys
from dataclasses import asdict

from bnext_keras import recipes
from bnext_keras.cli.train import main

import pytest


@pytest.fixture
def refused(refused_by):
    return refused_by(main)


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["--help"], 0, "--resume"),
        (["--list"], 0, "bnext_large   BNext-L on ImageNet"),
        (["bnext_large", "--show"], 0, "weak_teachers=EfficientNetB0,EfficientNetB4,ConvNeXtTiny"),
        (["digits", "--show", "epochs=3"], 0, "epochs=3\n"),
        (["list"], 0, "bnext_large   BNext-L on ImageNet"),
        (["show", "bnext_large"], 0, "\n\ndistillation.weak_teachers=EfficientNetB0,EfficientNetB4,ConvNeXtTiny\n"),
        (["show", "digits", "schedule.epochs=3"], 0, "\n\nschedule.epochs=3\n"),
        ([], 2, "name a recipe"),
        (["my_recipe.py", "--out", "run"], 2, "my_recipe.py: no such file"),
        (["digitz"], 2, "no recipe 'digitz'; did you mean digits?"),
        (["digits", "epoch=3"], 2, "no recipe has a setting 'epoch'; did you mean epochs?"),
        (["digits", "epochs=many"], 2, "epochs=many: must be a whole number"),
        (["digits", "learning_rate=nan"], 2, "learning_rate=nan: must be a number"),
        (["digits", "per_example=1"], 2, "per_example=1: must be true or false"),
        (["digits", "widths=8,x"], 2, "widths=x: must be a whole number"),
        (["digits", "mixup=-1"], 2, "mixup=-1.0: must not be negative"),
        (["digits", "random_erasing=2"], 2, "random_erasing=2.0: must be from 0 to 1"),
        (["digits", "optimizer=sgd"], 2, "optimizer=sgd: must be one of two_group_adamw, rectified_adam, adam"),
        (["digits", "epochs"], 2, "write settings as key=value"),
        (["digits", "warmup_epochs=12"], 2, "warmup_epochs=12: must be fewer than epochs=12"),
        (["digits"], 2, "--out: name the folder"),
        (["bnext_tiny", "--out", "run"], 2, "bnext_tiny needs to know where the images are"),
        (["bnext_tiny", "--out", "run", "--data", "nowhere"], 2, "--data nowhere: no such folder"),
        (["digits", "--out", "run", "--strategy", "mirrored", "jit_compile=true"], 2, "jit_compile=true: XLA cannot"),
        (["digits", "--estimate", "--resume"], 2, "--estimate: is made before a run begins"),
        (["digits", "--estimate", "--strategy", "multi_worker"], 2, "--estimate: is made before a run begins"),
        (["digits", "--out", "run", "--resume"], 2, "holds no run to continue"),
        (["digits", "--out", "run", "init=no.h5"], 2, "init=no.h5: no such file"),
        (
            ["digits", "--out", "run", "freeze=stem,head"],
            2,
            "freeze=stem,head: layers that stay as they are need",
        ),
        (["show", "fine_tuning", "init=tiny.h5"], 0, "\n\nstart.init=tiny.h5\nstart.freeze=stem\n"),
        (["digits", "--out", "run", "--strategy", "all"], 2, "invalid choice"),
    ],
)
def test_answers_that_need_no_tensorflow(tmp_path, arguments, status, expected):
    program = (
        "import sys, bnext_keras.cli.train as cli\n"
        "try:\n"
        "    sys.exit(cli.main(sys.argv[1:]))\n"
        "finally:\n"
        "    assert not {'tensorflow', 'numpy', 'rich', 'matplotlib'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == status, result.stderr
    assert expected in (result.stderr if status else result.stdout)
    assert not list(tmp_path.iterdir())


def test_a_recipe_of_ones_own_is_shown_and_its_errors_are_one_line(refused, tmp_path, capsys):
    path = tmp_path / "my_recipe.py"
    path.write_text(
        '"""My photos."""\n'
        "from bnext_keras import recipes\n"
        "RECIPE = recipes.read('digits')[1].derive(schedule={'epochs': 40})\n"
    )
    assert main(["show", str(path), "seed=3"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("My photos.\n")
    assert "schedule.epochs=40\n" in shown
    assert "seed=3\n" in shown
    path.write_text("RECIPE = 1 / 0\n")
    assert refused(path, "--out", tmp_path / "run") == (
        f"bnext-train: {path}, line 1: ZeroDivisionError: division by zero"
    )


def test_a_run_needs_its_folder_for_itself(refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file" in refused("digits", "--out", tmp_path / "file")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    assert "holds a run already; continue it with --resume" in refused("digits", "--out", tmp_path / "run")
    # Not a folder's permissions, which do not keep the administrator out.
    assert "cannot be made" in refused("digits", "--out", tmp_path / "file" / "run")


def test_a_second_process_in_a_runs_folder_is_refused_before_it_touches_anything(refused, tmp_path):
    """Whether the first has got as far as its run.json or not, and whether the second begins a run or continues it."""
    program = "import pathlib, sys, time; from bnext_keras.files import locked\n"
    program += "with locked(pathlib.Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, tmp_path / "run"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        expected = f"bnext-train: {tmp_path / 'run'}: is in use by process {process.pid} on "
        assert refused("digits", "--out", tmp_path / "run").startswith(expected)
        record = {"recipe": asdict(recipes.read("digits")[1]), "data": "digits", "strategy": "none", "devices": 1}
        (tmp_path / "run" / "run.json").write_text(json.dumps(record))
        for arguments in ([], ["--resume"]):
            message = refused("digits", "--out", tmp_path / "run", *arguments)
            assert message.startswith(expected)
            assert message.endswith("; wait until it has ended, or name another folder")
        process.stdin.close()


def test_settings_that_do_not_fit_the_network_or_the_data(refused, tmp_path):
    out = ("--out", tmp_path / "run")
    assert "has 10 classes, but the recipe 7" in refused("digits", *out, "num_classes=7")
    assert "batch_size must be from 1 to the number of examples, 1437" in refused("digits", *out, "batch_size=2000")
    (tmp_path / "empty").mkdir()
    assert "no such folder" in refused("cifar10", *out, "--data", tmp_path / "empty")
    assert "write {split}" in refused("cifar10", *out, "--data", "tfrecord:files-*")


def test_networks_and_teachers_are_checked_before_a_run_begins(refused, tmp_path):
    out = ("--out", tmp_path / "run")
    assert "no such network; did you mean BNextTiny" in refused("digits", *out, "model=BNextTini", "widths=")
    assert "widths[1] = 48" in refused("digits", *out, "widths=32,48")
    teachers = ("weak_teachers=EfficientNetB0", "strong_teacher=EfficientNetB2")
    (tmp_path / "weights").mkdir()
    message = refused("digits", *out, *teachers, "--teacher-weights", tmp_path / "weights")
    assert f"there is no file {tmp_path / 'weights' / 'efficientnetb0.h5'}" in message
    assert "are for 1000 classes, not 10; put Keras' weights" in refused("digits", *out, *teachers)
    assert "teacher Nobody: is neither" in refused("digits", *out, "weak_teachers=Nobody", "strong_teacher=Nobody")


def test_a_number_of_processes_that_cannot_be_is_refused(refused, tmp_path):
    message = refused("digits", "--out", tmp_path / "run", "--processes", "-1")
    assert message == "bnext-train: --processes must be 0 or more, got -1"


@pytest.mark.parametrize(
    "config",
    ["", "{", "[]", '{"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 1}}'],
)
def test_workers_must_know_of_each_other(refused, tmp_path, monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    message = refused("digits", "--out", tmp_path / "run", "--strategy", "multi_worker")
    assert "TF_CONFIG must name the workers, such as" in message


@pytest.mark.parametrize("package", ["matplotlib", "tensorboard"])
def test_what_an_epoch_needs_at_its_end_is_missed_before_the_first(refused, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    message = refused("digits", "--out", tmp_path / "run")
    assert message == f"bnext-train: {package} is not installed: pip install '.[train]' in a clone of bnext-keras"
