import shutil
import zipfile
from pathlib import Path

from bnext_keras.errors import FileError, UntrustedFileError
from bnext_keras.model_files import load_model

import foreign_models
import larq as lq
import numpy as np
import pytest
import tensorflow as tf

FORMATS = ["net.keras", "net.h5", "net"]
Layers = tf.keras.layers


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    model = foreign_models.network()
    for name in FORMATS:
        model.save(folder / name)
    return folder


@pytest.fixture
def craft(saved, tmp_path):
    """Copies a saved network and changes its configuration."""

    def build(name, change):
        source, path = saved / name, tmp_path / name
        shutil.copytree(source, path) if source.is_dir() else shutil.copy(source, path)
        foreign_models.configuration(path, change)
        return path

    return build


def set_entry(kind, **values):
    return lambda config: foreign_models.layer(config, kind).update(values)


def set_option(kind, **values):
    return lambda config: foreign_models.layer(config, kind)["config"].update(values)


def function(module, name, **more):
    return {"class_name": "function", "module": module, "config": name, "registered_name": "function", **more}


@pytest.mark.parametrize("name", FORMATS)
def test_a_network_of_known_layers_loads(saved, name):
    values = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    expected = load_model(saved / name, trusted=True).predict(values, verbose=0)
    np.testing.assert_array_equal(load_model(saved / name).predict(values, verbose=0), expected)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_entry("Dense", class_name="Lambda"), "dense' is a layer Lambda, which runs Python code"),
        (set_entry("Dense", class_name="InstanceMethod"), "calls any method of its input"),
        (set_entry("Dense", class_name="StringLookup"), "may read its vocabulary from any file"),
        (set_entry("Dense", class_name="Mystery"), "class 'Mystery'"),
        (set_entry("Dense", class_name=["Dense"]), "named by something that is no text"),
        (set_entry("Dense", class_name="get_file", module="keras.utils", registered_name=None), "'get_file' of module"),
        (set_entry("Dense", class_name="Popen", module="subprocess", registered_name=None), "of module 'subprocess'"),
        (set_option("Dense", activation="system"), "activation 'system' is unknown to Keras"),
        (set_option("Dense", activation="deserialize"), "activation 'deserialize'"),
        (set_option("Dense", activation=function("os", "system")), "function 'system' of module 'os'"),
        (set_option("Dense", activation=function("builtins", "eval")), "function 'eval' of module 'builtins'"),
        (set_option("Dense", activation=function("os", "relu")), "function 'relu' of module 'os'"),
        (set_option("Dense", activation=function("os", "relu", registered_name="exec")), "function 'relu'"),
        (set_option("Dense", kernel_initializer={"class_name": "load_model", "config": {}}), "class 'load_model'"),
        (set_option("Dense", bias_regularizer={"class_name": "__lambda__", "config": {"value": ""}}), "'__lambda__'"),
        (set_option("TFOpLambda", function="io.read_file"), "calls 'io.read_file'"),
        (set_option("TFOpLambda", function="py_function"), "calls 'py_function'"),
        (set_option("TFOpLambda", function="raw_ops.WriteFile"), "calls 'raw_ops.WriteFile'"),
        (set_option("TFOpLambda", function="compat.v1.load_op_library"), "load_op_library"),
        (set_option("TFOpLambda", function="nn.fixed_unigram_candidate_sampler"), "candidate_sampler"),
        (set_option("TFOpLambda", function="keras.utils.get_file"), "calls 'keras.utils.get_file'"),
        (set_option("TFOpLambda", function=None), "calls None"),
        (
            set_entry("Dense", inbound_nodes=[[["_CONSTANT_VALUE", -1, "/etc/passwd", {}]]]),
            "called with a text in the place of a tensor",
        ),
    ],
)
def test_what_is_not_known_to_be_harmless_is_refused_by_name(craft, name, change, words):
    with pytest.raises(UntrustedFileError) as error:
        load_model(craft(name, change))
    assert words in str(error.value)
    assert "--trust" in str(error.value)


@pytest.mark.parametrize("name", ["net.h5", "net"])
def test_code_in_a_lambda_runs_only_when_trusted(tmp_path, name):
    canary = tmp_path / "canary"
    image = tf.keras.Input((4,))
    layer = Layers.Lambda(lambda x, canary=str(canary): [__import__("pathlib").Path(canary).touch(), x][1])
    tf.keras.Model(image, layer(image)).save(tmp_path / name)
    canary.unlink()
    with pytest.raises(UntrustedFileError, match="runs Python code that the file brings"):
        load_model(tmp_path / name)
    assert not canary.exists()
    assert load_model(tmp_path / name, trusted=True).output_shape == (None, 4)


