"""Teachers: what they see, what they say, and their logits kept on disk."""

import json

import bnext_keras
from bnext_keras.callbacks import AttentionMatching, Distillation, DiversifiedConsecutiveDistillation
from bnext_keras.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Normalization
from bnext_keras.teachers import CachedTeacher, Teacher, cache_logits, keras_teacher, with_cached_logits
from bnext_keras.teachers.cache import fingerprint, read_logits
from bnext_keras.teachers.teacher import as_teachers, ends_in_softmax

import numpy as np
import pytest
import tensorflow as tf
import tiny_students as tiny
from tiny_students import IMAGES, LABELS, fit

EXAMPLES = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))


# What a teacher says.


def outputs(values, activation=None, from_logits=None):
    """A teacher that always says the same."""
    bias = tf.keras.initializers.Constant(values)
    dense = tf.keras.layers.Dense(len(values), activation, kernel_initializer="zeros", bias_initializer=bias)
    return Teacher(tf.keras.Sequential([tf.keras.Input((3,)), dense]), from_logits=from_logits)


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [
        (outputs([0.0, np.log(3)]), [0.25, 0.75]),
        (outputs([0.0, np.log(3)], "softmax"), [0.25, 0.75]),
        (outputs([0.4, 0.6], from_logits=False), [0.4, 0.6]),
        (outputs([0.4, 0.6]), [0.45, 0.55]),  # 1 / (1 + exp(0.2)) = 0.450
    ],
)
def test_soft_labels(teacher, expected):
    soft_labels = teacher.soft_labels(tf.ones((2, 3)))
    np.testing.assert_allclose(soft_labels, [expected] * 2, atol=2e-4)
    np.testing.assert_allclose(tf.nn.softmax(teacher.logits(tf.ones((2, 3)))), soft_labels, rtol=1e-6)


def test_logits_of_certain_probabilities_are_finite():
    np.testing.assert_allclose(outputs([0.0, 1.0], from_logits=False).logits(tf.ones((1, 3))), [[-87.3, 0]], atol=0.1)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([tf.keras.layers.Dense(2, "softmax")], True),
        ([tf.keras.layers.Dense(2), tf.keras.layers.Activation("softmax")], True),
        ([tf.keras.layers.Dense(2), tf.keras.layers.Softmax()], True),
        ([tf.keras.Sequential([tf.keras.layers.Dense(2, "softmax")])], True),
        ([tf.keras.layers.Dense(2)], False),
        ([tf.keras.layers.Dense(2, "softmax"), tf.keras.layers.Dense(2)], False),
    ],
)
def test_softmax_is_recognized(layers, expected):
    assert ends_in_softmax(tf.keras.Sequential(layers)) is expected


def test_a_teacher_passes_no_gradient_and_stays_in_inference_mode():
    model = tf.keras.Sequential([tf.keras.layers.BatchNormalization(), tf.keras.layers.Dense(2)])
    model(tf.ones((1, 3)))
    before, images = [weight.copy() for weight in model.get_weights()], tf.Variable(np.eye(3, dtype=np.float32))
    with tf.GradientTape() as tape:
        soft_labels = Teacher(model).soft_labels(images)
    assert tape.gradient(soft_labels, [images, *model.trainable_variables]) == [None] * 5
    np.testing.assert_equal(model.get_weights(), before)


def test_it_sees_what_it_wants_to_see():
    teacher = Teacher(tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Softmax()]), preprocess=tf.negative)
    images = tf.constant([[0.0, -np.log(2), -np.log(5)]], tf.float32)
    np.testing.assert_allclose(teacher.soft_labels(images), [[1 / 8, 2 / 8, 5 / 8]], rtol=1e-6)


def test_names():
    model = tiny.linear("linear")
    assert Teacher(model).name == "linear"
    assert Teacher(model, name="teacher").name == "teacher"
    first, second = as_teachers([model, model])
    assert first is second


# Networks of tf.keras.applications.


@pytest.mark.parametrize("architecture", ["EfficientNetB0", "ConvNeXtTiny"])
def test_networks_that_scale_inside_get_pixels(architecture):
    teacher = keras_teacher(architecture, weights=None, input_shape=(32, 32, 3), num_classes=10)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    normalized = ((pixels / 255 - IMAGENET_MEAN) / IMAGENET_STD).astype(np.float32)
    np.testing.assert_allclose(teacher.preprocessed(tf.constant(normalized)), pixels, atol=1e-3)
    assert teacher.from_logits
    assert (teacher.name, teacher.num_classes) == (architecture.lower(), 10)


