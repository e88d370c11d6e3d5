"""What Keras 2 (tf-keras) does not document and the packages use: see docs/private-api.md."""

import importlib
import sys
import zipfile

from bnext_keras.model_files import known

import numpy as np
import pytest
import tensorflow as tf
from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata
from tf_keras.src.saving import serialization_lib

ONE, TWO = np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)


def dense_model():
    model = tf.keras.Sequential([tf.keras.layers.Dense(2, name="dense", input_shape=(3,))])
    model.compile("sgd", "mse")
    return model


def test_keras_2_is_told_by_the_module_of_its_model():
    assert tf.keras.Model.__module__.startswith("tf_keras.")


class Looking(tf.keras.callbacks.Callback):
    """Notes the local variables of the ``fit`` that runs it."""

    def on_train_begin(self, logs=None):
        frame = sys._getframe()
        while frame.f_code.co_name != "fit":
            frame = frame.f_back
            assert frame is not None, "no frame called fit runs the callbacks"
        self.found = dict(frame.f_locals)
        data = self.found["data_handler"]
        enumerate_epochs = data.enumerate_epochs

        def epochs():
            self.epochs = []
            for epoch in enumerate_epochs():
                self.epochs.append(epoch[0])
                yield epoch

        data.enumerate_epochs = epochs


def test_callbacks_find_the_data_handler_of_the_running_fit():
    model, callback = dense_model(), Looking()
    model.fit(ONE, TWO, epochs=3, callbacks=[callback], verbose=0)
    assert callback.found["self"] is model
    assert callback.epochs == [0, 1, 2], "fit does not loop over data_handler.enumerate_epochs()"


def test_the_progress_bar_is_told_which_logs_are_averages():
    model, callback = dense_model(), Looking()
    model.fit(ONE, TWO, callbacks=[callback], verbose=2)
    assert isinstance(callback.found["callbacks"]._progbar.stateful_metrics, set)


def test_a_train_step_replaced_for_a_while_is_forgotten():
    model, calls = dense_model(), []
    model.fit(ONE, TWO, verbose=0)
    compiled, own = (model.train_function, model.train_tf_function), model.train_step

    def train_step(data):
        calls.append(data)
        return own(data)

    vars(model)["train_step"] = train_step
    model.make_train_function(force=True)
    model.fit(ONE, TWO, verbose=0)
    assert calls, "fit does not call the train_step of the instance"
    del vars(model)["train_step"]
    model.train_function, model.train_tf_function = compiled
    calls.clear()
    model.fit(ONE, TWO, verbose=0)
    assert not calls


def test_a_call_in_the_instance_dictionary_is_used_and_not_tracked():
    model = dense_model()
    layer, weights = model.get_layer("dense"), len(model.get_layer("dense").weights)
    own = layer.call
    vars(layer)["call"] = lambda inputs: own(inputs) + 1
    try:
        assert np.allclose(model(ONE), own(tf.constant(ONE)) + 1)
        assert len(layer.weights) == weights
    finally:
        del vars(layer)["call"]
    assert np.array_equal(model(ONE), own(tf.constant(ONE)))


def test_weight_decay_goes_through_one_method():
    decayed = []

    class Noting(tf.keras.optimizers.AdamW):
        def _apply_weight_decay(self, variables):
            decayed.extend(variable.name for variable in variables)
            self.weight_decay = 0.5
            super()._apply_weight_decay(variables)

    weight = tf.Variable([2.0], name="weight")
    optimizer = Noting(0.1, weight_decay=0.0)
    optimizer.apply_gradients([(tf.constant([0.0]), weight)])
    assert decayed == ["weight:0"]
    assert float(weight[0]) == pytest.approx(2.0 - 0.1 * 0.5 * 2.0), "it does not decay by lr * weight_decay * w"


def test_weight_decay_asks_what_is_excluded_and_where_variables_are():
    kept, decayed = tf.Variable([2.0], name="kept"), tf.Variable([2.0], name="decayed")
    optimizer = tf.keras.optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay([kept])
    optimizer.build([kept, decayed])
    assert [optimizer._use_weight_decay(variable) for variable in (kept, decayed)] == [False, True]
    merge_call = tf.__internal__.distribute.interim.maybe_merge_call
    assert merge_call(lambda strategy, value: (strategy, value), optimizer._distribution_strategy, 3) == (
        tf.distribute.get_strategy(),
        3,
    )


