"""Axes, labels and fronts, as every drawing uses them."""

from bnext_keras.charts.labels import Box, place
from bnext_keras.charts.pareto import pareto_front
from bnext_keras.charts.scale import linear_ticks, log_ticks, number, plain, span_ticks

import pytest


def test_ticks_are_round():
    assert linear_ticks(47.0) == [0, 10, 20, 30, 40, 50]
    assert linear_ticks(0.9) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert linear_ticks(2200.0) == [0, 500, 1000, 1500, 2000, 2500]
    assert linear_ticks(0.0) == [0, 1]
    assert span_ticks(57.0, 80.7) == [55, 60, 65, 70, 75, 80, 85]
    assert span_ticks(70.0, 70.0)[0] <= 70 < span_ticks(70.0, 70.0)[-1]
    assert log_ticks(0.8, 30.0) == [1, 2, 5, 10, 20]


def test_numbers_have_three_digits():
    assert [number(value) for value in (0, 0.04321, 9.996, 12.0, 283.4, 1234567.0)] == [
        *("0", "0.0432", "10.00", "12.0", "283", "1,234,567")
    ]
    assert [plain(value) for value in (0.5, 20, 1000)] == ["0.5", "20", "1,000"]


def test_labels_cover_neither_each_other_nor_points():
    area = Box(0, 0, 300, 200)
    points = [(100.0 + 7 * index, 100.0 + 3 * (index % 3)) for index in range(12)]
    spots = place(points, [60.0] * 12, area)
    boxes = []
    for spot in filter(None, spots):
        left = spot[0] - {"start": 0, "middle": 30, "end": 60}[spot[2]]
        boxes.append(Box(left, spot[1] - 10, left + 60, spot[1] + 3))
    assert 2 <= len(boxes) < 12
    assert all(box.within(area) for box in boxes)
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    assert not any(box.overlaps(Box(x - 4, y - 4, x + 4, y + 4)) for box in boxes for x, y in points)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], []),
        ([(10.0, 60.0)], [0]),
        ([(10.0, 60.0), (20.0, 70.0), (25.0, 65.0), (40.0, 75.0)], [0, 1, 3]),
        ([(40.0, 75.0), (10.0, 60.0)], [1, 0]),
        ([(10.0, 60.0), (10.0, 61.0)], [1]),
        ([(10.0, 60.0), (12.0, 60.0)], [0]),
        ([(10.0, 60.0), (10.0, 60.0)], [0]),
        ([(10.0, 80.0), (20.0, 70.0), (30.0, 60.0)], [0]),
    ],
)
def test_the_pareto_front(points, expected):
    assert pareto_front(points) == expected