def test_students_may_see_images_of_another_normalization():
    scale = Normalization.cifar()
    options = {"weights": None, "input_shape": (32, 32, 3), "num_classes": 10, "normalization": scale}
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3))
    teacher = keras_teacher("EfficientNetB0", **options)
    np.testing.assert_allclose(teacher.preprocessed(tf.constant(scale(pixels))), pixels, atol=1e-3)


def test_networks_that_do_not_get_what_their_module_says():
    """ResNet's is: blue, green and red, less their means."""
    teacher = keras_teacher("ResNet50", weights=None, input_shape=(32, 32, 3), num_classes=10)
    black = tf.constant(-np.array(IMAGENET_MEAN) / IMAGENET_STD, tf.float32, (1, 1, 1, 3)) * tf.ones((1, 32, 32, 3))
    np.testing.assert_allclose(teacher.preprocessed(black)[0, 0, 0], [-103.939, -116.779, -123.68], atol=1e-3)


def test_unknown_networks_are_refused():
    with pytest.raises(ValueError, match=r"tf\.keras\.applications has no 'EfficientNetB9'"):
        keras_teacher("EfficientNetB9")


def test_published_efficientnet_weights_mean_the_same_from_a_file(tmp_path, monkeypatch):
    """Keras divides by another root of the deviations, but only where it has downloaded the weights itself."""
    from tf_keras.src.applications import efficientnet

    tf.keras.utils.set_random_seed(0)
    model = tf.keras.applications.EfficientNetB0(weights=None)
    normalization = next(layer for layer in model.layers if isinstance(layer, tf.keras.layers.Normalization))
    # As in the published file: deviations in the place of variances.
    normalization.set_weights([np.array(IMAGENET_MEAN), np.array(IMAGENET_STD), np.array(0)])
    model.save_weights(tmp_path / "efficientnetb0.h5")
    monkeypatch.setattr(
        efficientnet.data_utils, "get_file", lambda *args, **kwargs: str(tmp_path / "efficientnetb0.h5")
    )

    images = tf.random.normal((1, 32, 32, 3), seed=1)
    downloaded = keras_teacher("EfficientNetB0", input_shape=(32, 32, 3))
    read = keras_teacher("EfficientNetB0", tmp_path / "efficientnetb0.h5", input_shape=(32, 32, 3))
    for teacher in (downloaded, read):
        # After the network's own normalization.
        first = tf.keras.Model(teacher.model.inputs, teacher.model.get_layer("stem_conv_pad").input)
        np.testing.assert_allclose(first(teacher.preprocessed(images)), images, atol=1e-4)
    np.testing.assert_allclose(read.logits(images), downloaded.logits(images), atol=1e-5)


# Logits on disk.


@pytest.fixture
def cached(tmp_path):
    """Caches a teacher's logits and returns it with the file."""

    def cache(name="teacher", seed=1, examples=EXAMPLES, batch=6):
        teacher = Teacher(tiny.linear(name, seed))
        return teacher, cache_logits(teacher, examples.batch(batch), tmp_path / f"{name}.npy", progress=False)

    return cache


def test_cached_logits_are_the_teachers(cached):
    teacher, path = cached()
    logits = np.load(path)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, teacher.logits(tf.constant(IMAGES)), atol=1e-5)
    np.testing.assert_array_equal(read_logits(path, teacher), logits)
    assert json.loads(path.with_suffix(".json").read_text()) == {
        "teacher": "teacher", "fingerprint": fingerprint(teacher), "examples": 16, "classes": 4,
    }  # fmt: skip
    assert sorted(file.name for file in path.parent.iterdir()) == ["teacher.json", "teacher.npy"]


