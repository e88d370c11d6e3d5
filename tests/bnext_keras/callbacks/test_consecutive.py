"""The gap-sensitive ensemble and knowledge boosting, with schedules as published."""

from itertools import groupby

from bnext_keras.callbacks import DiversifiedConsecutiveDistillation
from bnext_keras.callbacks.consecutive import boosting_index

import numpy as np
import pytest
import tensorflow as tf
import tiny_students as tiny
from tiny_students import IMAGES, LABELS, fit, frozen_student, gaps_of, penalty_of


def teachers(count):
    return [tiny.linear(name, seed) for seed, name in enumerate(["b0", "b2", "b4"][:count])]


@pytest.mark.parametrize(
    ("weak", "turns"),
    [
        (1, [(0, 512)]),
        (2, [(0, 256), (1, 256)]),
        (3, [(0, 171), (1, 171), (2, 170)]),  # 512 / 3 = 170.67: changes in epochs 171 and 342
    ],
)
def test_the_published_schedule_in_every_epoch(weak, turns):
    indices = [boosting_index(epoch, 512, weak) for epoch in range(512)]
    assert [(index, len(list(epochs))) for index, epochs in groupby(indices)] == turns
    assert indices == [int(epoch // (512 / weak)) for epoch in range(512)]  # as the released code says it


def test_after_its_end_the_last_one_stays():
    assert [boosting_index(epoch, 4, 2) for epoch in range(7)] == [0, 0, 1, 1, 1, 1, 1]
    # Where floating-point division of 10 by 6 would be off.
    assert [boosting_index(epoch, 10, 6) for epoch in range(10)] == [0, 0, 1, 1, 2, 3, 3, 4, 4, 5]


def worked_out(weak, strong, per_example):
    """The loss, and the mean weight of the weak teacher, in NumPy; a row of ``gaps`` per teacher."""
    gaps = np.array([weak, strong]).reshape(2, -1, 8)  # of batches of 8
    if not per_example:
        gaps = gaps.mean(axis=-1, keepdims=True)
    alphas = np.exp(gaps) / np.exp(gaps).sum(axis=0)
    return (alphas * gaps).sum(axis=0).mean() / 2, alphas[0].mean()


@pytest.mark.parametrize("per_example", [True, False])
def test_logs_are_the_methods_numbers(per_example):
    student, (b0, b2, strong) = frozen_student(), teachers(3)
    b0_gaps, b2_gaps, strong_gaps = (gaps_of(student, teacher) for teacher in (b0, b2, strong))
    history = fit(student, DiversifiedConsecutiveDistillation([b0, b2], strong, per_example=per_example), epochs=4)
    assert history["weak_teacher"] == [0, 0, 1, 1]
    for epoch, (active, idle, gaps) in enumerate([("b0", "b2", b0_gaps)] * 2 + [("b2", "b0", b2_gaps)] * 2):
        logs = {name: values[epoch] for name, values in history.items()}
        loss, weight = worked_out(gaps, strong_gaps, per_example)
        assert logs[f"{active}_loss"] == pytest.approx(gaps.mean(), rel=1e-5)
        assert logs["b4_loss"] == pytest.approx(strong_gaps.mean(), rel=1e-5)
        assert logs[f"{active}_weight"] == pytest.approx(weight, rel=1e-5)
        assert logs["b4_weight"] == pytest.approx(1 - weight, rel=1e-5)
        assert np.isnan(logs[f"{idle}_loss"])
        assert logs[f"{idle}_weight"] == 0
        assert logs["distillation_loss"] == pytest.approx(loss, rel=1e-5)
        # No label term.
        assert logs["loss"] == pytest.approx(loss + penalty_of(student), rel=1e-5)


def test_both_forms_differ():
    """Otherwise the test above would not tell them apart."""
    student, (weak, strong) = frozen_student(), teachers(2)
    gaps = gaps_of(student, weak), gaps_of(student, strong)
    assert abs(worked_out(*gaps, True)[0] - worked_out(*gaps, False)[0]) > 1e-3


@pytest.mark.parametrize("compile_options", [{}, {"steps_per_execution": 2}, {"jit_compile": True}], ids=str)
def test_only_the_active_weak_teacher_is_evaluated(compile_options):
    """Each teacher counts its calls; XLA takes no such operation, but must compile the choice."""
    b0, b2, strong = teachers(3)
    calls = [tf.Variable(0) for _ in range(3)]
    if "jit_compile" not in compile_options:
        for teacher, count in zip((b0, b2, strong), calls, strict=True):
            dense = teacher.layers[-1]
            dense.call = lambda x, call=dense.call, count=count: (count.assign_add(1), call(x))[1]
    fit(tiny.student(**compile_options), DiversifiedConsecutiveDistillation([b0, b2], strong), epochs=4)
    expected = [0, 0, 0] if "jit_compile" in compile_options else [4, 4, 8]  # 2 batches, 4 epochs
    assert [int(count) for count in calls] == expected


def test_the_curriculum_of_bnext_l_where_a_weak_teacher_is_the_strong_one():
    b0, convnext = tiny.linear("b0", 1), tiny.linear("convnext", 2)
    count = tf.Variable(0)
    dense = convnext.layers[-1]
    dense.call = lambda x, call=dense.call: (count.assign_add(1), call(x))[1]
    history = fit(tiny.student(), DiversifiedConsecutiveDistillation([b0, convnext], convnext), epochs=2)
    assert int(count) == 4  # once a batch, in both roles
    assert history["convnext_as_weak_loss"][1] == history["convnext_loss"][1]
    assert history["convnext_weight"][1] == history["convnext_as_weak_weight"][1]
    # On some processors the softmax of two equal numbers is one float32 below a half.
    assert history["convnext_weight"][1] == pytest.approx(0.5, rel=1e-7)
    assert history["distillation_loss"][1] == pytest.approx(history["convnext_loss"][1] / 2, rel=1e-5)


def test_a_run_continues_where_it_stopped(tmp_path):
    """Half a run interrupted, then resumed by BackupAndRestore, is the whole run."""

    class Interrupt(tf.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt

    def distillation():
        b0, b2, strong = teachers(3)
        return DiversifiedConsecutiveDistillation([b0, b2], strong)

    def student():
        """Without dropout, whose random numbers are not part of a backup."""
        model = frozen_student()
        model.optimizer.learning_rate.assign(0.1)
        return model

    whole = student()
    fit(whole, distillation(), epochs=4)
    first, second = student(), student()
    with pytest.raises(KeyboardInterrupt):
        fit(first, distillation(), tf.keras.callbacks.BackupAndRestore(tmp_path), Interrupt(), epochs=4)
    history = fit(second, distillation(), tf.keras.callbacks.BackupAndRestore(tmp_path), epochs=4)
    assert history["weak_teacher"] == [1]
    tiny.assert_bitwise_equal(whole, second)


def test_the_epoch_alone_decides():
    b0, b2, strong = teachers(3)
    history = fit(tiny.student(), DiversifiedConsecutiveDistillation([b0, b2], strong), initial_epoch=1, epochs=4)
    assert history["weak_teacher"] == [0, 1, 1]
    callback = DiversifiedConsecutiveDistillation([b0, b2], strong, epochs=2)
    assert fit(tiny.student(), callback, epochs=3)["weak_teacher"] == [0, 1, 1]


def test_with_labels_too():
    student, (weak, strong) = frozen_student(), teachers(2)
    history = fit(student, DiversifiedConsecutiveDistillation([weak], strong, label_weight=0.5))
    expected = 0.5 * history["label_loss"][0] + history["distillation_loss"][0] + penalty_of(student)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_sample_weights_apply_to_each_example():
    student, (weak, strong) = frozen_student(), teachers(2)
    gaps = np.array([gaps_of(student, weak), gaps_of(student, strong)])
    alphas = np.exp(gaps) / np.exp(gaps).sum(axis=0)
    weight = np.linspace(0, 3, len(LABELS))
    history = fit(student, DiversifiedConsecutiveDistillation([weak], strong), sample_weight=weight)
    assert history["distillation_loss"][0] == pytest.approx((weight * (alphas * gaps).sum(axis=0)).mean() / 2, rel=1e-5)


def test_a_student_learns_from_teachers_alone():
    """Labels are wrong throughout, teachers are right: the student follows the teachers."""
    image = tf.keras.Input(tiny.SHAPE)
    mean = tf.keras.layers.Lambda(lambda x: tf.reduce_mean(x, axis=(1, 2, 3), keepdims=False)[:, None])(image)
    closeness = tf.keras.layers.Lambda(lambda x: -4.0 * tf.square(x - tf.range(4.0)))(mean)
    right = tf.keras.Model(image, closeness, name="right")
    assert (right.predict(IMAGES, verbose=0).argmax(axis=1) == LABELS).all()
    student = tiny.linear("student")
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    student.compile(tf.keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    assert student.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)["accuracy"] < 0.5
    callback = DiversifiedConsecutiveDistillation([right], tf.keras.Model(image, closeness, name="also_right"))
    fit(student, callback, labels=(LABELS + 1) % 4, epochs=60)
    assert student.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)["accuracy"] > 0.9


def test_what_cannot_be_is_refused(caplog):
    weak, strong = teachers(2)
    with pytest.raises(ValueError, match="needs a weak teacher; for one teacher use Distillation"):
        DiversifiedConsecutiveDistillation([], strong)
    with pytest.raises(ValueError, match="a teacher occurs twice among the weak teachers"):
        DiversifiedConsecutiveDistillation([weak, weak], strong)
    with pytest.raises(ValueError, match="two teachers are called 'b0'"):
        DiversifiedConsecutiveDistillation([weak], tiny.linear("b0"))
    with pytest.raises(ValueError, match="epochs must be positive, got 0"):
        DiversifiedConsecutiveDistillation([weak], strong, epochs=0)
    with pytest.raises(ValueError, match="teacher 'b5' has 5 classes, but the student has 4"):
        fit(tiny.student(), DiversifiedConsecutiveDistillation([weak], tiny.linear("b5", classes=5)))
    assert "too few" not in caplog.text
    fit(tiny.student(), DiversifiedConsecutiveDistillation([weak, tiny.linear("b1")], strong), epochs=1)
    assert "epochs=1 is too few for 2 weak teachers: some will never teach" in caplog.text
