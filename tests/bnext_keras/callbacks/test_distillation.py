"""Distillation's formulas on numbers worked out by hand, and its callbacks in every way that Keras trains."""

from math import exp, log
from pathlib import Path

import bnext_keras
from bnext_keras.callbacks import (
    AttentionMatching,
    Distillation,
    LatentWeightClipping,
    ScaleClipping,
    WeightTemperature,
)
from bnext_keras.callbacks.losses import (
    attention_distance,
    attention_map,
    batch_mean,
    cross_entropy,
    gap_sensitive_loss,
    gap_sensitive_weights,
)
from bnext_keras.teachers import Teacher

import forked
import larq as lq
import numpy as np
import pytest
import tensorflow as tf
import tiny_students as tiny
from alike import with_more
from tiny_students import IMAGES, LABELS, fit, frozen_student, gaps_of, penalty_of, without_dropout

# The formulas.


def test_cross_entropy():
    # Student: softmax of (0, log 3) is (1/4, 3/4).
    soft_labels = tf.constant([[0.2, 0.8], [1.0, 0.0]])
    logits = tf.constant([[0.0, log(3)], [0.0, log(3)]])
    expected = [-0.2 * log(1 / 4) - 0.8 * log(3 / 4), -log(1 / 4)]
    np.testing.assert_allclose(cross_entropy(soft_labels, logits), expected, rtol=1e-6)


def test_the_mean_is_over_the_number_of_examples_not_over_the_weights():
    values = tf.constant([1.0, 2.0, 6.0])
    assert float(batch_mean(values)) == 3.0
    assert float(batch_mean(values, tf.constant([3.0, 0.0, 1.0]))) == 3.0
    assert float(batch_mean(values, tf.constant([[3], [0], [1]]))) == 3.0


def test_the_furthest_teacher_counts_most_and_without_gradient():
    gaps = tf.Variable([log(6), log(3), log(1)])
    with tf.GradientTape() as tape:
        weights = gap_sensitive_weights(tf.unstack(gaps))
    np.testing.assert_allclose(weights, [0.6, 0.3, 0.1], rtol=1e-6)
    assert tape.gradient(weights, gaps) is None


def test_the_gap_sensitive_loss_per_example():
    # Weights of the first example (1/4, 3/4), of the second (2/3, 1/3).
    gaps = [tf.Variable([0.0, log(2)]), tf.Variable([log(3), 0.0])]
    with tf.GradientTape() as tape:
        loss, weights = gap_sensitive_loss(gaps)
    examples = [3 / 4 * log(3) / 2, 2 / 3 * log(2) / 2]
    assert float(loss) == pytest.approx(sum(examples) / 2, rel=1e-6)
    np.testing.assert_allclose(weights, [(1 / 4 + 2 / 3) / 2, (3 / 4 + 1 / 3) / 2], rtol=1e-6)
    # Weights are constants to the gradient: each is alpha / K / batch.
    np.testing.assert_allclose(tape.gradient(loss, gaps), [[1 / 16, 2 / 12], [3 / 16, 1 / 12]], rtol=1e-6)

    weighted, _ = gap_sensitive_loss(gaps, tf.constant([3.0, 0.5]))
    assert float(weighted) == pytest.approx((3 * examples[0] + 0.5 * examples[1]) / 2, rel=1e-6)


def test_the_gap_sensitive_loss_as_released():
    gaps = [tf.constant([0.0, log(2)]), tf.constant([log(3), 0.0])]
    first, second = log(2) / 2, log(3) / 2
    weight = exp(first) / (exp(first) + exp(second))
    loss, weights = gap_sensitive_loss(gaps, per_example=False)
    assert float(loss) == pytest.approx((weight * first + (1 - weight) * second) / 2, rel=1e-6)
    np.testing.assert_allclose(weights, [weight, 1 - weight], rtol=1e-6)


def test_of_a_single_teacher_the_loss_is_its_cross_entropy():
    loss, weights = gap_sensitive_loss([tf.constant([1.0, 4.0])])
    assert float(loss) == 2.5
    assert [float(weight) for weight in weights] == [1.0]


