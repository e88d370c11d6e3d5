"""How long each operator of a file takes on this machine, though LCE's interpreter has no profiler.

Every distinct operator (type, options, shapes) is cut out of the file into one of its own and timed there in LCE's
interpreter, one thread. Its time is that of a file with several copies of it, less that of a file with one, divided by
the difference: what it costs to hand over inputs and to fetch outputs drops out. Rounds over all operators take turns
with runs of the whole network, so that a busy machine slows all of them alike.

This project's engine, where it can run the file, takes its turns beside them. It works in other steps than the file's
operators, several of which it makes at once, so that it is timed as a whole and by kinds of work. A file that is for it
is timed in it alone (`converter.inspection.engine`).

The sum is compared with the time of the whole network. A rest remains, of either sign: in the network the caches hold
other operators' data, and the image is copied in.

These are figures of this machine's processor. LCE's kernels are written for ARM64 and run in another form elsewhere, so
they say where the time goes here, not on a phone.
"""

import statistics
from collections.abc import Callable, Hashable

from converter.inspection.engine import EngineRunner, by_kind
from converter.inspection.stopwatch import Runner, stopwatches
from converter.inspection.times import (
    BUDGET,
    ENGINE,
    LEAST_ROUNDS,
    MOST_ROUNDS,
    EngineTimes,
    Profile,
    processor_name,
    rounds,
)
from converter.tflite.engine import EngineUnavailable
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import KERNELS

#: Share of the budget, beyond the least rounds, that runs with the slower kernels may take.
SLOWER_SHARE = 0.1


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

    seconds: dict[Hashable, list[float]] = {key: [] for key in (*runnable, *network, ENGINE)}
    for number in rounds(budget, progress):
        for name, runner in network.items():
            if name == kernels or number <= LEAST_ROUNDS or sum(seconds[name]) < SLOWER_SHARE * budget:
                seconds[name].append(runner.run())
        if ours is not None:
            seconds[ENGINE].append(ours.run())
        for key, measure in runnable.items():
            seconds[key].append(measure())
    medians = {key: max(0.0, 1e3 * statistics.median(values)) for key, values in seconds.items() if values}
    if ours is not None and times is not None:
        times.network, times.kinds = medians[ENGINE], by_kind(ours.steps(runs=LEAST_ROUNDS))
    return Profile(
        processor=processor_name(),
        kernels=kernels,
        network={name: medians[name] for name in network},
        fastest=1e3 * min(seconds[kernels]),
        milliseconds=[medians.get(key) for key in keys],
        rounds=len(seconds[kernels]),
        distinct=len(set(keys)),
        engine=times,
    )


def _open_engine(content):
    """The engine's runner, None if it cannot run the file, and what will be said of it."""
    try:
        runner = EngineRunner(content)
    except EngineUnavailable as error:
        return None, EngineTimes(note=error.what)
    return runner, EngineTimes(kernels=runner.kernels)