def test_training_with_cached_logits_is_training_with_the_teacher(cached):
    teacher, path = cached(batch=8)
    weighted = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS, np.linspace(0, 2, 16)))
    students, histories = [], []
    for data, given in (
        (weighted, teacher),
        (with_cached_logits(weighted, {"teacher": path}), CachedTeacher("teacher")),
    ):
        students.append(tiny.student())
        options = {"epochs": 2, "verbose": 0, "validation_data": (IMAGES, LABELS)}
        data = data.shuffle(16, seed=3).batch(8)
        histories.append(students[-1].fit(data, callbacks=[Distillation([given])], **options).history)
    for name, values in histories[0].items():
        assert histories[1][name] == pytest.approx(values, rel=1e-5), name
    for one, other in zip(*(student.get_weights() for student in students), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_cached_and_live_teachers_take_turns_under_class_weights(cached, jit_compile):
    _, path = cached("b0")
    data = with_cached_logits(EXAMPLES, {"b0": path}).batch(8)
    callbacks = [
        DiversifiedConsecutiveDistillation([CachedTeacher("b0"), tiny.linear("b2", 2)], tiny.linear("b4", 3)),
        AttentionMatching(convnet(), {"bn": "conv"}),
    ]
    student = tiny.student(jit_compile=jit_compile)
    history = student.fit(data, epochs=2, callbacks=callbacks, class_weight={0: 1, 1: 2, 2: 3, 3: 4}, verbose=0).history
    assert history["weak_teacher"] == [0, 1]
    assert np.isfinite([history["b0_loss"][0], history["b2_loss"][1]]).all()


def convnet():
    image = tf.keras.Input(tiny.SHAPE)
    return tf.keras.Model(image, tf.keras.layers.Conv2D(5, 3, padding="same", name="conv")(image), name="convnet")


def test_students_of_several_inputs(cached):
    _, path = cached()
    left, right = tf.keras.Input(tiny.SHAPE, name="left"), tf.keras.Input(tiny.SHAPE, name="right")
    x = tf.keras.layers.Flatten()(left + right)
    student = tf.keras.Model({"left": left, "right": right}, tf.keras.layers.Dense(4)(x))
    student.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data = EXAMPLES.map(lambda image, label: ({"left": image, "right": image}, label))
    data = with_cached_logits(data, {"teacher": path}).batch(8)
    assert "teacher_loss" in student.fit(data, callbacks=[Distillation([CachedTeacher("teacher")])], verbose=0).history


def test_what_is_wrong_with_cached_logits_is_said(cached, tmp_path):
    _, path = cached()
    with pytest.raises(
        ValueError, match=r"teacher.npy: has logits of 16 examples, but the dataset has 2; give the same"
    ):
        with_cached_logits(EXAMPLES.batch(8), {"teacher": path})
    with pytest.raises(ValueError, match=r"teacher.npy: these are logits of another 'teacher'"):
        with_cached_logits(EXAMPLES, {"teacher": path}, {"teacher": Teacher(tiny.linear("teacher", 2))})
    with pytest.raises(ValueError, match="teacher 'b0' is cached, but the data carry logits of no teacher"):
        fit(tiny.student(), Distillation([CachedTeacher("b0")]))
    data = with_cached_logits(EXAMPLES, {"teacher": path}).batch(8)
    with pytest.raises(ValueError, match=r"teacher 'b0' is cached, but the data carry logits of \['teacher'\]"):
        tiny.student().fit(data, callbacks=[Distillation([CachedTeacher("b0")])], verbose=0)
    with pytest.raises(FileNotFoundError):
        with_cached_logits(EXAMPLES, {"b0": tmp_path / "b0.npy"})
    with pytest.raises(ValueError, match="there are no examples"):
        cached("empty", examples=EXAMPLES.take(0))
    assert not list(tmp_path.glob("*empty*"))


def test_data_that_do_not_know_their_number_are_counted_as_they_come(cached):
    _, path = cached(examples=EXAMPLES.filter(lambda image, label: True))
    assert np.load(path).shape == (16, 4)
    unknown = EXAMPLES.filter(lambda image, label: label != 0)
    with pytest.raises(tf.errors.FailedPreconditionError, match="16"):
        list(with_cached_logits(unknown, {"teacher": path}))


def test_an_interrupted_computation_leaves_the_old_file(cached):
    teacher, path = cached()
    before = path.read_bytes()

    def fail():
        yield IMAGES[:8]
        raise RuntimeError("on purpose")

    batches = tf.data.Dataset.from_generator(fail, output_signature=tf.TensorSpec((8, *tiny.SHAPE)))
    with pytest.raises(tf.errors.UnknownError):
        cache_logits(teacher, batches, path, progress=False)
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["teacher.json", "teacher.npy"]


def test_fingerprints_tell_weights_and_preprocessing_apart():
    model = tiny.linear("teacher")
    teachers = [
        Teacher(model),
        Teacher(model, from_logits=False),
        Teacher(model, preprocess=bnext_keras.preprocessing.pixels_from_normalized),
        Teacher(tiny.linear("teacher", 2)),
    ]
    assert len({fingerprint(teacher) for teacher in teachers}) == 4
    assert fingerprint(Teacher(tiny.linear("other name"))) == fingerprint(teachers[0])


def test_without_a_network_a_teacher_tells_where_its_weights_may_come_from(monkeypatch):
    def fetch(**_):
        raise Exception("URL fetch failure on https://example.org/b0.h5: None -- Name or service not known")

    monkeypatch.setattr(tf.keras.applications, "EfficientNetB0", fetch)
    with pytest.raises(bnext_keras.errors.FileError, match=r"EfficientNetB0: its .*URL fetch.*--teacher-weights"):
        bnext_keras.teachers.keras_teacher("EfficientNetB0")
