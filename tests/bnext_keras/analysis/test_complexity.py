"""Knowledge complexity on literal numbers, on published teachers and on networks."""

import io
import subprocess
import sys
from math import inf, log

from bnext_keras.analysis.complexity import count_parameters
from bnext_keras.teachers import (
    KnowledgeComplexity,
    Teacher,
    cross_entropy_of_accuracy,
    keras_teacher,
    knowledge_complexity,
    rank_teachers,
)

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
import tiny_students as tiny
from rich.console import Console

#: Parameters in millions and top-1 on ImageNet of the weights in tf.keras.applications, from keras.io.
PUBLISHED = {
    "ConvNeXtTiny": (28.6, 0.813),
    "EfficientNetB4": (19.5, 0.829),
    "EfficientNetB2": (9.2, 0.801),
    "EfficientNetB0": (5.3, 0.771),
}


def published():
    return [
        KnowledgeComplexity(name, round(1e6 * millions), cross_entropy_of_accuracy(accuracy, 1000), 1000, accuracy)
        for name, (millions, accuracy) in PUBLISHED.items()
    ]


def measurement(parameters=3_000_000, cross_entropy=0.5, classes=10, accuracy=None):
    return KnowledgeComplexity("ours", parameters, cross_entropy, classes, accuracy)


def test_millions_of_parameters_per_nat():
    assert measurement().value == pytest.approx(3 / (log(10) - 0.5))
    assert measurement(parameters=6_000_000).value == pytest.approx(2 * measurement().value)
    assert measurement(cross_entropy=0.1).value < measurement().value


@pytest.mark.parametrize("cross_entropy", [log(10), 5.0])
def test_soft_labels_that_tell_nothing_are_infinitely_complex(cross_entropy):
    assert measurement(cross_entropy=cross_entropy).value == inf


def test_the_cross_entropy_of_an_accuracy():
    assert cross_entropy_of_accuracy(0.8, 5) == pytest.approx(-0.8 * log(0.8) - 0.2 * log(0.05))
    assert cross_entropy_of_accuracy(0.2, 5) == pytest.approx(log(5))  # chance
    assert cross_entropy_of_accuracy(1.0, 5) == 0
    for accuracy in (0.0, 1.1):
        with pytest.raises(ValueError, match=f"accuracy must be above 0 and at most 1, got {accuracy}"):
            cross_entropy_of_accuracy(accuracy, 5)


def test_the_published_curriculums_order():
    ranked = rank_teachers(published(), console=Console(quiet=True))
    assert [teacher.name for teacher in ranked] == [
        "EfficientNetB0",
        "EfficientNetB2",
        "EfficientNetB4",
        "ConvNeXtTiny",
    ]


def test_the_order_is_not_that_of_accuracy():
    """The last teacher of the curriculum is less accurate than the one before."""
    by_accuracy = sorted(published(), key=lambda teacher: teacher.accuracy)
    assert [teacher.name for teacher in by_accuracy][-2:] == ["ConvNeXtTiny", "EfficientNetB4"]


def test_the_order_does_not_hang_on_the_estimate_of_the_cross_entropy():
    """Whatever between none and the estimate the true cross-entropies are, the parameters decide."""
    smallest = [teacher.parameters / 1e6 / log(1000) for teacher in published()]
    largest = [teacher.value for teacher in published()]
    assert sorted(smallest, reverse=True) == smallest
    assert sorted(largest, reverse=True) == largest
    # B0 at its worst is below B2 at its best, and so on; but B4 and ConvNeXt-T are close enough to be measured.
    assert largest[3] < smallest[2] < largest[2] < smallest[1]


def test_a_measured_teacher():
    """Soft labels (1/4, 3/4) for labels 0, 1, 1, 1."""
    bias = tf.keras.initializers.Constant([0.0, log(3)])
    dense = tf.keras.layers.Dense(2, kernel_initializer="zeros", bias_initializer=bias)
    teacher = Teacher(tf.keras.Sequential([tf.keras.Input((3,)), dense], name="ours"))
    images, labels = np.ones((4, 3), np.float32), np.array([0, 1, 1, 1])
    expected = -(log(1 / 4) + 3 * log(3 / 4)) / 4
    for given in (labels, labels[:, None], np.eye(2)[labels]):
        measured = knowledge_complexity(teacher, tf.data.Dataset.from_tensor_slices((images, given)).batch(3))
        assert (measured.name, measured.parameters, measured.classes, measured.accuracy) == ("ours", 8, 2, 0.75)
        assert measured.cross_entropy == pytest.approx(expected, rel=1e-6)
        assert measured.value == pytest.approx(8e-6 / (log(2) - expected), rel=1e-5)
    with pytest.raises(ValueError, match="teacher 'ours' cannot be measured: there are no data"):
        knowledge_complexity(teacher, tf.data.Dataset.from_tensor_slices((images, labels)).take(0))


def test_parameters_are_those_that_are_learned():
    assert count_parameters(keras_teacher("EfficientNetB0", weights=None).model) == 5_288_548
    inner = tf.keras.Sequential([tf.keras.layers.BatchNormalization(input_shape=(5,)), tf.keras.layers.Dense(2)])
    binary = lq.layers.QuantDense(3, kernel_quantizer="ste_sign", kernel_constraint="weight_clip")
    model = tf.keras.Sequential([inner, binary])
    model.build((None, 5))
    model.trainable = False
    assert count_parameters(model) == 10 + 12 + 9


def test_the_table_and_the_figure(tmp_path):
    console = Console(record=True, width=120, file=io.StringIO())
    rank_teachers([*published(), measurement()], figure=tmp_path / "teachers.svg", console=console)
    rows = [line.split("│") for line in console.export_text().splitlines() if line.startswith("│")]
    assert [row[1].strip() for row in rows] == [
        "EfficientNetB0", "ours", "EfficientNetB2", "EfficientNetB4", "ConvNeXtTiny",
    ]  # fmt: skip
    # 5.3 / (log 1000 - 2.120)
    assert [cell.strip() for cell in rows[0][2:-1]] == ["5,300,000", "77.10%", "2.120", "4.788", "1.11"]
    svg = (tmp_path / "teachers.svg").read_text()
    assert "EfficientNetB0" in svg
    assert "ours" not in svg  # its accuracy is unknown
    rank_teachers([measurement(cross_entropy=9.0)], figure=tmp_path / "empty.svg", console=console)
    assert (tmp_path / "empty.svg").exists()


def test_teachers_are_measured_where_they_must_be(capsys):
    images, labels = tiny.data()
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
    ranked = rank_teachers([tiny.linear("b0"), Teacher(tiny.linear("inner"), name="b2"), measurement()], data)
    assert {teacher.name for teacher in ranked} == {"b0", "b2", "ours"}
    assert "Teachers, least complex first" in capsys.readouterr().out
    with pytest.raises(ValueError, match="there are no teachers"):
        rank_teachers([])
    with pytest.raises(ValueError, match=r"Teacher\('b0'\) must be measured: pass data"):
        rank_teachers([Teacher(tiny.linear("b0"))])


def test_matplotlib_is_not_imported_before_it_is_needed():
    program = "import sys, bnext_keras.teachers; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0
