"""Roles: stated by who builds a network, kept by every file format, found by structure where nobody states them."""

from bnext_keras import layers, models, orientation
from bnext_keras.classes import annotate
from bnext_keras.layers import BinaryConv2D, Conv2D, Dense, LearnableBias
from bnext_keras.roles import HEAD, OTHER, SQUEEZE_EXPAND, STEM, stated_role
from bnext_keras.structure import find_roles

import larq as lq
import pytest
import tensorflow as tf
from alike import with_more
from earlier_versions import without_statements
from strangers import stranger

Layers = tf.keras.layers
SMALL = {"input_shape": (32, 32, 3), "num_classes": 10}
NETWORKS = {
    "BNext": lambda: models.BNext([8, 16, 16, 32], **SMALL),
    "BNext, strided stem": lambda: models.BNext([8, 16], input_shape=(96, 96, 3)),
    "BNext without attention": lambda: models.BNext([8, 16, 16, 32], elm_attention=False, **SMALL),
    "BNext without recoupling": lambda: models.BNext([8, 16, 16, 32], info_recoupling=False, **SMALL),
    "BNext18": lambda: models.BNext18(**SMALL),
    "BNext18 without recoupling": lambda: models.BNext18(info_recoupling=False, elm_attention=False, **SMALL),
    "MeliusNet": lambda: models.MeliusNet([1, 1], [64], input_shape=(96, 96, 3), num_classes=10),
    "MeliusNet, groups": lambda: models.MeliusNet([2, 1], [96], 4, input_shape=(96, 96, 3), num_classes=10),
    "MeliusNet, conv7x7": lambda: models.MeliusNet([1, 1], [64], input_shape=(96, 96, 3), stem="conv7x7"),
    "MeliusNet, conv3x3": lambda: models.MeliusNet([1, 1], [64], **SMALL),
}


#: Forms of what others among them have too.
ALIKE = ("BNext18 without recoupling", "MeliusNet, conv7x7", "MeliusNet, conv3x3", "BNext without attention")


@pytest.fixture(params=with_more([name for name in NETWORKS if name not in ALIKE], ALIKE), scope="module")
def network(request):
    return NETWORKS[request.param]()


def named(roles):
    return {layer.name: role for layer, role in roles.items() if not isinstance(layer, lq.layers.QuantConv2D)}


def stated(model):
    return {layer.name: stated_role(layer) for layer in model.layers if stated_role(layer)}


STATED = {
    "stem_conv": STEM,
    "block1_3x3_se_squeeze": SQUEEZE_EXPAND,
    "block1_3x3_se_expand": SQUEEZE_EXPAND,
    "block1_1x1a_se_squeeze": SQUEEZE_EXPAND,
    "block1_1x1a_se_expand": SQUEEZE_EXPAND,
    "block1_1x1b_se_squeeze": SQUEEZE_EXPAND,
    "block1_1x1b_se_expand": SQUEEZE_EXPAND,
    "head": HEAD,
}


def test_a_bnext_states_its_roles(small_bnext):
    assert stated(models.BNext([8, 16], **SMALL)) == STATED


def test_the_float_shortcuts_of_bnext18_count_as_stem():
    found = [name for name, role in stated(models.BNext18(**SMALL)).items() if role == STEM]
    assert found == ["stem_conv", *(f"stage{stage}_block0_3x3a_shortcut_conv" for stage in (1, 2, 3))]