def test_attention_maps_and_their_distance():
    # Squares summed over channels: (9, 16) of length sqrt(337), and (0, 4) which becomes (0, 1).
    student = tf.constant([[[[3.0, 0.0], [0.0, -4.0]]]])
    teacher = tf.constant([[[[0.0], [2.0]]]])
    length = 337**0.5
    np.testing.assert_allclose(attention_map(student), [[9 / length, 16 / length]], rtol=1e-6)
    expected = (9 / length) ** 2 + (16 / length - 1) ** 2
    np.testing.assert_allclose(attention_distance(student, teacher), [expected], rtol=1e-5)
    np.testing.assert_allclose(attention_distance(7 * student, teacher), [expected], rtol=1e-5)
    assert attention_distance(tf.zeros((1, 2, 2, 1)), tf.ones((1, 2, 2, 1))).numpy() == pytest.approx(1.0)


def test_attention_maps_may_be_scaled_to_their_largest_value():
    """Larq Zoo: squares, over the largest of the map; of the difference's squares the mean over positions."""
    student, teacher = tf.constant([[[[3.0], [1.0]]]]), tf.constant([[[[1.0, 1.0], [2.0, 0.0]]]])
    np.testing.assert_allclose(attention_map(student, "largest"), [[1, 1 / 9]], rtol=1e-6)
    expected = (0.5**2 + (1 / 9 - 1) ** 2) / 2
    np.testing.assert_allclose(attention_distance(student, teacher, "largest"), [expected], rtol=1e-6)
    assert attention_distance(tf.zeros((1, 2, 2, 1)), tf.ones((1, 2, 2, 1)), "largest").numpy() == pytest.approx(1.0)
    with tf.GradientTape() as tape:
        tape.watch(student)
        distance = attention_distance(student, teacher, "largest")
    # The second position's map is (x / 3)^2; the first one's, the largest, is 1 whatever it is, but divides the other.
    second = (1 / 9 - 1) * 2 / 9
    np.testing.assert_allclose(tape.gradient(distance, student)[0, 0, :, 0], [-second / 3, second], rtol=1e-5)
    with pytest.raises(ValueError, match="attention maps are scaled to length or largest, not 'mean'"):
        attention_map(student, "mean")


# Distillation: what is minimized and what is logged.


@pytest.mark.parametrize("label_weight", [0.0, 0.25, 1.0])
def test_logs_and_loss(label_weight):
    student, teachers = frozen_student(), [tiny.linear("first", 1), tiny.linear("second", 2)]
    first, second = (gaps_of(student, teacher).mean() for teacher in teachers)
    history = fit(student, Distillation(teachers, [0.5, lambda epoch: 2.0 * epoch], label_weight), epochs=2)
    assert set(history) == {
        "loss", "accuracy", "label_loss", "distillation_loss", "first_loss", "first_weight", "second_loss",
        "second_weight",
    }  # fmt: skip
    for epoch, weight in enumerate((0.0, 2.0)):
        logs = {name: values[epoch] for name, values in history.items()}
        assert logs["first_loss"] == pytest.approx(first, rel=1e-5)
        assert logs["second_loss"] == pytest.approx(second, rel=1e-5)
        assert (logs["first_weight"], logs["second_weight"]) == (0.5, weight)
        assert logs["distillation_loss"] == pytest.approx(0.5 * first + weight * second, rel=1e-5)
        expected = label_weight * logs["label_loss"] + logs["distillation_loss"] + penalty_of(student)
        assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_sample_and_class_weights_apply_to_teachers_too():
    student, teacher = frozen_student(), tiny.linear("teacher")
    gaps = gaps_of(student, teacher)
    sample_weight = np.linspace(0, 3, len(LABELS))
    history = fit(student, Distillation([teacher]), sample_weight=sample_weight)
    assert history["teacher_loss"][0] == pytest.approx((gaps * sample_weight).mean(), rel=1e-5)

    class_weight = {0: 0.0, 1: 1.0, 2: 2.0, 3: 5.0}
    history = fit(student, Distillation([teacher]), class_weight=class_weight)
    expected = (gaps * np.array([class_weight[label] for label in LABELS])).mean()
    assert history["teacher_loss"][0] == pytest.approx(expected, rel=1e-5)


