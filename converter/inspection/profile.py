"""How long each operator of a file takes on this machine, though LCE's interpreter has no profiler.

Every distinct operator (type, options, shapes) is cut out of the file into one of its own and timed there in LCE's
interpreter, one thread. Its time is that of a file with several copies of it, less that of a file with one, divided by
the difference: what it costs to hand over inputs and to fetch outputs drops out. Rounds over all operators take turns
with runs of the whole network, so that a busy machine slows all of them alike.

The sum is compared with the time of the whole network. A rest remains, of either sign: in the network the caches hold
other operators' data, and the image is copied in.

These are figures of this machine's processor. LCE's kernels are written for ARM64 and run in another form elsewhere, so
they say where the time goes here, not on a phone.
"""

import copy
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import flatbuffers
import numpy as np
from larq_compute_engine.tflite.python.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema

from converter.verification.verify import KERNELS

#: Seconds after which no further round begins, and the rounds that there are at least.
BUDGET = 6.0
LEAST_ROUNDS = 3
MOST_ROUNDS = 30
#: Share of the budget, beyond the least rounds, for the kernels that are the slower ones.
SLOWER_SHARE = 0.1
#: Additional copies of an operator: as many as make it last about as long as so many multiplications, within bounds.
WORK = 2_000_000
LEAST_COPIES, MOST_COPIES = 2, 50


@dataclass
class Profile:
    """Where the time of one image goes.

    Attributes:
        processor: Of this machine.
        kernels: LCE's kernels that were the faster for the whole network, ``"indirect"`` or ``"default"``; the times
            of operators are with these.
        network: Milliseconds of the whole network, by kernels.
        fastest: Milliseconds of the whole network's fastest run with the faster kernels: far below the median on a
            machine that is busy with other things.
        milliseconds: Of each operator in the order of execution; None where it could not be run alone.
        rounds: How often each was measured; figures are medians.
        distinct: Number of distinct operators.
    """

    processor: str
    kernels: str
    network: dict[str, float]
    fastest: float
    milliseconds: list[float | None]
    rounds: int
    distinct: int

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
) -> Profile:
    """Times every operator of a file.

    Args:
        content: The ``.tflite`` file.
        budget: Seconds to spend; a round that has begun is finished, and there are at least three.
        progress: Called with a line for the user before each round.

    Example:
        >>> import bnext_keras
        >>> from converter import convert
        >>> result = convert(bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10))
        >>> profiled = profile(result.content, budget=0.1)
        >>> len(profiled.milliseconds) == len(result.inspection.operators)
        True
    """
    progress("profile, cutting out operators")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    operators = model.subgraphs[0].operators
    keys = [_key(model, operator) for operator in operators]
    distinct = dict(zip(keys, operators, strict=True))

    network = {kernels: _Runner(content, kernels) for kernels in KERNELS}
    kernels = min(network, key=lambda name: network[name].fastest(SLOWER_SHARE * budget))
    stopwatches = {key: _stopwatch(model, operator, kernels) for key, operator in distinct.items()}
    stopwatches = {key: stopwatch for key, stopwatch in stopwatches.items() if stopwatch is not None}

    seconds = {key: [] for key in (*stopwatches, *network)}
    start = time.perf_counter()
    rounds = 0
    while rounds < LEAST_ROUNDS or (rounds < MOST_ROUNDS and time.perf_counter() - start < budget):
        rounds += 1
        progress(f"profile, round {rounds}, {max(0.0, budget - time.perf_counter() + start):.0f} s left")
        for name, runner in network.items():
            if name == kernels or rounds <= LEAST_ROUNDS or sum(seconds[name]) < SLOWER_SHARE * budget:
                seconds[name].append(runner.run())
        for key, stopwatch in stopwatches.items():
            seconds[key].append(stopwatch())
    medians = {key: max(0.0, 1e3 * statistics.median(values)) for key, values in seconds.items()}
    return Profile(
        processor=processor_name(),
        kernels=kernels,
        network={name: medians[name] for name in network},
        fastest=1e3 * min(seconds[kernels]),
        milliseconds=[medians.get(key) for key in keys],
        rounds=rounds,
        distinct=len(distinct),
    )