@pytest.mark.parametrize("file", with_more(["model.h5", "model.keras"], ["saved_model"]))
def test_roles_survive_a_file_without_custom_objects(tmp_path, file):
    model = annotate(models.BNext([8, 16], classes="imagenet", **SMALL), mean=0.5, std=0.25)
    model.save(tmp_path / file)
    copy = tf.keras.models.load_model(tmp_path / file)
    assert stated(copy) == STATED
    assert copy.get_layer("head").classes == "imagenet"
    assert (copy.get_layer("head").mean, copy.get_layer("head").std) == ((0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize(
    "copied",
    [
        lambda model: type(model).from_config(model.get_config()),
        tf.keras.models.clone_model,
        lambda model: tf.keras.models.clone_model(
            model, clone_function=lambda layer: type(layer).from_config(layer.get_config())
        ),
        lambda model: orientation.remove_rotation(orientation.add_rotation(model)),
        lambda model: tf.keras.Model(model.input, Layers.Softmax()(model.output)),
    ],
    ids=["from_config", "clone_model", "clone_model with a function", "orientation", "another model"],
)
def test_roles_survive_copies(copied):
    assert stated(copied(models.BNext([8, 16], **SMALL))) == STATED


def test_saved_networks_are_plain_functional_models():
    model = models.BNext([8, 16], **SMALL)
    assert type(model) is type(without_statements(model))


@pytest.mark.parametrize("layer", [lambda role: Conv2D(4, 3, role=role), lambda role: Dense(4, role=role)])
def test_roles_that_no_layer_can_state(layer):
    expected = "role must be one of 'stem', 'squeeze-and-expand', 'head', 'other', got "
    with pytest.raises(ValueError, match=f"{expected}'neck'"):
        layer("neck")
    with pytest.raises(ValueError, match=f"{expected}'binary'"):
        layer("binary")


def test_every_float_layer_of_a_network_states_its_role(network):
    assert stated(network) == named(find_roles(network))


def test_networks_of_earlier_versions_count_the_same(network):
    """They state nothing: their roles are found by structure."""
    earlier = without_statements(network)
    assert named(find_roles(earlier)) == stated(network)
    assert models.count(earlier) == models.count(network)


#: Each says something that is not so.
MISLEADING = ("head", "x_shortcut_conv", "stem_binary", "stem_d", "stem_e", "stem_f", "g", "h_se_", "stem_i")
STRANGERS_ROLES = {
    "head": STEM,
    "x_shortcut_conv": STEM,
    "stem_d": SQUEEZE_EXPAND,
    "stem_e": SQUEEZE_EXPAND,
    "stem_f": OTHER,
    "h_se_": OTHER,
    "stem_i": HEAD,
}


def test_a_strangers_network_gets_its_roles_from_structure_whatever_the_names():
    model = stranger(MISLEADING)
    assert named(find_roles(model)) == STRANGERS_ROLES
    costs = models.count(model)
    assert costs.parameters_by_role == {
        "binary": 9 * 32 * 64 + 9 * 64 * 64,
        "stem": (27 + 1) * 16 + (9 * 16 + 1) * 32,
        "squeeze-and-expand": 65 * 8 + 9 * 64,
        "head": 21 * 10,
        "other": 33 * 64 + 65 * 20,
    }
    assert costs.macs_by_role["other"] == 32 * 64 * 8 * 8 + 64 * 20


def test_nested_models_are_unfolded():
    inner = stranger(MISLEADING)
    image = tf.keras.Input((16, 16, 3))
    assert named(find_roles(tf.keras.Model(image, inner(image)))) == STRANGERS_ROLES


def test_functions_make_gates_too():
    image = tf.keras.Input((8, 8, 32))
    x = BinaryConv2D(32, 3)(image)
    pooled = tf.reduce_mean(x, axis=[1, 2], keepdims=True)
    x = x * tf.sigmoid(Layers.Dense(32, name="gate")(pooled))
    x = Layers.Dense(4, name="last")(Layers.GlobalAveragePooling2D()(x))
    assert named(find_roles(tf.keras.Model(image, x))) == {"gate": SQUEEZE_EXPAND, "last": HEAD}


def test_a_sigmoid_at_the_end_makes_no_gate():
    image = tf.keras.Input((8, 8, 32))
    x = Layers.Dense(8, name="hidden")(Layers.GlobalAveragePooling2D()(BinaryConv2D(32, 3)(image)))
    model = tf.keras.Model(image, Layers.Dense(4, activation="sigmoid", name="last")(x))
    assert named(find_roles(model)) == {"hidden": OTHER, "last": HEAD}


def test_a_shortcut_beside_the_first_binary_convolution_is_no_stem():
    image = tf.keras.Input((8, 8, 32))
    x = Layers.Conv2D(32, 3, padding="same", name="first")(image)
    x = Layers.Add()([BinaryConv2D(32, 3)(x), Layers.Conv2D(32, 1, name="beside")(x)])
    x = Layers.Flatten()(BinaryConv2D(32, 3)(x))
    found = named(find_roles(tf.keras.Model(image, Layers.Dense(4, name="last")(x))))
    assert found == {"first": STEM, "beside": OTHER, "last": HEAD}


def test_a_network_without_binary_layers_has_no_stem():
    model = tf.keras.Sequential(
        [Layers.Conv2D(4, 3, input_shape=(8, 8, 3), name="stem_conv"), Layers.Flatten(), Layers.Dense(2, name="last")]
    )
    assert named(find_roles(model)) == {"stem_conv": OTHER, "last": HEAD}


def test_a_new_head_on_a_published_network():
    base = models.BNext([8, 16], classes="imagenet", **SMALL)
    model = tf.keras.Model(base.input, Layers.Dense(5, name="mine")(base.layers[-2].output))
    assert named(find_roles(model)) == {**{name: STATED[name] for name in STATED if name != "head"}, "mine": HEAD}


def test_a_subclassed_model_has_stated_roles_only():
    class Own(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = Conv2D(4, 3, role=STEM, name="a"), Layers.Dense(2, name="b")

        def call(self, inputs):
            return self.last(self.first(inputs))

    model = Own()
    model(tf.zeros((1, 8, 8, 3)))
    assert named(find_roles(model)) == {"a": STEM, "b": OTHER}


def test_a_role_of_another_meaning_is_none():
    layer = LearnableBias()
    layer.role = "bias of the first stage"
    assert stated_role(layer) is None


def test_the_layers_are_kerass_own():
    assert issubclass(layers.Conv2D, Layers.Conv2D)
    assert issubclass(layers.Dense, Layers.Dense)
