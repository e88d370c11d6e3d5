"""What tf-keras promises nowhere and the callbacks rely on: how ``fit`` runs its epochs."""

import inspect

from bnext_keras.callbacks.running_fit import variables_of_running_fit

import pytest
import tensorflow as tf
import tiny_students as tiny


class Looking(tf.keras.callbacks.Callback):
    """Keeps what it finds of ``fit`` when training begins."""

    def on_train_begin(self, logs=None):
        self.found = variables_of_running_fit(self.model)


def test_fit_has_the_variables_that_are_taken_from_it():
    code = inspect.unwrap(tf.keras.Model.fit).__code__
    assert code.co_name == "fit"
    assert {"self", "data_handler", "callbacks"} <= {*code.co_varnames, *code.co_cellvars}


def test_fit_runs_its_epochs_by_the_data_handlers_generator():
    """It looks enumerate_epochs up on the object, once, after on_train_begin: so it can be replaced until then."""
    source = inspect.getsource(inspect.unwrap(tf.keras.Model.fit))
    assert source.count("data_handler.enumerate_epochs()") == 1
    assert source.index("callbacks.on_train_begin()") < source.index("data_handler.enumerate_epochs()")


def test_a_callback_finds_the_fit_that_runs_it():
    model, looking = tiny.student(), Looking()
    tiny.fit(model, looking)
    assert looking.found["self"] is model
    assert inspect.isgenerator(looking.found["data_handler"].enumerate_epochs())
    assert hasattr(looking.found["callbacks"], "_progbar")


def test_no_fit_of_another_model_is_found():
    model = tiny.student()

    class LookingForAnother(tf.keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            with pytest.raises(RuntimeError, match=r"other: this callback works in model\.fit only"):
                variables_of_running_fit(other)

    other = tiny.student(name="other")
    tiny.fit(model, LookingForAnother())