def test_a_step_is_applied_by_one_method():
    notes = []

    class Noting(tf.keras.optimizers.Adam):
        def _distributed_apply_gradients_fn(self, distribution, grads_and_vars, **kwargs):
            notes.append("begin")
            result = super()._distributed_apply_gradients_fn(distribution, grads_and_vars, **kwargs)
            notes.append("end")
            return result

        def update_step(self, gradient, variable):
            notes.append(variable.name)

    first, second = tf.Variable([1.0], name="first"), tf.Variable([1.0], name="second")
    Noting().apply_gradients([(tf.constant([1.0]), first), (tf.constant([1.0]), second)])
    assert notes == ["begin", "first:0", "second:0", "end"]


def test_adam_keeps_two_moments_for_each_variable():
    first, second = tf.Variable([1.0]), tf.Variable([1.0, 2.0])
    optimizer = tf.keras.optimizers.Adam()
    optimizer.build([first, second])
    index = optimizer._index_dict[optimizer._var_key(second)]
    assert optimizer._momentums[index].shape == second.shape
    assert optimizer._velocities[index].shape == second.shape


def test_logs_of_replicas_can_be_the_first_ones():
    model = dense_model()
    assert model.distribute_reduction_method == "auto"
    model.distribute_reduction_method = "first"
    model.fit(ONE, TWO, verbose=0)


@pytest.fixture
def shared():
    """A layer in two models, one of which is part of the other."""
    layer = tf.keras.layers.Dense(3, name="shared")
    image = tf.keras.Input((3,))
    inner = tf.keras.Model(image, layer(image), name="inner")
    outer_image = tf.keras.Input((3,), name="outer_image")
    outer = tf.keras.Model(outer_image, tf.keras.layers.ReLU(name="relu")(layer(inner(outer_image))), name="outer")
    return layer, inner, outer


def test_a_model_knows_its_own_nodes_of_a_shared_layer(shared):
    layer, inner, outer = shared

    def own_nodes(model):
        return [node for i, node in enumerate(layer.inbound_nodes) if f"shared_ib-{i}" in model._network_nodes]

    assert [tensor.shape.rank for node in own_nodes(inner) for tensor in node.keras_inputs] == [2]
    assert len(own_nodes(outer)) == 1
    assert own_nodes(inner) != own_nodes(outer)
    assert not own_nodes(inner)[0].is_input
    assert outer.get_layer("outer_image").inbound_nodes[0].is_input


def test_a_model_lists_its_calls_by_depth(shared):
    _, _, outer = shared
    depths = sorted(outer._nodes_by_depth, reverse=True)
    names = [node.layer.name for depth in depths for node in outer._nodes_by_depth[depth]]
    assert names == ["outer_image", "inner", "shared", "relu"]


def test_a_tensor_knows_the_layer_that_made_it(shared):
    layer, inner, outer = shared
    assert outer.output._keras_history.layer is outer.get_layer("relu")
    (node,) = outer.get_layer("relu").inbound_nodes
    assert node.keras_inputs[0]._keras_history.layer is layer
    assert inner.output._keras_history.tensor_index == 0


def test_applications_stand_beside_their_preprocessing():
    for name in ("EfficientNetB0", "MobileNetV2", "ResNet50", "ConvNeXtTiny"):
        module = importlib.import_module(getattr(tf.keras.applications, name).__module__)
        assert callable(module.preprocess_input), f"{name} is not defined beside its preprocess_input"


def test_an_archive_has_three_members(tmp_path):
    model = dense_model()
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert set(archive.namelist()) == {"metadata.json", "config.json", "model.weights.h5"}
        weights = archive.extract("model.weights.h5", tmp_path)
    expected = model.get_weights()
    model.set_weights([0 * value for value in expected])
    model.load_weights(weights)
    assert all(map(np.array_equal, model.get_weights(), expected))


