"""Exact rewrites of a model's graph, for a smaller and faster file.

A pass is a function of a `converter.graph.Graph`, which it changes in place. Its docstring says what it does, proves it
and names its limits; tests compare each pass with the original in float64. It looks for a pattern of operators, never
for names of layers or models, and leaves alone what it does not recognize. `PASSES` is the order in which they run.

To add one: write it in a file of its own, put it into `PASSES` with a comment why it stands there, and test it in
``tests/converter/passes`` in a file of the same name.
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
from converter.passes.fold_normalization import fold_normalization
from converter.passes.gather_gates import gather_gates
from converter.passes.merge_affine import merge_affine
from converter.passes.move_into_branches import move_into_branches
from converter.passes.move_scales import move_scales
from converter.passes.recognize_prelu import recognize_prelu
from converter.passes.turn_padding import turn_padding

Pass = Callable[[Graph], None]

#: Canonical forms: every pass after them knows a batch normalization as ``a x + b`` and a parametric ReLU as one node.
CANONICAL: tuple[Pass, ...] = (
    # First, because all others look for ``Const`` nodes, and Keras computes many of them: -alpha, 1 - scale, reshaped
    # biases. It also removes the identities that would hide a pattern.
    fold_constants,
    # Needs the statistics as constants. From here on a batch normalization is a multiplication and an addition.
    expand_batch_norm,
    # Needs -alpha as a constant. Later passes know a parametric ReLU as ``PRelu`` alone: to them its six operators
    # would be two readers of one map, past which nothing moves.
    recognize_prelu,
    # Needs batch normalizations apart. All later passes rely on it: they look for at most one multiplication and then
    # one addition in a row.
    merge_affine,
)

PASSES: tuple[Pass, ...] = (
    *CANONICAL,
    # Needs ``a x + b`` behind each other. Before all others, which would take an offset of the image along.
    fold_normalization,
    # Before `move_scales` and `carry_offsets`, which would carry factors and offsets away from the concatenation; in
    # the branches they cost nothing, so those passes then leave them there.
    move_into_branches,
    # Needs constant factors merged. Before `distribute_means`, to which each factor of a map is one more operator on
    # the means.
    gather_gates,
    # Needs products of a map and one gate. Before `carry_offsets`: what it removes, such as a mix that only a gate
    # read, need not read true values any more.
    distribute_means,
    # Needs ``a x + b`` behind each other. Before `carry_offsets`, which may move b away from a, while here
    # ``relu(a x + b)`` is one pattern; and before thresholds take over what could have gone into a kernel.
    move_scales,
    # Needs all factors in their places, for it moves offsets alone. Before `fold_into_thresholds`, which takes over
    # what has gathered before each sign: the offset of the stream and the learned bias as one addition.
    carry_offsets,
    # Last to look at values: it hides an addition, and mostly a multiplication, in the binary convolution, where no
    # other pass would find them.
    fold_into_thresholds,
    # After `fold_into_thresholds`, because a comparison is negated for nothing, and a plain sign is not. What it has
    # negated, no pass touches any more.
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
        after: Number of operators by type after it ran.
        maps_before: Number of operators before it ran whose result is a map of more than one pixel: those take time.
        maps_after: Number of such operators after it ran.
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
        """By how many operators on maps of more than one pixel there are fewer, by type."""
        return _difference(self.maps_before, self.maps_after)


def simplify(graph: Graph, passes: Sequence[Pass] = PASSES) -> list[PassReport]:
    """Runs passes in their order, and again until none changes the number of operators.

    Returns:
        One report for each pass of the first round, and of later rounds those that changed something.

    Raises:
        RuntimeError: if the passes do not come to an end. That is an error of theirs, not of the model.

    Example:
        >>> import bnext_keras
        >>> from converter.compiler.trace import trace
        >>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
        >>> reports = simplify(trace(model))
        >>> {report.name: report.removed_maps for report in reports}["gather_gates"]
        {'Mul': 3}
    """
    reports: list[PassReport] = []
    counts = _counts(graph)
    for number in range(_MOST_ROUNDS):
        round_reports = []
        for rewrite in passes:
            before = counts
            rewrite(graph)
            counts = _counts(graph)
            round_reports.append(PassReport(rewrite.__name__, before[0], counts[0], before[1], counts[1]))
        changed = [report for report in round_reports if _changed(report)]
        reports += round_reports if number == 0 else changed
        if not changed:
            return reports
    raise RuntimeError(
        f"simplification does not end: after {_MOST_ROUNDS} rounds {', '.join(report.name for report in changed)} "
        "still change the graph"
    )


def count_operators(graph: Graph, maps_only: bool = False) -> Counter:
    """Number of operators by type that LCE will make of a simplified graph.

    A comparison with thresholds counts as the addition or subtraction that it needs. Multiplications and additions that
    a convolution takes over do not count.

    Args:
        graph: The graph.
        maps_only: Whether only those count whose result is a map of more than one pixel.
    """
    return _counts(graph)[maps_only]


def _counts(graph):
    """All operators by type, and those among them whose result is a map of more than one pixel."""
    every: Counter = Counter()
    maps: Counter = Counter()
    for node in graph.nodes():
        if node.op in ("Const", "Input", "Item", "Result"):
            continue
        if node.op in ("Mul", "Add", "AddV2", "BiasAdd") and is_fused(graph, node):
            continue
        counted = [every, maps] if node.is_map else [every]
        for counts in counted:
            counts[node.op] += 1
            if node.call is not None and (node.call.thresholds is not None or node.call.falling):
                counts["Sub" if node.call.falling else "AddV2"] += 1
    return every, maps


def _changed(report):
    return report.removed or report.removed_maps


def _difference(before, after):
    return {op: before[op] - after[op] for op in sorted(set(before) | set(after)) if before[op] != after[op]}
