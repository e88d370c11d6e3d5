"""What a callback puts onto a model for the length of `fit`, and that nothing of it stays."""

from bnext_keras.callbacks import Distillation
from bnext_keras.callbacks.installation import LossTerm, StepCallback

import numpy as np
import pytest
import tensorflow as tf
import tiny_students as tiny
from tf_keras.src.utils import io_utils
from tiny_students import IMAGES, LABELS, fit

#: What `fit` itself changes: compiled functions, counters, the history, and book-keeping of tracked values.
OF_FIT = {"train_function", "train_tf_function", "test_function", "history", "_eval_data_handler", "stop_training"}


class Constant(LossTerm):
    """Adds a number to the loss, and notes what the model looks like while it trains."""

    def __init__(self, value=1.0):
        super().__init__()
        self.value, self.during = value, None

    def loss(self, step):
        return tf.constant(self.value)

    def on_train_batch_end(self, batch, logs=None):
        self.during = dict(vars(self.model))


class Raising(tf.keras.callbacks.Callback):
    """Raises in one hook."""

    def __init__(self, hook, error=RuntimeError):
        super().__init__()

        def fail(*args, **kwargs):
            raise error("on purpose")

        setattr(self, hook, fail)


def appearance(model):
    return {name: id(value) for name, value in vars(model).items() if name not in OF_FIT and "_self_" not in name}


@pytest.fixture
def student():
    """A student that has been trained before, so that `fit` has nothing of its own left to set up."""
    model = tiny.student()
    fit(model, epochs=1)
    return model


def test_it_is_there_during_fit_and_gone_afterwards(student):
    before, term = appearance(student), Constant()
    compiled = student.train_function
    fit(student, term)
    assert {"train_step", "compute_loss"} <= term.during.keys() - before.keys()
    assert term.during["train_function"] is not compiled
    assert student.train_function is compiled
    assert appearance(student) == before


def test_autograph_has_nothing_to_warn_of():
    for hook in (StepCallback.after_step, StepCallback.results):
        tf.autograph.to_graph(hook)  # raises what `fit` would warn of


HOOKS = [
    "on_train_begin",
    "on_epoch_begin",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_batch_end",
    "on_epoch_end",
    "on_train_end",
]


@pytest.mark.parametrize(
    ("hook", "raises_first", "error"),
    [
        *((hook, False, RuntimeError) for hook in HOOKS),
        ("on_train_begin", True, RuntimeError),
        ("on_epoch_begin", True, RuntimeError),
        ("on_train_batch_end", False, KeyboardInterrupt),
        ("on_test_begin", False, KeyboardInterrupt),
    ],
)
def test_nothing_stays_when_another_callback_raises(student, hook, raises_first, error):
    before, compiled = appearance(student), student.train_function
    callbacks = [Constant(), Raising(hook, error)]
    try:
        fit(student, *(callbacks[::-1] if raises_first else callbacks), validation_data=(IMAGES, LABELS))
        pytest.fail("it did not raise")
    except error:
        # Here, where the traceback is still alive.
        assert appearance(student) == before
        assert student.train_function is compiled


def test_nothing_stays_when_a_step_raises(student):
    class Bad(LossTerm):
        def loss(self, step):
            raise ValueError("in the trace")

    before, compiled = appearance(student), student.train_function
    with pytest.raises(ValueError, match="in the trace"):
        fit(student, Constant(), Bad())
    assert appearance(student) == before
    assert student.train_function is compiled

    class Worse(LossTerm):
        def loss(self, step):
            with tf.control_dependencies([tf.debugging.assert_less(step.outputs, -1e9, "while it runs")]):
                return tf.constant(0.0)

    with pytest.raises(tf.errors.InvalidArgumentError, match="while it runs"):
        fit(student, Worse())
    assert appearance(student) == before
    assert student.train_function is compiled


def test_after_an_exception_the_model_trains_as_if_nothing_had_happened():
    models = tiny.student(), tiny.student()
    fit(models[0])
    fit(models[1])
    with pytest.raises(RuntimeError):
        fit(models[1], Constant(), Raising("on_epoch_begin"))
    for model in models:
        fit(model)
        model.train_on_batch(IMAGES[:8], LABELS[:8])
    tiny.assert_bitwise_equal(*models)


