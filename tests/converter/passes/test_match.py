"""The patterns that several passes look for."""

import numpy as np
import pytest

from converter.graph import Graph, Node
from converter.passes._match import channel_constant, with_constant


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(2), [2, 2, 2]),
        (np.float32([1, 2, 3]), [1, 2, 3]),
        (np.ones((1, 1, 1, 3), np.float32), [1, 1, 1]),
        (np.ones((3, 1, 1), np.float32), None),
        (np.ones((2, 1, 3), np.float32), None),
        (np.int32([1, 2, 3]), None),
    ],
)
def test_constants_per_channel(value, expected):
    found = channel_constant(Graph.constant(value), 3)
    assert (found if found is None else found.tolist()) == expected


def test_a_constant_may_be_on_either_side_but_not_be_subtracted_from():
    x, c = Node("Input", shape=(1, 4, 4, 2)), Graph.constant(np.float32([1, 2]))
    for op, inputs, expected in (
        ("Mul", [x, c], [1, 2]),
        ("Mul", [c, x], [1, 2]),
        ("AddV2", [c, x], [1, 2]),
        ("Sub", [x, c], [-1, -2]),
        ("Sub", [c, x], None),
        ("AddV2", [x, x], None),
    ):
        taken = with_constant(Node(op, inputs, shape=x.shape), "Mul" if op == "Mul" else "AddV2")
        assert (taken and (taken[0], taken[1].tolist())) == (expected and (x, expected))
