"""How long each operator of a file takes on this machine, though LCE's interpreter has no profiler.

Every distinct operator (type, options, shapes) is cut out of the file into one of its own and timed there in LCE's
interpreter, one thread. Its time is that of a file with several copies of it, less that of a file with one, divided by
the difference: what it costs to hand over inputs and to fetch outputs drops out. Rounds over all operators take turns
with runs of the whole network, so that a busy machine slows all of them alike.

This project's engine, where it can run the file, takes its turns beside them. It works in other steps than the file's
operators, several of which it makes at once, so that it is timed as a whole and by kinds of work.

The sum is compared with the time of the whole network. A rest remains, of either sign: in the network the caches hold
other operators' data, and the image is copied in.

These are figures of this machine's processor. LCE's kernels are written for ARM64 and run in another form elsewhere, so
they say where the time goes here, not on a phone.
"""

import platform
import statistics
import time
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bnext_keras.text import counted, format_milliseconds

from converter.inspection.stopwatch import Runner, stopwatches
from converter.tflite.engine import EngineUnavailable, open_engine
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import KERNELS
from converter.tflite.kinds import kind_of

#: Seconds after which no further round begins.
BUDGET = 6.0
#: Bounds of the number of rounds, whatever the budget.
LEAST_ROUNDS, MOST_ROUNDS = 3, 30
#: Share of the budget, beyond the least rounds, that runs with the slower kernels may take.
SLOWER_SHARE = 0.1
#: Key of the engine among what is measured.
_ENGINE = "the engine"


@dataclass
class EngineTimes:
    """How long this project's engine takes.

    Attributes:
        kernels: The kernels that it chose for this CPU.
        network: Milliseconds of the whole network.
        kinds: Milliseconds of its steps by kind of work, largest first.
        note: Why it does not run the file; everything else is empty then.
    """

    kernels: str = ""
    network: float | None = None
    kinds: dict[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(repr=False)
class Profile:
    """Where the time of one image goes.

    Attributes:
        processor: What this machine's processor calls itself.
        kernels: The faster of LCE's kernels for the whole network, ``"indirect"`` or ``"default"``; operators are timed
            with these.
        network: Milliseconds of the whole network by kernels.
        fastest: Milliseconds of the whole network's fastest run with the faster kernels: far below the median on a
            machine that is busy with other things.
        milliseconds: Milliseconds of each operator in the order of execution; None where it could not be run alone.
        rounds: How often each was measured; figures are medians.
        distinct: Number of distinct operators.
        engine: This project's engine on the same inputs; None if it was left out.
    """

    processor: str
    kernels: str
    network: dict[str, float]
    fastest: float
    milliseconds: list[float | None]
    rounds: int
    distinct: int
    engine: EngineTimes | None = None

    def __repr__(self) -> str:
        operators = counted(len(self.milliseconds), "operator")
        return f"<Profile: {format_milliseconds(self.total)} with {self.kernels} kernels, {operators}>"

    @property
    def total(self) -> float:
        """Milliseconds of the whole network with the faster kernels."""
        return self.network[self.kernels]

    @property
    def explained(self) -> float:
        """The sum over operators, in milliseconds."""
        return sum(filter(None, self.milliseconds))

    @property
    def unexplained(self) -> float:
        """What the whole network takes beyond the sum, in milliseconds; negative if it is faster than that."""
        return self.total - self.explained

    def to_dict(self) -> dict:
        """Everything, ready for JSON."""
        return {**asdict(self), "explained": self.explained, "unexplained": self.unexplained}


def profile(
    content: bytes,
    budget: float = BUDGET,
    progress: Callable[[str], None] = lambda step: None,
    engine: bool = True,
) -> Profile:
    """Times every operator of a file.

    Args:
        content: The ``.tflite`` file.
        budget: Seconds to spend; a round that has begun is finished, and there are at least three.
        progress: Called with a line for the user before each round.
        engine: Whether to time this project's engine, too, if it can run the file.

    Example:
        >>> import bnext_keras
        >>> from converter import convert
        >>> result = convert(bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10))
        >>> profiled = profile(result.content, budget=0.1)
        >>> len(profiled.milliseconds) == len(result.inspection.operators)
        True
    """
    progress("profile, cutting out operators")
    flatbuffer = Flatbuffer(content)
    # Without binary convolutions they are all the same.
    choices = KERNELS if flatbuffer.binary_convs else ("default",)
    network = {name: Runner(content, name) for name in choices}
    kernels = min(network, key=lambda name: network[name].fastest(SLOWER_SHARE * budget, MOST_ROUNDS))
    keys, runnable = stopwatches(flatbuffer, kernels)
    ours, times = _open_engine(content) if engine else (None, None)

    seconds: dict[Hashable, list[float]] = {key: [] for key in (*runnable, *network, _ENGINE)}
    start = time.perf_counter()
    rounds = 0
    while rounds < LEAST_ROUNDS or (rounds < MOST_ROUNDS and time.perf_counter() - start < budget):
        rounds += 1
        progress(f"profile, round {rounds}, {max(0.0, budget - time.perf_counter() + start):.0f} s left")
        for name, runner in network.items():
            if name == kernels or rounds <= LEAST_ROUNDS or sum(seconds[name]) < SLOWER_SHARE * budget:
                seconds[name].append(runner.run())
        if ours is not None:
            seconds[_ENGINE].append(ours.run())
        for key, measure in runnable.items():
            seconds[key].append(measure())
    medians = {key: max(0.0, 1e3 * statistics.median(values)) for key, values in seconds.items() if values}
    if ours is not None and times is not None:
        times.network, times.kinds = medians[_ENGINE], _engine_kinds(ours)
    return Profile(
        processor=processor_name(),
        kernels=kernels,
        network={name: medians[name] for name in network},
        fastest=1e3 * min(seconds[kernels]),
        milliseconds=[medians.get(key) for key in keys],
        rounds=rounds,
        distinct=len(set(keys)),
        engine=times,
    )


def _open_engine(content):
    """The engine's runner, None if it cannot run the file, and what will be said of it."""
    try:
        interpreter = open_engine(content)
    except EngineUnavailable as error:
        return None, EngineTimes(note=str(error))
    runner = Runner(content, interpreter)
    runner.run()
    return runner, EngineTimes(kernels=interpreter.kernels)


def _engine_kinds(runner):
    times: dict[str, float] = {}
    for step in runner.interpreter.profile(runner.inputs, runs=LEAST_ROUNDS):
        kind = str(kind_of(step.kind))
        times[kind] = times.get(kind, 0.0) + step.microseconds / 1000
    return dict(sorted(times.items(), key=lambda item: -item[1]))


def processor_name() -> str:
    """What this machine's processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