def test_probabilities_are_used_as_they_are():
    """A student and a teacher that end in softmax are the same as without it."""
    teachers = tiny.linear("teacher"), tiny.linear("teacher", activation="softmax")
    histories = [
        fit(frozen_student(activation=activation), Distillation([teacher]))
        for activation, teacher in zip((None, "softmax"), teachers, strict=True)
    ]
    for name in ("loss", "teacher_loss"):
        assert histories[0][name] == pytest.approx(histories[1][name], rel=1e-5)


def test_gradients_are_those_of_the_formula():
    """One step of plain gradient descent on the head's bias: p(student) - p(teacher), in the mean."""
    student, teacher = frozen_student(), tiny.linear("teacher")
    student.optimizer.learning_rate.assign(1.0)
    outputs = teacher.predict(IMAGES[:8], verbose=0)
    bias = student.get_layer("head").bias
    start = student.get_weights()
    logits = student(IMAGES[:8], training=True)
    student.set_weights(start)
    expected = -(tf.nn.softmax(logits) - tf.nn.softmax(outputs)).numpy().mean(axis=0)
    fit(student, Distillation([teacher], label_weight=0.0), images=IMAGES[:8], labels=LABELS[:8])
    np.testing.assert_allclose(bias, expected, atol=1e-6)


def test_the_teacher_stays_as_it_is():
    image = tf.keras.Input(tiny.SHAPE)
    x = tf.keras.layers.BatchNormalization()(tf.keras.layers.Dropout(0.5)(image))
    teacher = tf.keras.Model(image, tiny.linear("inner")(x), name="teacher")
    before = [weight.copy() for weight in teacher.get_weights()]
    history = fit(tiny.student(), Distillation([teacher]), epochs=2)
    for was, now in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    assert teacher.trainable
    assert np.isfinite(history["teacher_loss"]).all()


# With weights of zero it is not there, to the last bit.


@pytest.mark.parametrize(
    "compile_options",
    with_more([{}], [{"jit_compile": True}, {"steps_per_execution": 2}, {"run_eagerly": True}]),
    ids=lambda options: next(iter(options), "plain"),
)
def test_with_weights_of_zero_it_is_a_plain_run_bit_for_bit(compile_options):
    teacher = tf.keras.Sequential([tf.keras.layers.Dropout(0.5), tiny.linear("teacher")])
    teacher.build((None, *tiny.SHAPE))
    students, histories = [], []
    for callbacks in ([], [Distillation([teacher], [0.0]), AttentionMatching(tiny_convnet(), {"bn": "conv"}, 0.0)]):
        students.append(tiny.student(**compile_options))
        if "jit_compile" in compile_options:
            without_dropout(students[-1])  # whose seeds XLA ignores: no two runs are the same, distilled or not
        histories.append(fit(students[-1], *callbacks, epochs=2, validation_data=(IMAGES, LABELS)))
    tiny.assert_bitwise_equal(*students)
    for name, values in histories[0].items():
        assert histories[1][name] == values, name


def noisy(name):
    """A model that is random even in inference mode, without a seed of its own."""
    noise = tf.keras.layers.Lambda(lambda x: x + tf.random.normal(tf.shape(x)))
    return tf.keras.Sequential([tf.keras.Input(tiny.SHAPE), noise, tiny.linear("inner")], name=name)


def test_a_teachers_noise_does_not_change_a_students():
    students = []
    for callbacks in ([], [Distillation([noisy("teacher")], [0.0])]):
        tf.keras.utils.set_random_seed(0)
        students.append(noisy("student"))
        students[-1].compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        fit(students[-1], *callbacks)
    tiny.assert_bitwise_equal(*students)


def tiny_convnet(size=8, name="convnet"):
    image = tf.keras.Input((size, size, 3))
    x = tf.keras.layers.Conv2D(5, 3, padding="same", name="conv")(image)
    return tf.keras.Model(image, tf.keras.layers.Dense(4)(tf.keras.layers.GlobalAveragePooling2D()(x)), name=name)


