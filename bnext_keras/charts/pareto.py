"""Accuracy against latency: which models no other one beats in both."""

from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points (milliseconds, percent) that nothing beats, from the fastest to the most accurate.

    A point is beaten if another one is at least as fast and at least as accurate, and better in one of them; of equal
    points the first one stays.

    Example:
        >>> pareto_front([(10.0, 60.0), (20.0, 70.0), (25.0, 65.0), (40.0, 75.0)])
        [0, 1, 3]
    """
    front: list[int] = []
    for index in sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1], index)):
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front
