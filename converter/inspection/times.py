"""What a profile says: where the time of one image goes on this machine."""

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bnext_keras.text import counted, format_milliseconds

#: Seconds after which no further round begins.
BUDGET = 6.0
#: Bounds of the number of rounds, whatever the budget.
LEAST_ROUNDS, MOST_ROUNDS = 3, 30
#: What profiles call this project's engine.
ENGINE = "the engine"


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
            with these. Of the engine those that it chose.
        network: Milliseconds of the whole network by kernels.
        fastest: Milliseconds of the whole network's fastest run with the faster kernels: far below the median on a
            machine that is busy with other things.
        milliseconds: Milliseconds of each operator in the order of execution; None where it could not be run alone, or
            the engine makes it in the step of another one.
        rounds: How often each was measured; figures are medians.
        distinct: Number of distinct operators, or of the engine's steps.
        engine: This project's engine on the same inputs; None if it was left out.
        runtime: What ran the operators: ``"LCE"``, or ``"the engine"``, whose times by kind of work are in `engine`.
    """

    processor: str
    kernels: str
    network: dict[str, float]
    fastest: float
    milliseconds: list[float | None]
    rounds: int
    distinct: int
    engine: EngineTimes | None = None
    runtime: str = "LCE"

    @property
    def is_of_engine(self) -> bool:
        """Whether this project's engine ran the operators, in steps of its own."""
        return self.runtime == ENGINE

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


def rounds(budget: float, progress: Callable[[str], None]) -> Iterator[int]:
    """Numbers of rounds, from 1, until the budget is spent."""
    start = time.perf_counter()
    for number in range(1, MOST_ROUNDS + 1):
        left = budget - time.perf_counter() + start
        if number > LEAST_ROUNDS and left <= 0:
            return
        progress(f"profile, round {number}, {max(0.0, left):.0f} s left")
        yield number


def processor_name() -> str:
    """What this machine's processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
