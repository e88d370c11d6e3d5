"""Exact rewrites of a model's operators, for a smaller and faster file.

A pass is a function of a `converter.graph.Graph`, which it changes in place. What it says is in its docstring, with the
proof; tests compare every one with the original in float64. It looks for a pattern of operators, never for names of
layers or models, and leaves alone what it does not recognize. `PASSES` is the order in which they run.

To add one: write it in a file of its own, put it into `PASSES`, test it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from converter.graph import Graph
from converter.passes._match import is_fused
from converter.passes.carry_offsets import carry_offsets
from converter.passes.distribute_means import distribute_means
from converter.passes.expand_batch_norm import expand_batch_norm
from converter.passes.fold_constants import fold_constants
from converter.passes.fold_into_thresholds import fold_into_thresholds
from converter.passes.gather_gates import gather_gates
from converter.passes.merge_affine import merge_affine
from converter.passes.move_into_branches import move_into_branches
from converter.passes.move_scales import move_scales
from converter.passes.recognize_prelu import recognize_prelu
from converter.passes.turn_padding import turn_padding

Pass = Callable[[Graph], None]

#: Canonical forms first: later passes know a batch normalization only as a multiplication and an addition.
PASSES: tuple[Pass, ...] = (
    fold_constants,
    expand_batch_norm,
    recognize_prelu,
    merge_affine,
    move_into_branches,
    gather_gates,
    distribute_means,
    move_scales,
    carry_offsets,
    fold_into_thresholds,
    turn_padding,
)

#: Rounds after which it is an error if passes still find something to do.
_MOST_ROUNDS = 10


@dataclass(frozen=True)
class PassReport:
    """What one run of a pass changed.

    Attributes:
        name: The pass.
        before: Number of operators by type before it ran.
        after: And after.
        maps_before: Those of them whose result is a map of more than one pixel: the ones that take time.
        maps_after: And after.
    """

    name: str
    before: Counter
    after: Counter
    maps_before: Counter
    maps_after: Counter

    @property
    def removed(self) -> dict[str, int]:
        """By how many operators of each type there are fewer; negative where there are more."""
        return _difference(self.before, self.after)

    @property
    def removed_maps(self) -> dict[str, int]:
        """The same of those whose result is a map of more than one pixel."""
        return _difference(self.maps_before, self.maps_after)


def simplify(graph: Graph, passes: Sequence[Pass] = PASSES) -> list[PassReport]:
    """Runs passes in their order, and again until none changes the number of operators.

    Returns:
        One report for each pass of the first round, and of later rounds those that changed something.

    Example:
        >>> import bnext_keras
        >>> from converter.compiler.trace import trace
        >>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
        >>> reports = simplify(trace(model))
        >>> {report.name: report.removed_maps for report in reports}["gather_gates"]
        {'Mul': 3}
    """
    reports: list[PassReport] = []
    for number in range(_MOST_ROUNDS):
        round_reports = [_run(graph, rewrite) for rewrite in passes]
        reports += [report for report in round_reports if number == 0 or _changed(report)]
        if not any(map(_changed, round_reports)):
            break
    return reports


def operators(graph: Graph, maps_only: bool = False) -> Counter:
    """Number of operators of the simplified graph by type.

    A comparison with thresholds counts as the addition or subtraction that it needs. Multiplications and additions that
    a convolution takes over are none.

    Args:
        graph: The graph.
        maps_only: Whether only those count whose result is a map of more than one pixel.
    """
    counts: Counter = Counter()
    for node in graph.nodes():
        if node.op in ("Const", "Input", "Item", "Result") or (maps_only and not node.is_map):
            continue
        if node.op in ("Mul", "Add", "AddV2", "BiasAdd") and is_fused(graph, node):
            continue
        counts[node.op] += 1
        if node.op == "BinaryConv2D" and (node.conv.thresholds is not None or node.conv.falling):
            counts["Sub" if node.conv.falling else "AddV2"] += 1
    return counts


def _run(graph, rewrite):
    before, maps_before = operators(graph), operators(graph, maps_only=True)
    rewrite(graph)
    return PassReport(rewrite.__name__, before, operators(graph), maps_before, operators(graph, maps_only=True))


def _changed(report):
    return report.removed or report.removed_maps


def _difference(before, after):
    return {op: before[op] - after[op] for op in sorted(set(before) | set(after)) if before[op] != after[op]}