def processor_name() -> str:
    """What this machine's processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def cut_out(model: schema.ModelT, operator: schema.OperatorT, copies: int) -> bytes:
    """A file of nothing but one operator, several times over.

    All copies read the same inputs, those of the file, and write the same outputs, over and over: with outputs of its
    own each copy would touch fresh memory, which the network, whose tensors share theirs, does not. Constants stay what
    they are.
    """
    source = model.subgraphs[0]
    tensors, buffers, places = [], [schema.BufferT()], {-1: -1}

    def add(index):
        tensor = copy.copy(source.tensors[index])
        data = model.buffers[tensor.buffer].data
        tensor.buffer = 0
        if data is not None and len(data):
            tensor.buffer = len(buffers)
            buffers.append(model.buffers[source.tensors[index].buffer])
        tensors.append(tensor)
        return len(tensors) - 1

    places |= {index: add(index) for index in (*operator.inputs, *operator.outputs) if index >= 0}
    inputs = [places[int(index)] for index in operator.inputs]
    graph = schema.SubGraphT()
    graph.name = b"main"
    graph.inputs = [place for place in dict.fromkeys(inputs) if place >= 0 and tensors[place].buffer == 0]
    graph.outputs = [places[int(index)] for index in operator.outputs]
    duplicate = copy.copy(operator)
    duplicate.inputs, duplicate.outputs, duplicate.intermediates = inputs, graph.outputs, []
    graph.operators = [duplicate] * copies
    graph.tensors = tensors
    piece = schema.ModelT()
    piece.version, piece.operatorCodes = model.version, model.operatorCodes
    piece.subgraphs, piece.buffers = [graph], buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(piece.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _Runner:
    """Runs a file on random inputs."""

    def __init__(self, content, kernels):
        self._interpreter = Interpreter(content, num_threads=1, **KERNELS[kernels])
        random = np.random.default_rng(0)
        self._inputs = [
            random.standard_normal(shape).astype(np.float32)
            if np.dtype(kind) == np.float32
            else random.integers(np.iinfo(kind).min, np.iinfo(kind).max, shape, kind, endpoint=True)
            for shape, kind in zip(self._interpreter.input_shapes, self._interpreter.input_types, strict=True)
        ]

    def run(self):
        """Seconds of one run."""
        start = time.perf_counter()
        self._interpreter.interpreter.predict(self._inputs)
        return time.perf_counter() - start

    def fastest(self, budget):
        """Seconds of the fastest of some runs, the first not counted, which prepares kernels."""
        self.run()
        runs = [self.run()]
        while len(runs) < MOST_ROUNDS and sum(runs) < budget:
            runs.append(self.run())
        return min(runs)


def _key(model, operator):
    """What two operators must share to take equally long."""

    def describe(index):
        if index < 0:
            return None
        tensor = model.subgraphs[0].tensors[index]
        data = model.buffers[tensor.buffer].data
        return tuple(np.ravel(tensor.shape).tolist()), tensor.type, data is not None and len(data) > 0

    options = operator.builtinOptions
    custom = b"" if operator.customOptions is None else bytes(operator.customOptions)
    return (
        operator.opcodeIndex,
        ""
        if options is None
        else repr(sorted((name, np.ravel(value).tolist()) for name, value in vars(options).items())),
        custom,
        tuple(map(describe, map(int, operator.inputs))),
        tuple(map(describe, map(int, operator.outputs))),
    )


def _stopwatch(model, operator, kernels) -> Callable[[], float] | None:
    """A function that measures one run of an operator, None if it does not run alone."""
    copies = int(np.clip(WORK // (1 + _work(model, operator)), LEAST_COPIES, MOST_COPIES))
    try:
        one, many = (_Runner(cut_out(model, operator, count), kernels) for count in (1, 1 + copies))
        one.run(), many.run()
    except (RuntimeError, ValueError):
        return None

    def measure():
        return (many.run() - one.run()) / copies

    return measure


def _work(model, operator):
    """Roughly how many multiplications an operator makes: only to choose how often to repeat it."""
    tensors = model.subgraphs[0].tensors
    sizes = [int(np.prod(np.ravel(tensors[i].shape))) for i in (*operator.inputs, *operator.outputs) if i >= 0]
    kernel = tensors[operator.inputs[1]] if len(operator.inputs) > 1 and operator.inputs[1] >= 0 else None
    spread = 1 if kernel is None or len(np.ravel(kernel.shape)) < 4 else int(np.prod(kernel.shape[1:]))
    return sum(sizes) * spread