def test_a_teacher_computes_once_for_all_callbacks_that_ask_it():
    counts = []
    for weight in (None, 1.0):
        teacher = Teacher(tiny_convnet())
        conv, calls = teacher.model.get_layer("conv"), []
        vars(conv)["call"] = lambda images, call=conv.call, calls=calls: calls.append(images) or call(images)
        callbacks = [Distillation([teacher])]
        if weight is not None:
            callbacks.append(AttentionMatching(teacher, {"bn": "conv"}, weight))
        history = fit(tiny.student(), *callbacks)
        counts.append(len(calls))
    assert counts[1] == counts[0] > 0
    assert {"convnet_loss", "bn_attention"} <= set(history)


# Ways of training.


def test_an_execution_of_several_steps_is_the_same_as_so_many_executions():
    students, histories = [], []
    for steps in (1, 2):
        students.append(tiny.student(steps_per_execution=steps))
        histories.append(fit(students[-1], Distillation([tiny.linear("teacher")]), epochs=2))
    tiny.assert_bitwise_equal(*students)
    assert histories[0] == histories[1]


def test_under_xla_the_numbers_agree():
    histories = [
        fit(frozen_student(jit_compile=jit_compile), Distillation([tiny.linear("teacher")]))
        for jit_compile in (False, True)
    ]
    for name, values in histories[0].items():
        assert histories[1][name] == pytest.approx(values, rel=1e-5), name


@pytest.mark.exhaustive
def test_a_narrow_bnext_under_xla_with_a_teacher_of_pixels():
    student = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=10)
    image = tf.keras.Input((32, 32, 3))
    x = tf.keras.layers.Rescaling(1 / 255)(image)
    x = tf.keras.layers.GlobalAveragePooling2D()(x)
    model = tf.keras.Model(image, tf.keras.layers.Dense(10)(x), name="teacher")
    seen = []
    model.layers[1].call = lambda pixels, call=model.layers[1].call: seen.append(pixels.shape) or call(pixels)
    teacher = Teacher(model, preprocess=bnext_keras.preprocessing.pixels_from_normalized)
    student.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True)
    images = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype(np.float32)
    callbacks = [Distillation([teacher], label_weight=0.0), WeightTemperature(may_end_soft=True)]
    history = fit(student, *callbacks, images=images, labels=np.arange(8), epochs=2)
    assert history["weight_temperature"] == [1.0, 0.9]
    assert history["loss"][1] < history["loss"][0]
    assert set(seen) == {(8, 32, 32, 3)}


def test_replicas_are_one_large_batch():
    """In a process of its own, because devices are made before TensorFlow starts."""
    program = Path(__file__).parents[2] / "support" / "programs" / "replicas.py"
    result = forked.run(program)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.split() == ["2", "replicas", "agree"]


def test_mixed_precision(mixed_float16):
    history = fit(tiny.student(), Distillation([tiny.linear("teacher")]), epochs=2)
    assert np.isfinite(history["teacher_loss"]).all()
    assert history["loss"][1] < history["loss"][0]


def test_early_stopping_may_watch_a_teacher():
    stop = tf.keras.callbacks.EarlyStopping("teacher_loss", min_delta=1e9)
    history = fit(tiny.student(), Distillation([tiny.linear("teacher")]), stop, epochs=5)
    assert len(history["loss"]) == 2  # nothing improves by so much


def test_tensorboard_sees_the_logs(tmp_path):
    pytest.importorskip("tensorboard")
    board = tf.keras.callbacks.TensorBoard(tmp_path, write_graph=True)
    fit(tiny.student(), Distillation([tiny.linear("teacher")]), board)
    (events,) = tmp_path.glob("train/*.tfevents.*.v2")
    tags = {value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value}
    assert {"epoch_teacher_loss", "epoch_teacher_weight", "epoch_distillation_loss"} <= tags


# Attention.


