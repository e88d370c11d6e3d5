"""What a run may be continued with, told from its folder alone."""

import json
from dataclasses import asdict

from bnext_keras import recipes
from bnext_keras.errors import RunError
from bnext_keras.runs import check_continues, read_record
from bnext_keras.training.folder import note_changes

import pytest

DIGITS = recipes.read("digits")[1]
CONSTANT = DIGITS.derive(
    schedule={"warmup_epochs": 1, "final_learning_rate": 2e-3, "temperature_decay": 0.1},
    distillation=recipes.Distillation(),
)


def changes(folder, before, settings, finished=5, known=None, **run):
    record = {"recipe": asdict(before), "data": "digits", "strategy": "none", "devices": 1, **(known or {})}
    (folder / "run.json").write_text(json.dumps(record))
    record = read_record(folder)
    return check_continues(folder, record, record.recipe.with_settings(settings), finished, **run)


def test_a_run_continues_with_what_it_has(tmp_path):
    assert changes(tmp_path, DIGITS, [], data="digits", strategy="none", devices=1) == {}


def test_a_run_that_diverged_may_go_on_more_carefully(tmp_path):
    assert changes(tmp_path, DIGITS, ["learning_rate=1e-3", "clip_norm=1"]) == {
        "optimizer.learning_rate": ["0.002", "0.001"],
        "optimizer.clip_norm": ["5.0", "1.0"],
    }


def test_a_run_may_go_on_in_another_precision_and_under_xla(tmp_path):
    begun = DIGITS.with_settings(["precision=mixed_float16"])
    assert changes(tmp_path, begun, ["precision=mixed_bfloat16", "jit_compile=true"]) == {
        "compute.precision": ["mixed_float16", "mixed_bfloat16"],
        "compute.jit_compile": ["false", "true"],
    }


def test_epochs_may_be_added_where_the_schedule_does_not_depend_on_them(tmp_path):
    assert changes(tmp_path, CONSTANT, ["epochs=40"]) == {"schedule.epochs": ["12", "40"]}
    assert changes(tmp_path, CONSTANT, ["epochs=8"]) == {"schedule.epochs": ["12", "8"]}


def test_epochs_may_be_changed_before_one_is_finished(tmp_path):
    assert changes(tmp_path, DIGITS, ["epochs=40"], finished=0) == {"schedule.epochs": ["12", "40"]}


@pytest.mark.parametrize(
    ("before", "settings", "message"),
    [
        (DIGITS, ["epochs=40"], "epochs was 12, now 40 (the weight temperature of epoch 2 would have been another)"),
        (
            CONSTANT.derive(schedule={"final_learning_rate": 0.0}),
            ["epochs=40"],
            "epochs was 12, now 40 (the learning rate of epoch 3 would have been another)",
        ),
        (
            CONSTANT.derive(distillation={"weak_teachers": ("A", "B", "C"), "strong_teacher": "D"}),
            ["epochs=40"],
            "epochs was 12, now 40 (the weak teacher of epoch 5 would have been another)",
        ),
        (DIGITS, ["precision=mixed_float16"], "now mixed_float16 (its checkpoints have no scale of the loss)"),
        (CONSTANT, ["epochs=4"], "epochs was 12, now 4 (5 are finished)"),
        (DIGITS, ["batch_size=8", "seed=1"], "data.batch_size was 16, now 8; seed was 0, now 1"),
    ],
)
def test_what_is_finished_must_not_become_another_run(tmp_path, before, settings, message):
    with pytest.raises(RunError) as caught:
        changes(tmp_path, before, settings)
    assert str(caught.value).startswith(f"{tmp_path}: was begun with other settings: ")
    assert message in str(caught.value)
    assert str(caught.value).endswith("; what is left out is taken from its run.json")


def test_nor_may_its_data_or_devices(tmp_path):
    with pytest.raises(RunError, match="data was digits, now photos; devices was 1, now 2"):
        changes(tmp_path, DIGITS, [], data="photos", devices=2)


def test_its_data_may_lie_elsewhere_if_they_are_known(tmp_path):
    known = {"examples": {"training": {"images": 3, "sha256": "0" * 64}}}
    moved = changes(tmp_path, DIGITS, [], known=known, data="elsewhere", devices=1)
    assert moved == {"data": ["digits", "elsewhere"]}
    record = read_record(tmp_path)
    note_changes(tmp_path, record, record.recipe, moved, finished=5)
    assert read_record(tmp_path).data == "elsewhere"


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"recipe": []}', "[" * 100_000, '"x"', "\x00"])
def test_a_record_that_is_none_is_refused_in_a_line(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"run\.json: cannot be read \(.+\)$"):
        read_record(tmp_path)


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(RunError, match="holds no run to continue; begin one without --resume"):
        read_record(tmp_path)
