"""Checkpoints that something has happened to, and losses that are no numbers."""

import logging
import shutil

from bnext_keras.analysis import figures
from bnext_keras.callbacks import RaiseOnNaN
from bnext_keras.errors import RunError
from bnext_keras.training import Checkpoints, checkpoint

import numpy as np
import pytest
import tensorflow as tf

INPUTS = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)


def compiled(units=3):
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential([tf.keras.layers.Dense(units, input_shape=(4,), name="dense")], name="student")
    model.compile("adam", tf.keras.losses.MeanSquaredError())
    return model


def fit(folder, epochs, targets=None, restore=True, accuracy=None):
    """Trains up to an epoch, from the newest checkpoint on; returns the weights, and the epoch it began after."""
    model = compiled()
    checkpoints = Checkpoints(folder, model, keep=3)
    first = checkpoints.restore() if restore else 0
    targets = INPUTS[:, :3] if targets is None else targets
    accuracies = tf.keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(val_accuracy=accuracy[epoch])
    )
    callbacks = [RaiseOnNaN(), *([accuracies] if accuracy else []), checkpoints]
    model.fit(INPUTS, targets, epochs=epochs, initial_epoch=first, callbacks=callbacks, verbose=0, shuffle=False)
    return model.get_weights(), first


@pytest.fixture(autouse=True, scope="module")
def without_figures():
    """The curves cost more than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "draw_curves", lambda rows: b"")
        yield


@pytest.fixture(scope="module")
def run_of_4(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    fit(folder, 4)
    return folder


@pytest.fixture
def run(run_of_4, tmp_path):
    return shutil.copytree(run_of_4, tmp_path / "run")


@pytest.fixture(scope="module")
def undisturbed_2(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("run"), 2)[0]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("run"), 6)[0]


def test_the_newest_checkpoint_counts_and_the_ones_before_are_kept(run, undisturbed, caplog):
    names = {path.name for path in (run / "checkpoints").glob("*.index")}
    assert names == {"ckpt-2.index", "ckpt-3.index", "ckpt-4.index"}
    assert tf.train.latest_checkpoint(run / "checkpoints") == str(run / "checkpoints" / "ckpt-4")
    weights, first = fit(run, 6)
    assert first == 4
    np.testing.assert_equal(weights, undisturbed)
    assert not caplog.records


def truncate(path, size=10):
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize(
    ("damage", "goes_on_after", "told"),
    [
        (lambda folder: (folder / "checkpoint").unlink(), 4, "checkpoint is missing"),
        (lambda folder: (folder / "checkpoint").write_text(""), 4, "checkpoint names no checkpoint"),
        (lambda folder: (folder / "checkpoint").write_bytes(b"\xff\xfe\0"), 4, "checkpoint cannot be read"),
        (
            lambda folder: (folder / "checkpoint").write_text('model_checkpoint_path: "ckpt-9"\n'),
            4,
            "names ckpt-9, which is not there",
        ),
        (lambda folder: (folder / "ckpt-4.index").unlink(), 3, "names ckpt-4, which is not there"),
        (lambda folder: truncate(folder / "ckpt-4.index"), 3, "ckpt-4 cannot be read"),
        (lambda folder: truncate(folder / "ckpt-4.data-00000-of-00001"), 3, "ckpt-4 cannot be read"),
        (
            lambda folder: (
                truncate(folder / "ckpt-4.data-00000-of-00001", 0),
                truncate(folder / "ckpt-3.data-00000-of-00001"),
                (folder / "checkpoint").unlink(),
            ),
            2,
            "ckpt-3 cannot be read",
        ),
    ],
)
def test_a_damaged_run_goes_on_from_what_is_sound_and_says_so(run, undisturbed, caplog, damage, goes_on_after, told):
    damage(run / "checkpoints")
    weights, first = fit(run, 6)
    assert first == goes_on_after
    np.testing.assert_equal(weights, undisturbed)
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert told in record.getMessage()
    assert record.getMessage().endswith(f"the run continues after epoch {goes_on_after}")
    rows = (run / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3", "4", "5", "6"]


def test_a_run_without_a_sound_checkpoint_is_not_begun_again(run):
    for path in (run / "checkpoints").glob("ckpt-*"):
        truncate(path)
    with pytest.raises(RunError, match=r"ckpt-2 cannot be read .*; none of its checkpoints can be continued from"):
        fit(run, 6)
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(RunError, match="checkpoint is missing; none of its checkpoints can be continued from"):
        fit(run, 6)


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def best(folder):
    return tf.keras.models.load_model(folder / "best.h5").get_weights()


@pytest.fixture
def killed_at_the_end_of_epoch_3(tmp_path, monkeypatch, undisturbed_2):
    """Trains until a function is called at the end of epoch 3, the best so far; the best is then epoch 2."""

    def run(name):
        function, calls = getattr(checkpoint, name), []

        def killed(*arguments):
            calls.append(arguments)
            if len(calls) == 3:
                raise Killed
            function(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, name, killed)
            with pytest.raises(Killed):
                fit(tmp_path, 3, accuracy=[0.1, 0.2, 0.9])
        np.testing.assert_equal(best(tmp_path), undisturbed_2)

    return run


def test_an_epoch_that_does_not_count_is_not_the_best(tmp_path, killed_at_the_end_of_epoch_3, undisturbed_2):
    killed_at_the_end_of_epoch_3("write_index")
    # With another learning rate, say, it is not as good again.
    _, first = fit(tmp_path, 3, accuracy=[0.1, 0.2, 0.15])
    assert first == 2
    np.testing.assert_equal(best(tmp_path), undisturbed_2)


def test_a_best_model_that_a_run_was_killed_before_is_made_of_the_checkpoint(tmp_path, killed_at_the_end_of_epoch_3):
    killed_at_the_end_of_epoch_3("write_atomically")
    weights, first = fit(tmp_path, 3)
    assert first == 3
    np.testing.assert_equal(best(tmp_path), weights)


def test_a_best_model_whose_checkpoint_is_damaged_gives_way_to_the_one_before(tmp_path, undisturbed_2):
    fit(tmp_path, 3, accuracy=[0.1, 0.2, 0.9])
    truncate(tmp_path / "checkpoints" / "ckpt-3.data-00000-of-00001")
    # With another learning rate, say, it is not as good again.
    _, first = fit(tmp_path, 4, accuracy=[0.1, 0.2, 0.15, 0.18])
    assert first == 2
    np.testing.assert_equal(best(tmp_path), undisturbed_2)
    assert not list((tmp_path / "checkpoints").glob("ckpt-4.*best*"))


def test_a_best_model_is_kept_where_files_have_no_second_names(tmp_path, undisturbed_2, monkeypatch):
    monkeypatch.setattr(checkpoint.os, "link", lambda *names: (_ for _ in ()).throw(OSError("no links here")))
    fit(tmp_path, 3, accuracy=[0.1, 0.2, 0.9])
    truncate(tmp_path / "checkpoints" / "ckpt-3.data-00000-of-00001")
    fit(tmp_path, 3, accuracy=[0.1, 0.2, 0.15])
    np.testing.assert_equal(best(tmp_path), undisturbed_2)


def test_a_checkpoint_of_another_run_is_refused(run, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    fit(other, 5)
    (run / "checkpoints" / "checkpoint").write_text(f'model_checkpoint_path: "{other}/checkpoints/ckpt-5"\n')
    with pytest.raises(RunError, match=r"names a checkpoint that is not this run's, .+/ckpt-5; delete that file"):
        fit(run, 6)


def test_a_checkpoint_of_another_model_is_refused(run):
    with pytest.raises(RunError, match="ckpt-4: cannot be restored"):
        Checkpoints(run, compiled(units=2)).restore()


@pytest.mark.parametrize(("bad", "shown"), [(np.nan, "nan"), (np.inf, "inf")])
def test_a_loss_that_is_no_number_ends_a_run_before_anything_good_is_lost(run, bad, shown):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=f"^student, epoch 5, step 1: the loss is {shown}; lower the learning rate"):
        fit(run, 6, targets=np.full((8, 3), bad, np.float32))
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_weights_that_the_last_step_spoils_end_it_too(run):
    model = compiled()
    spoil = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: model.layers[0].bias.assign([0, 0, np.inf])
    )
    with pytest.raises(RunError, match=r"^student, epoch 1: dense/bias:0 has values that are not finite"):
        model.fit(INPUTS, INPUTS[:, :3], callbacks=[spoil, RaiseOnNaN()], verbose=0)