def test_attention_matching_is_the_distance_of_the_forward_pass_that_trains():
    student, teacher = frozen_student(), tiny_convnet()
    inner = tf.keras.Model(student.inputs, student.get_layer("bn").output)
    moving_mean = student.get_layer("bn").moving_mean
    start = student.get_weights()
    images = IMAGES[:8]
    expected = tf.reduce_mean(attention_distance(inner(images, training=True), teacher.get_layer("conv")(images)))
    after_one_pass = moving_mean.numpy()
    student.set_weights(start)

    history = fit(student, AttentionMatching(teacher, {"bn": "conv"}, weight=3.0), images=images, labels=LABELS[:8])
    assert history["bn_attention"][0] == pytest.approx(float(expected), rel=1e-5)
    assert history["distillation_loss"][0] == pytest.approx(3 * float(expected), rel=1e-5)
    assert history["loss"][0] == pytest.approx(
        history["label_loss"][0] + 3 * float(expected) + penalty_of(student), rel=1e-5
    )
    # Statistics have moved once.
    np.testing.assert_array_equal(moving_mean, after_one_pass)
    assert "call" not in vars(student.get_layer("bn"))


def test_attention_matching_by_the_largest_value():
    student, teacher = frozen_student(), tiny_convnet()
    inner = tf.keras.Model(student.inputs, student.get_layer("bn").output)
    start = student.get_weights()
    maps = inner(IMAGES[:8], training=True), teacher.get_layer("conv")(IMAGES[:8])
    student.set_weights(start)
    matching = AttentionMatching(teacher, {"bn": "conv"}, scaled_to="largest")
    history = fit(student, matching, images=IMAGES[:8], labels=LABELS[:8])
    expected = float(tf.reduce_mean(attention_distance(*maps, "largest")))
    assert history["bn_attention"][0] == pytest.approx(expected, rel=1e-5)


def test_attention_matching_lowers_the_distance_beside_distillation():
    teacher = tiny_convnet()
    callbacks = [AttentionMatching(teacher, {"bn": "conv"}, weight=100.0), Distillation([teacher])]
    history = fit(tiny.student(), *callbacks, epochs=6)
    assert history["bn_attention"][-1] < history["bn_attention"][0]
    assert "convnet_loss" in history


@pytest.mark.parametrize(
    ("layers", "size", "message"),
    [
        ({"bnn": "conv"}, 8, "student has no layer 'bnn'; it has bn"),
        ({"head": "conv"}, 8, r"the maps of 'head' \(4,\) and of the teacher's 'conv' \(8, 8, 5\) must agree"),
        ({"bn": "conv"}, 16, "teacher 'convnet' takes images of shape"),
    ],
)
def test_attention_matching_says_what_does_not_fit(layers, size, message):
    with pytest.raises(ValueError, match=message):
        fit(tiny.student(), AttentionMatching(tiny_convnet(size), layers))


def test_attention_matching_knows_its_teachers_layers():
    with pytest.raises(ValueError, match="convnet has no layer 'konv'; it has conv"):
        AttentionMatching(tiny_convnet(), {"bn": "konv"})
    with pytest.raises(ValueError, match="needs a pair of layers"):
        AttentionMatching(tiny_convnet(), {})
    with pytest.raises(ValueError, match="AttentionMatching: maps are scaled to length or largest, not 'mean'"):
        AttentionMatching(tiny_convnet(), {"bn": "conv"}, scaled_to="mean")


# Errors, before the first step.


def test_what_cannot_be_is_refused_at_once():
    first, second = tiny.linear("first"), tiny.linear("second")
    with pytest.raises(ValueError, match="needs a teacher"):
        Distillation([])
    with pytest.raises(ValueError, match="2 teachers have 1 weights"):
        Distillation([first, second], [1.0])
    with pytest.raises(ValueError, match="two teachers are called 'first'"):
        Distillation([first, tiny.linear("first")])
    with pytest.raises(ValueError, match="a teacher occurs twice"):
        Distillation([first, first])
    with pytest.raises(ValueError, match=r"label_weight must not be negative, got -1"):
        Distillation([first], label_weight=-1)
    with pytest.raises(TypeError, match=r"a teacher is a Teacher, a CachedTeacher or a tf\.keras.Model, got 'first'"):
        Distillation(["first"])


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ({"classes": 5}, "teacher 'teacher' has 5 classes, but the student has 4"),
        (
            {"input_shape": (9, 9, 3)},
            r"teacher 'teacher' takes images of shape \(9, 9, 3\), but the student's \(8, 8, 3\)",
        ),
    ],
)
def test_a_teacher_that_does_not_fit_is_named_before_the_first_step(teacher, message):
    student = tiny.student()
    before = tiny.weights(student)
    with pytest.raises(ValueError, match=message):
        fit(student, Distillation([tiny.linear("teacher", **teacher)]))
    np.testing.assert_equal(tiny.weights(student), before)


