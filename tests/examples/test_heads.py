"""The detector and the network for segmentation, as a newcomer starts them, only much smaller."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch):
    """Imports an example, which imports what lies beside it."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield lambda name: __import__(name)
    for name in ("shapes", "detector", "segmentation"):
        sys.modules.pop(name, None)


def test_pictures_are_the_same_for_a_seed_and_have_what_they_say(example):
    shapes = example("shapes")
    first, again = shapes.scenes(20, seed=3), shapes.scenes(20, seed=3)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert sorted({kind for classes in first.classes for kind in classes}) == [0, 1, 2]
    for mask, boxes, classes in zip(first.masks, first.boxes, first.classes, strict=True):
        for (top, left, bottom, right), kind in zip(boxes, classes, strict=True):
            rows, columns = np.nonzero(mask[int(top) : int(bottom) + 1, int(left) : int(right) + 1] == 1 + kind)
            assert abs(np.ptp(rows) + 1 - (bottom - top)) < 3
            assert abs(np.ptp(columns) + 1 - (right - left)) < 3
    shapes_there = first.masks > 0
    assert first.pixels[shapes_there].mean() > 0.6 > 0.4 > first.pixels[~shapes_there].mean()


def test_boxes_are_found_where_the_targets_say_and_right_ones_are_counted_once(example):
    detector, shapes = example("detector"), example("shapes")
    data = shapes.scenes(10, seed=4)
    targets = detector.targets(data)
    found = []
    for image in range(10):
        outputs = {}
        for name, values in targets.items():
            is_score = name.startswith("scores")
            outputs[name] = np.where(values[image] == 1, 9.0, -9.0) if is_score else values[image, ..., :4]
        found.append(detector.detect(outputs))
    for (boxes, classes, _), there, kinds in zip(found, data.boxes, data.classes, strict=True):
        assert sorted(classes) == sorted(kinds)
        assert (detector.overlaps(there, boxes).max(axis=1) > 0.99).all()
    assert set(detector.average_precision(found, data).values()) == {1.0}
    twice = [
        (
            np.concatenate([boxes, boxes]),
            np.concatenate([classes, classes]),
            np.append(probabilities, 0.1 * probabilities),
        )
        for boxes, classes, probabilities in found
    ]
    assert set(detector.average_precision(twice, data).values()) == {1.0}
    wrong = [(boxes + 30, classes, probabilities) for boxes, classes, probabilities in found]
    assert max(detector.average_precision(wrong, data).values()) < 0.5


def test_a_place_keeps_its_best_box_of_each_class_and_a_picture_only_its_best(example):
    strongest = example("detector").strongest
    boxes = np.float32([[0, 0, 10, 10], [0, 1, 10, 11], [0, 0, 10, 10], [20, 20, 30, 30]])
    assert strongest(boxes, np.array([0, 0, 1, 0])) == [0, 2, 3]
    assert strongest(boxes, np.zeros(4)) == [0, 3]


def test_shares_of_pixels_are_those_of_each_class(example):
    segmentation = example("segmentation")
    masks = np.array([[[0, 1], [2, 3]]])
    assert set(segmentation.intersections_over_unions(masks, masks).values()) == {1.0}
    shares = segmentation.intersections_over_unions(np.array([[[0, 1], [1, 3]]]), masks)
    assert shares == {"background": 1.0, "disc": 0.5, "square": 0.0, "triangle": 1.0}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["detector", "segmentation"])
def test_an_example_trains_converts_measures_and_draws(example, tmp_path, capsys, name):
    arguments = ["--scenes", "64", "--unseen", "8", "--epochs", "2", "--out", str(tmp_path / "out")]
    assert example(name).main(arguments) == 0
    printed = capsys.readouterr().out
    assert "mean " in printed
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{name}.png", f"{name}.tflite"]
    with Image.open(tmp_path / "out" / f"{name}.png") as picture:
        picture.verify()


def test_a_folder_that_cannot_be_made_is_refused_in_a_line(example, capsys):
    assert example("detector").main(["--out", str(EXAMPLES / "detector.py" / "x")]) == 2
    assert capsys.readouterr().err.startswith("detector.py: --out ")
