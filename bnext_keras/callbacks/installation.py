"""How a term gets into the loss of an ordinary compiled model, and out again.

``model.fit`` runs ``callbacks.on_train_begin()`` and then loops over ``data_handler.enumerate_epochs()``, a generator.
Only during that loop is the model changed: the terms are put onto it when the generator starts, and taken off when it
ends. Python ends it whichever way the loop is left: after the last epoch, when a step, the validation or any callback
raises, and when the user interrupts. Since nothing in Keras hands the generator to callbacks, `Installation.of` takes
it from the running ``fit``. All terms of one ``fit`` share one installation: the order of callbacks cannot matter.

While it is installed,

- ``train_step`` takes cached logits out of the data and adds the terms' values to the logs;
- ``compute_loss`` adds the terms to the compiled loss if a train step calls it; evaluation does not see them;
- ``call`` of some layers records their outputs, so that a term may use them without a second forward pass.

A term is computed after the student's forward pass: TensorFlow numbers random operations to seed them, and those of a
teacher must not come before the student's.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bnext_keras.callbacks.running_fit import variables_of_running_fit
from bnext_keras.patching import attribute
from bnext_keras.teachers.cache import take_cached_logits

import tensorflow as tf


@dataclass
class Step:
    """What a term may use: one train step after the student's forward pass.

    Attributes:
        images: The student's inputs.
        outputs: The student's outputs.
        sample_weight: Weights of the examples, those of ``class_weight`` included, or None.
        cached_logits: Teachers' logits by name, from the data.
        features: Outputs by layer, of the layers in `LossTerm.recorded_layers`.
        answers: Soft labels by teacher, of those that have been asked; and what terms keep from `LossTerm.ask`.
        graph: The graph that the step is traced in.
    """

    images: object
    cached_logits: dict[str, tf.Tensor] = field(default_factory=dict)
    outputs: tf.Tensor | None = None
    sample_weight: tf.Tensor | None = None
    features: dict[str, tf.Tensor] = field(default_factory=dict)
    answers: dict[object, Any] = field(default_factory=dict)
    graph: tf.Graph = field(default_factory=tf.compat.v1.get_default_graph)
    was_used: bool = False

    def soft_labels(self, teacher: Any) -> tf.Tensor:
        """A teacher's soft labels, however many terms and branches of a term want them: it is asked once."""
        if teacher in self.answers:
            return self.answers[teacher]
        soft_labels = teacher.soft_labels(self.images, self.cached_logits)
        # What a branch computes is not there outside it.
        if tf.compat.v1.get_default_graph() is self.graph:
            self.answers[teacher] = soft_labels
        return soft_labels


class StepCallback(tf.keras.callbacks.Callback):
    """A callback that takes part in every train step of ``fit``, however many steps Keras executes at a time."""

    def prepare(self) -> None:
        """Checks that it fits the model, and creates variables, before anything is installed."""

    def after_step(self) -> None:
        """Runs at the end of each train step: in a graph, on each replica, maybe under XLA."""
        # AutoGraph leaves docstrings out, and warns of a function that has no body then.
        return

    def results(self) -> dict[str, tf.Tensor]:
        """What goes into ``logs``, by name."""
        return {name: mean.result() for name, mean in self.means.items()}

    def add_mean(self, name: str) -> tf.keras.metrics.Mean:
        """Creates a mean over the epoch that goes into ``logs`` as ``name``."""
        self.means[name] = tf.keras.metrics.Mean(name=name)
        return self.means[name]

    def add_variable(self, value, dtype) -> tf.Variable:
        """Creates a variable for what changes between epochs but must not be compiled into the train step."""
        return tf.Variable(value, trainable=False, dtype=dtype, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)

    def on_train_begin(self, logs=None):
        self.means: dict[str, tf.keras.metrics.Mean] = {}
        with self.model.distribute_strategy.scope():
            self.prepare()
        Installation.of(self.model).add(self)


class LossTerm(StepCallback):
    """A callback that adds a term to the student's loss while ``fit`` runs. Derive from it and implement `loss`.

    Attributes:
        label_weight: What the compiled loss is multiplied with, or None to leave that to others. One term of a ``fit``
            may say so.
        recorded_layers: Layers of the student whose outputs `loss` finds in ``step.features``.
    """

    label_weight: float | None = None
    recorded_layers: tuple[tf.keras.layers.Layer, ...] = ()

    def ask(self, step: Step) -> None:
        """Runs before the losses of all terms: what it puts into ``step.answers``, no other term asks a teacher for."""
        return

    def loss(self, step: Step) -> tf.Tensor:
        """The term's mean over the batch of this replica. Runs inside the train step: in a graph, maybe under XLA."""
        raise NotImplementedError

    def on_train_begin(self, logs=None):
        if not self.model.loss:
            raise ValueError(
                f"{type(self).__name__}: {self.model.name} was compiled without a loss; pass one to compile(), it is "
                "what the labels are measured with"
            )
        super().on_train_begin(logs)