def test_a_student_that_learns_its_shape_from_the_data_is_checked_then():
    student = tf.keras.Sequential([tf.keras.layers.Flatten(), tf.keras.layers.Dense(4)])
    student.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match="teacher 'teacher' has 5 classes, but the student has 4"):
        fit(student, Distillation([tiny.linear("teacher", classes=5)]))
    assert "teacher_loss" in fit(student, Distillation([tiny.linear("teacher")]))


def test_a_student_of_two_outputs_is_refused():
    model = tiny.student()
    two = tf.keras.Model(model.inputs, [model.output, model.output], name="two")
    two.compile("sgd", "mse")
    with pytest.raises(ValueError, match="Distillation: two has 2 outputs; it must have one"):
        fit(two, Distillation([tiny.linear("teacher")]))


def test_names_that_would_hide_other_logs_are_refused():
    with pytest.raises(ValueError, match="the logs have a 'label_loss' already; give teachers names of their own"):
        fit(tiny.student(), Distillation([tiny.linear("label")]))


# Clipping.


def unclipped(**options):
    tf.keras.utils.set_random_seed(0)
    layers = [
        lq.layers.QuantConv2D(4, 3, kernel_quantizer="ste_sign", input_shape=tiny.SHAPE, name="binary"),
        lq.layers.QuantConv2D(4, 3, kernel_quantizer="ste_sign", kernel_constraint="weight_clip", name="constrained"),
        lq.layers.QuantSeparableConv2D(
            4, 3, depthwise_quantizer="ste_sign", pointwise_quantizer="ste_sign", name="separable"
        ),
        tf.keras.layers.Flatten(),
        tf.keras.layers.Dense(4, name="float"),
    ]
    model = tf.keras.Sequential(layers)
    model.compile(tf.keras.optimizers.Adam(1.0), tf.keras.losses.SparseCategoricalCrossentropy(True), **options)
    return model


@pytest.mark.filterwarnings("ignore")
def test_latent_weights_are_clipped_after_every_step():
    model = unclipped()
    fit(model, LatentWeightClipping(0.7), epochs=3)
    separable = model.get_layer("separable")
    for kernel in (model.get_layer("binary").kernel, separable.depthwise_kernel, separable.pointwise_kernel):
        assert np.abs(kernel).max() == np.float32(0.7)
    assert np.abs(model.get_layer("constrained").kernel).max() == 1.0
    assert np.abs(model.get_layer("float").kernel).max() > 1


@pytest.mark.filterwarnings("ignore")
def test_clipping_within_an_execution_is_clipping_between_executions():
    models = [unclipped(steps_per_execution=steps) for steps in (1, 2)]
    for model in models:
        fit(model, LatentWeightClipping(0.7))
    tiny.assert_bitwise_equal(*models)


def test_scales_are_clipped_unless_they_have_a_constraint(small_bnext, caplog):
    assert ScaleClipping.__init__.__defaults__ == ("scale", 0.0, 1.0)
    for clipping in (ScaleClipping(), LatentWeightClipping()):
        clipping.set_model(small_bnext)
        assert clipping.variables() == []  # BNext's layers look after themselves
    small_bnext.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(small_bnext, ScaleClipping(), images=np.zeros((8, 32, 32, 3), np.float32), labels=np.arange(8))
    assert "small_bnext has nothing to clip: ScaleClipping does nothing" in caplog.text


def test_clipping_bounds_are_checked():
    with pytest.raises(ValueError, match="clip_value must be positive, got 0"):
        LatentWeightClipping(0)
    with pytest.raises(ValueError, match="low must be below high, got 1 and 1"):
        ScaleClipping(low=1, high=1)
