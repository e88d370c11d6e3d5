"""How long this project's engine takes, which has a profiler: by kinds of work, and by operators of the file.

A step makes several operators at once: a binary convolution and means of its results, or everything on single elements
that lies between two convolutions. Its time is that of the operator whose result it writes last; the others that it
makes have none of their own.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from converter.inspection.stopwatch import Runner
from converter.inspection.times import BUDGET, ENGINE, EngineTimes, Profile, processor_name, rounds
from converter.tflite.engine import open_engine
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.kinds import kind_of


class Step(NamedTuple):
    """What one step takes: what it does, the name of the tensor that it writes last, milliseconds."""

    type: str
    name: str
    milliseconds: float


class EngineRunner(Runner):
    """Runs a file on random inputs in the engine, on one thread.

    Args:
        content: The ``.tflite`` file.

    Attributes:
        kernels: The kernels that the engine chose for this CPU.

    Raises:
        EngineUnavailable: if the engine cannot run the file, or cannot be compiled here.
    """

    def __init__(self, content: bytes):
        self._engine: Any = open_engine(content)
        self.kernels: str = self._engine.kernels
        super().__init__(content, self._engine)
        self.run()

    def steps(self, runs: int) -> list[Step]:
        """The steps in their order, with the medians of some runs."""
        profiles = [self._engine.profile(self.inputs, runs=1) for _ in range(runs)]
        return medians([[Step(one.kind, one.name, one.microseconds / 1e3) for one in found] for found in profiles])


def medians(runs: Sequence[Sequence[Step]]) -> list[Step]:
    """The same steps of several runs as one, each with the median of its times.

    >>> medians([[Step("Map", "x", 3.0)], [Step("Map", "x", 1.0)], [Step("Map", "x", 2.0)]])
    [Step(type='Map', name='x', milliseconds=2.0)]
    """
    return [
        Step(same[0].type, same[0].name, statistics.median(step.milliseconds for step in same))
        for same in zip(*runs, strict=True)
    ]


def by_kind(steps: Iterable[Step]) -> dict[str, float]:
    """Milliseconds of steps by kind of work, largest first.

    >>> by_kind([Step("Map", "x", 1.0), Step("BinaryConv", "y", 3.0), Step("Map", "z", 0.5)])
    {'binary convolution': 3.0, 'elementwise': 1.5}
    """
    times: dict[str, float] = {}
    for step in steps:
        kind = str(kind_of(step.type))
        times[kind] = times.get(kind, 0.0) + step.milliseconds
    return dict(sorted(times.items(), key=lambda item: -item[1]))


def profile_engine(
    content: bytes, budget: float = BUDGET, progress: Callable[[str], None] = lambda step: None
) -> Profile:
    """Times the engine on a file, step by step.

    Args:
        content: The ``.tflite`` file.
        budget: Seconds to spend; a round that has begun is finished, and there are at least three.
        progress: Called with a line for the user before each round.

    Raises:
        EngineUnavailable: if the engine cannot run the file, or cannot be compiled here.

    Example:
        >>> import bnext_keras
        >>> from converter import convert
        >>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
        >>> profiled = profile_engine(convert(model, target="engine").content, budget=0.1)
        >>> profiled.runtime, len(profiled.milliseconds) > profiled.distinct
        ('the engine', True)
    """
    flatbuffer, runner = Flatbuffer(content), EngineRunner(content)
    network, runs = [], []
    for _ in rounds(budget, progress):
        network.append(1e3 * runner.run())
        runs.append(runner.steps(runs=1))
    steps, names = medians(runs), flatbuffer.names
    writers = {names[tensor]: operation.index for operation in flatbuffer.operations for tensor in operation.outputs}
    milliseconds: list[float | None] = [None] * len(flatbuffer.operations)
    for step in steps:
        if (place := writers.get(step.name)) is not None:
            milliseconds[place] = (milliseconds[place] or 0.0) + step.milliseconds
    total = statistics.median(network)
    return Profile(
        processor=processor_name(),
        kernels=runner.kernels,
        network={runner.kernels: total},
        fastest=min(network),
        milliseconds=milliseconds,
        rounds=len(network),
        distinct=len(steps),
        engine=EngineTimes(runner.kernels, total, by_kind(steps)),
        runtime=ENGINE,
    )