class Installation:
    """The terms of one ``fit``. Made by the first of them, gone with the ``fit``."""

    def __init__(self, model: tf.keras.Model, progress_bar):
        self._model = model
        self._progress_bar = progress_bar
        self._callbacks: list[StepCallback] = []
        # Replicas trace their train steps in threads of their own.
        self._thread = threading.local()
        with model.distribute_strategy.scope():
            names = ("loss", "label_loss", "distillation_loss")
            self._means = {name: tf.keras.metrics.Mean(name=name) for name in names}

    @classmethod
    def of(cls, model: tf.keras.Model) -> "Installation":
        """The installation of the running ``fit`` of ``model``.

        Raises:
            RuntimeError: if ``model.fit`` is not running.
        """
        variables = variables_of_running_fit(model)
        data = variables["data_handler"]
        if not hasattr(data, "_bnext_keras_installation"):
            data._bnext_keras_installation = cls(model, getattr(variables.get("callbacks"), "_progbar", None))
            data.enumerate_epochs = partial(data._bnext_keras_installation._epochs, data.enumerate_epochs)
        return data._bnext_keras_installation

    def add(self, callback: StepCallback) -> None:
        """Lets a callback take part in this ``fit``.

        Raises:
            ValueError: if it and another one both weight the compiled loss.
        """
        if getattr(callback, "label_weight", None) is not None and self._label_weight is not None:
            raise ValueError(
                f"{type(callback).__name__}: another callback already weights the label loss; pass label_weight=None"
            )
        self._callbacks.append(callback)

    @property
    def _terms(self):
        return [callback for callback in self._callbacks if isinstance(callback, LossTerm)]

    @property
    def _label_weight(self):
        weights = [term.label_weight for term in self._terms if term.label_weight is not None]
        return weights[0] if weights else None

    def _epochs(self, enumerate_epochs) -> Iterator:
        with self._installed():
            for epoch in enumerate_epochs():
                for mean in self._all_means():
                    mean.reset_state()
                yield epoch

    def _all_means(self):
        return [*self._means.values(), *(mean for callback in self._callbacks for mean in callback.means.values())]

    @contextmanager
    def _installed(self):
        model = self._model
        compiled = model.train_function, model.train_tf_function
        with ExitStack() as stack:
            stack.enter_context(attribute(model, "train_step", partial(self._train_step, model.train_step)))
            stack.enter_context(attribute(model, "compute_loss", partial(self._compute_loss, model.compute_loss)))
            for layer in {layer for term in self._terms for layer in term.recorded_layers}:
                stack.enter_context(attribute(layer, "call", self._recorded(layer, layer.call)))
            try:
                model.make_train_function(force=True)
                yield
            finally:
                model.train_function, model.train_tf_function = compiled

    def _train_step(self, train_step, data):
        data, cached_logits = take_cached_logits(data)
        images, *_ = tf.keras.utils.unpack_x_y_sample_weight(data)
        step = self._thread.step = Step(images, cached_logits)
        try:
            logs = train_step(data)
        finally:
            self._thread.step = None
        if self._terms and not step.was_used:
            raise RuntimeError(
                f"{self._model.name}: its train_step does not call self.compute_loss(x, y, y_pred, sample_weight), "
                "through which callbacks add to the loss"
            )
        for callback in self._callbacks:
            callback.after_step()
        return self._with_results(logs)

    def _with_results(self, logs):
        results = {name: mean.result() for name, mean in self._means.items()} if self._terms else {}
        for callback in self._callbacks:
            for name, value in callback.results().items():
                if name in results or name in logs:
                    raise ValueError(
                        f"{type(callback).__name__}: the logs have a {name!r} already; give teachers names of their own"
                    )
                results[name] = value
        if self._progress_bar is not None:
            # These are running means already, which the progress bar would otherwise average once more.
            self._progress_bar.stateful_metrics = {*self._progress_bar.stateful_metrics, *results}
        return {**logs, **tf.distribute.get_replica_context().merge_call(_of_one_replica, args=(results,))}

    def _compute_loss(self, compute_loss, x=None, y=None, y_pred=None, sample_weight=None):
        label_loss = compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
        step = getattr(self._thread, "step", None)
        if step is None or not self._terms:
            return label_loss
        step.was_used = True
        step.images = step.images if x is None else x
        step.outputs, step.sample_weight = y_pred, sample_weight

        # As Keras does, so that the gradients' sum over replicas is that of one large batch.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        for term in self._terms:
            term.ask(step)
        terms = [tf.cast(term.loss(step), label_loss.dtype) for term in self._terms]
        distillation_loss = tf.add_n(terms)
        penalty = tf.add_n(
            [tf.cast(loss, label_loss.dtype) for loss in self._model.losses] or [tf.zeros_like(label_loss)]
        )
        total = distillation_loss / replicas
        label_weight = 1.0 if self._label_weight is None else self._label_weight
        if label_weight == 1:
            # Not rearranged: with a distillation loss of 0 it must be the compiled loss to the last bit.
            total = label_loss + total
        elif label_weight == 0:
            # Not multiplied with 0, so that labels may be missing from the gradient's graph altogether.
            total += penalty / replicas
        else:
            total += label_weight * label_loss + (1 - label_weight) * penalty / replicas

        examples = tf.shape(tf.nest.flatten(y_pred)[0])[0]
        self._means["loss"].update_state(total * replicas, sample_weight=examples)
        self._means["label_loss"].update_state(label_loss * replicas - penalty, sample_weight=examples)
        self._means["distillation_loss"].update_state(distillation_loss, sample_weight=examples)
        return total

    def _recorded(self, layer, call):
        def recorded_call(*args, **kwargs):
            outputs = call(*args, **kwargs)
            step = getattr(self._thread, "step", None)
            if step is not None:
                step.features[layer.name] = outputs
            return outputs

        return recorded_call


def _of_one_replica(strategy, results):
    """Results are equal on all replicas; Keras would add them up if it saw that there are several."""
    return {name: strategy.experimental_local_results(value)[0] for name, value in results.items()}