def test_a_function_of_any_module_with_a_constant_in_place_of_a_tensor(craft, tmp_path):
    canary = tmp_path / "canary"

    def run_a_command(config):
        entry = foreign_models.layer(config, "Dense")
        entry["class_name"] = "Lambda"
        entry["config"] = {"name": "dense", "function": function("os", "system"), "function_type": "function"}
        entry["inbound_nodes"] = [[["_CONSTANT_VALUE", -1, f"touch {canary}", {}]]]

    with pytest.raises(UntrustedFileError, match="Lambda"):
        load_model(craft("net.keras", run_a_command))
    assert not canary.exists()


@pytest.mark.parametrize("name", FORMATS)
def test_what_this_process_has_registered_may_be_named(tmp_path, name):
    @tf.keras.utils.register_keras_serializable("test_loading")
    class Twice(Layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    image = tf.keras.Input((4,))
    try:
        tf.keras.Model(image, Twice()(image)).save(tmp_path / name)
        assert load_model(tmp_path / name)(np.ones((1, 4))).numpy().tolist() == [[2, 2, 2, 2]]
    finally:
        del tf.keras.utils.get_custom_objects()["test_loading>Twice"]
    with pytest.raises(UntrustedFileError, match=r"Twice.*layer of your own"):
        load_model(tmp_path / name)


@pytest.mark.parametrize("module", ["__main__", "layers_of_my_own"])
@pytest.mark.parametrize("name", [name for name in FORMATS if "." in name])
def test_a_class_whose_code_is_not_here_is_named_also_in_a_trusted_file(tmp_path, name, module):
    class Mine(Layers.Layer):
        pass

    Mine.__module__ = module
    image = tf.keras.Input((4,))
    for model in (tf.keras.Sequential([image, Mine()]), tf.keras.Model(image, Mine()(image))):
        model.save(tmp_path / name)
        with pytest.raises(FileError) as caught:
            load_model(tmp_path / name, trusted=True)
        # Of a network that is no Sequential, Keras names no class that lay in a module.
        is_named = isinstance(model, tf.keras.Sequential) or name == "net.h5" or module == "__main__"
        assert str(caught.value) == (
            f"{tmp_path / name}: uses a layer of your own{', ' + repr('Mine') if is_named else ''}, whose code is not "
            "here; register it with tf.keras.utils.register_keras_serializable, import its module, and load the file "
            "from Python"
        )


@pytest.mark.parametrize("name", FORMATS)
def test_networks_of_strangers_load(tmp_path, name):
    image = x = tf.keras.Input((8, 8, 3))
    x = Layers.RandomFlip()(Layers.Rescaling(1 / 255)(x))
    x = tf.concat([x[:, ::-1] * 2 + 1, tf.image.resize(x, (8, 8))], -1)
    x = lq.layers.QuantConv2D(
        4, 3, input_quantizer="ste_sign", kernel_quantizer=lq.quantizers.SteSign(), kernel_constraint="weight_clip"
    )(x)
    x = Layers.GlobalAveragePooling2D()(Layers.BatchNormalization()(x))
    model = tf.keras.Model(image, Layers.Dense(2, tf.nn.softmax)(Layers.Activation(tf.nn.silu)(x)))
    inner = tf.keras.Sequential([tf.keras.Input((8, 8, 3)), model, Layers.Dense(3)])
    inner.compile("adam", "mse", metrics=["accuracy"])
    inner.save(tmp_path / name)
    images = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    expected = inner.predict(images, verbose=0)
    np.testing.assert_array_equal(load_model(tmp_path / name).predict(images, verbose=0), expected)


def test_deep_and_broken_configurations(saved, tmp_path):
    for text, words in (("[" * 100_000, "nested too deep"), ("{", "no JSON"), (b"\xff", "no JSON")):
        path = rewritten(saved / "net.keras", tmp_path / "net.keras", {"config.json": text})
        with pytest.raises(UntrustedFileError, match=words):
            load_model(path)


def test_zip_bombs(saved, tmp_path):
    path = tmp_path / "net.keras"
    rewritten(saved / "net.keras", path, {"model.weights.h5": bytes(2**27)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(FileError, match="unpacks to far more than it holds"):
        load_model(path)


def test_archives_with_more_or_less_in_them(saved, tmp_path):
    path = rewritten(saved / "net.keras", tmp_path / "net.keras", {"assets/words.txt": "a"})
    with pytest.raises(UntrustedFileError, match=r"holds 'assets/words.txt' besides"):
        load_model(path)


def test_links_in_a_saved_model(saved, tmp_path):
    shutil.copytree(saved / "net", tmp_path / "net")
    index = tmp_path / "net" / "variables" / "variables.index"
    index.unlink()
    index.symlink_to(saved / "net" / "variables" / "variables.index")
    with pytest.raises(UntrustedFileError, match=r"'variables.index' is a link"):
        load_model(tmp_path / "net")


def rewritten(source, path, changes, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(source) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return Path(path)