def test_several_terms_are_one_sum():
    student = tiny.student(optimizer=tf.keras.optimizers.SGD(0.0))
    history = fit(student, Constant(1.0), Constant(2.5))
    penalty = 0.01 * np.sum(np.square(student.get_layer("head").kernel))
    assert penalty > 1e-3
    assert history["distillation_loss"] == [3.5]
    assert history["loss"][0] == pytest.approx(history["label_loss"][0] + 3.5 + penalty, abs=1e-5)


def test_two_callbacks_cannot_both_weight_the_labels(student):
    teachers = [tiny.linear(name) for name in ("first", "second")]
    with pytest.raises(ValueError, match="another callback already weights the label loss"):
        fit(student, *(Distillation([teacher]) for teacher in teachers))
    history = fit(student, Distillation(teachers[:1]), Distillation(teachers[1:], label_weight=None))
    assert history["distillation_loss"][0] == pytest.approx(
        history["first_loss"][0] + history["second_loss"][0], rel=1e-5
    )


def test_it_refuses_what_is_not_fit(student):
    term = Constant()
    term.set_model(student)
    with pytest.raises(RuntimeError, match=r"student: this callback works in model\.fit only"):
        term.on_train_begin()


def test_it_refuses_a_model_without_a_loss():
    model = tiny.student(loss=None)
    with pytest.raises(ValueError, match="Constant: student was compiled without a loss"):
        fit(model, Constant())


class OwnStep(tf.keras.Model):
    """A student with a train step of its own."""

    def train_step(self, data):
        x, y, sample_weight = tf.keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.own_loss(x, y, y_pred, sample_weight)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return {"own": loss}

    def own_loss(self, x, y, y_pred, sample_weight):
        return self.compute_loss(x, y, y_pred, sample_weight)


def own_step(model_class):
    model = tiny.student()
    own = model_class(model.inputs, model.outputs, name="own")
    own.compile("sgd", model.loss)
    return own


def test_models_with_a_train_step_of_their_own_take_part():
    history = fit(own_step(OwnStep), Constant(2.0), epochs=1)
    assert history["distillation_loss"] == [2.0]
    assert set(history) == {"own", "loss", "label_loss", "distillation_loss"}


def test_a_train_step_that_goes_around_compute_loss_is_refused():
    class Around(OwnStep):
        def own_loss(self, x, y, y_pred, sample_weight):
            return self.compiled_loss(y, y_pred, sample_weight)

    with pytest.raises(RuntimeError, match=r"own: its train_step does not call self\.compute_loss"):
        fit(own_step(Around), Constant())


def test_evaluation_does_not_see_it(student):
    plain = student.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
    seen = []

    class Evaluate(tf.keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(self.model.evaluate(IMAGES, LABELS, verbose=0, return_dict=True))

    history = fit(student, Constant(100.0), Evaluate(), validation_data=(IMAGES, LABELS))
    assert seen[0] == plain
    assert set(history) == {
        "loss", "accuracy", "label_loss", "distillation_loss", "val_loss", "val_accuracy",
    }  # fmt: skip
    assert history["loss"][0] > 100 > history["val_loss"][0]


def test_means_start_again_with_every_epoch():
    class Step(StepCallback):
        """Logs how often it ran in this epoch."""

        def prepare(self):
            self.add_mean("seen")
            self.epoch = self.add_variable(0.0, tf.float32)

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch.assign(epoch)

        def after_step(self):
            self.means["seen"].update_state(self.epoch)

    assert fit(tiny.student(), Step(), epochs=3)["seen"] == [0.0, 1.0, 2.0]


def test_the_progress_bar_shows_running_means(student, monkeypatch):
    """Keras averages what it does not know to be a mean already."""
    shown = []
    monkeypatch.setattr(io_utils, "print_msg", lambda text, **options: shown.append(text))

    class Steps(Constant):
        def prepare(self):
            self.value = self.add_variable(0.0, tf.float32)

        def loss(self, step):
            self.value.assign_add(1.0)
            return tf.identity(self.value)

    student.fit(IMAGES, LABELS, batch_size=4, callbacks=[Steps()], verbose=1)
    last = [text for text in shown if "distillation_loss" in text][-1]
    assert "distillation_loss: 2.5000" in last  # of 1, 2, 3, 4