@pytest.mark.parametrize(
    ("suffix", "module", "words"),
    [
        (".h5", "layers_of_my_own", "Unknown layer"),
        (".keras", "layers_of_my_own", "The added layer must be an instance of class Layer"),
        (".keras", "__main__", "Cannot deserialize object of type"),
    ],
)
def test_an_unknown_class_is_told_in_known_words(tmp_path, suffix, module, words):
    class Unknown(tf.keras.layers.Layer):
        pass

    Unknown.__module__ = module
    tf.keras.Sequential([tf.keras.Input((3,)), Unknown()]).save(tmp_path / f"model{suffix}")
    with pytest.raises((TypeError, ValueError), match=words):
        tf.keras.models.load_model(tmp_path / f"model{suffix}", compile=False)


def test_a_layer_of_an_unknown_class_is_a_text_that_is_called(tmp_path):
    class Unknown(tf.keras.layers.Layer):
        pass

    Unknown.__module__ = "layers_of_my_own"
    image = tf.keras.Input((3,))
    tf.keras.Model(image, Unknown()(image)).save(tmp_path / "model.keras")
    with pytest.raises(TypeError, match="'str' object is not callable"):
        tf.keras.models.load_model(tmp_path / "model.keras", compile=False)


def test_batch_normalization_can_be_synchronized_later(monkeypatch):
    layer = tf.keras.layers.BatchNormalization()
    layer(tf.ones((2, 4, 4, 3)))
    config, summed = layer.get_config(), []
    all_reduce = tf.distribute.ReplicaContext.all_reduce
    monkeypatch.setattr(
        tf.distribute.ReplicaContext,
        "all_reduce",
        lambda *args, **kwargs: summed.append(1) or all_reduce(*args, **kwargs),
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    layer.synchronized, layer.fused = True, False
    strategy.run(lambda: layer(tf.ones((2, 4, 4, 3)), training=True))
    assert summed, "the layer does not read `synchronized` when it is called"
    assert layer.get_config() == config


def test_files_name_classes_that_are_not_exported():
    assert {"Functional", "TFOpLambda", "SlicingOpLambda"} <= known.classes().keys()
    assert known.finds("keras.src.engine.functional", "Functional")


@pytest.mark.parametrize("module", ["keras", "keras.layers", "keras.models", "keras.initializers", "larq.layers"])
def test_keras_finds_what_was_looked_at(module):
    names = [name for name in known.classes() if known.finds(module, name)]
    assert names
    for name in names:
        found = serialization_lib._retrieve_class_or_fn(name, None, module, "class", {})
        assert found in known.classes()[name]


def test_constants_in_the_place_of_tensors_are_marked():
    image = tf.keras.Input((4,))
    assert "_CONSTANT_VALUE" in tf.keras.Model(image, tf.einsum("ij,ij->i", image, image)).to_json()


def test_a_saved_model_has_its_configuration_beside_it(tmp_path):
    tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))]).save(tmp_path / "model")
    metadata = SavedMetadata.FromString((tmp_path / "model" / "keras_metadata.pb").read_bytes())
    assert [node.identifier for node in metadata.nodes if node.node_id == 0] == ["_tf_keras_sequential"]


class Holder(tf.keras.layers.Layer):
    """Holds a layer in a list, one in a dictionary and one as an attribute."""

    def __init__(self):
        super().__init__()
        self.listed = [tf.keras.layers.Dense(1)]
        self.named = {"one": tf.keras.layers.Dense(2)}
        self.own = tf.keras.layers.TimeDistributed(tf.keras.layers.Dense(3))

    def call(self, inputs):
        return inputs


def test_a_model_lists_its_layers_and_theirs():
    model = tf.keras.Sequential([dense_model(), Holder(), tf.keras.layers.Dense(4)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(ONE, np.ones((4, 4), np.float32), verbose=0)
    layers = [layer for layer in model.submodules if isinstance(layer, tf.keras.layers.Layer)]
    listed = list(model._flatten_layers(include_self=False))
    assert {id(layer) for layer in listed} == {id(layer) for layer in layers if "metric" not in type(layer).__module__}
    assert [layer.units for layer in listed if isinstance(layer, tf.keras.layers.Dense)] == [2, 1, 2, 3, 4]
