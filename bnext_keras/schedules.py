"""What changes from epoch to epoch, as functions of the epoch and nothing else; no TensorFlow.

So a run can be continued, and a command can tell before it starts where a run would end. Epochs count from 0.
"""

import math
from collections.abc import Sequence

#: How a learning rate falls, see `learning_rate`.
DECAYS = ("cosine", "linear", "steps")
#: Below this temperature a kernel is exactly its sign (BNext's training code; reached after 153 epochs of 0.9).
ANNEALED = 1e-7
#: The published run: its factor of the temperature, and its length. It is annealed in epoch 153.
PUBLISHED_DECAY, PUBLISHED_ANNEALING, PUBLISHED_EPOCHS = 0.9, 153, 512
PUBLISHED_FRACTION = PUBLISHED_ANNEALING / PUBLISHED_EPOCHS


def warmup_cosine(epoch: int, epochs: int, *, peak: float, warmup: float, final: float, warmup_epochs: int) -> float:
    """The learning rate of an epoch, see `bnext_keras.training.WarmupCosine`.

    Example:
        >>> rates = dict(peak=1e-3, warmup=1e-5, final=1e-7, warmup_epochs=5)
        >>> [f"{warmup_cosine(epoch, 512, **rates):.3e}" for epoch in (0, 5, 511)]
        ['1.000e-05', '1.000e-03', '4.388e-07']
    """
    if epoch < warmup_epochs:
        return warmup + epoch * (peak - warmup) / warmup_epochs
    progress = (epoch - warmup_epochs) / epochs
    return final + (peak - final) * (1 + math.cos(math.pi * progress)) / 2


def learning_rate(
    epoch: int,
    epochs: int,
    *,
    peak: float,
    warmup: float,
    final: float,
    warmup_epochs: int,
    decay: str = "cosine",
    decay_epochs: Sequence[int] = (),
    decay_factor: float = 1.0,
) -> float:
    """The learning rate of an epoch: after the warm-up, which is `warmup_cosine`'s, one of `DECAYS`.

    * ``"cosine"``: `warmup_cosine`.
    * ``"linear"``: by the same amount every epoch, so that the one behind the last would have ``final``.
    * ``"steps"``: the peak, times ``decay_factor`` from each of ``decay_epochs`` on.

    Example:
        >>> rates = dict(peak=1.0, warmup=0.25, final=0.0, warmup_epochs=1)
        >>> [learning_rate(epoch, 5, **rates, decay="linear") for epoch in range(5)]
        [0.25, 1.0, 0.75, 0.5, 0.25]
        >>> steps = dict(decay="steps", decay_epochs=(2, 4), decay_factor=0.5)
        >>> [learning_rate(epoch, 5, **rates, **steps) for epoch in range(5)]
        [0.25, 1.0, 0.5, 0.5, 0.25]
    """
    if decay == "cosine" or epoch < warmup_epochs:
        return warmup_cosine(epoch, epochs, peak=peak, warmup=warmup, final=final, warmup_epochs=warmup_epochs)
    if decay == "linear":
        return peak + (final - peak) * (epoch - warmup_epochs) / (epochs - warmup_epochs)
    return peak * decay_factor ** sum(epoch >= step for step in decay_epochs)


def weight_temperature(epoch: int, initial: float, decay: float) -> float:
    """The temperature of an epoch, ``initial * decay**epoch``, and 0 once that is below 1e-7.

    Example:
        >>> weight_temperature(2, 1.0, 0.5), weight_temperature(153, 1.0, 0.9)
        (0.25, 0.0)
    """
    value = initial * decay**epoch
    return value if value >= ANNEALED else 0.0


def annealing(epochs: int, fraction: float = PUBLISHED_FRACTION, initial: float = 1.0) -> tuple[float, float]:
    """First temperature and factor that make kernels binary after a share of a run, and before its last epoch.

    A run of 512 epochs that begins with 1 gets the published ones; one of a single epoch is binary from the start.

    Raises:
        ValueError: if there is no epoch.

    Example:
        >>> annealing(512)
        (1.0, 0.9)
        >>> initial, decay = annealing(20)
        >>> [float(f"{weight_temperature(epoch, initial, decay):.1e}") for epoch in (0, 1, 5, 6)]
        [1.0, 0.068, 1.5e-06, 0.0]
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, the length of the whole run, got {epochs}")
    steps = min(max(1, round(fraction * epochs)), epochs - 1)
    if steps < 1:
        return ANNEALED / 10, PUBLISHED_DECAY
    if initial < ANNEALED:
        return initial, PUBLISHED_DECAY
    is_published = steps == PUBLISHED_ANNEALING and initial == 1
    return initial, PUBLISHED_DECAY if is_published else decay_within(steps, initial)


def decay_within(steps: int, initial: float = 1.0) -> float:
    """The slowest decay whose temperature is 0 after some epochs."""
    # A hair below the threshold, so that rounding cannot cost an epoch.
    return (0.999 * ANNEALED / initial) ** (1 / steps)


def annealed_in(initial: float, decay: float) -> int:
    """The first epoch whose kernels are binary.

    Example:
        >>> annealed_in(1.0, 0.9), annealed_in(1.0, 1e-8), annealed_in(1e-8, 0.9)
        (153, 1, 0)
    """
    if initial < ANNEALED:
        return 0
    epoch = math.floor(math.log(ANNEALED / initial) / math.log(decay))
    while weight_temperature(epoch, initial, decay) > 0:
        epoch += 1
    return epoch


def soft_end(epochs: int, initial: float, decay: float) -> str:
    r"""What is wrong with a run whose last epoch still has soft kernels, with the numbers that would do; or nothing.

    Example:
        >>> fault = soft_end(100, 1.0, 0.9)
        >>> print(fault.replace(": ", ":\n"))
        the weight temperature is still 3e-05 in the last of 100 epochs:
        kernels that are binary by then take a decay of 0.849 at most, or 154 epochs
        >>> soft_end(154, 1.0, 0.9)
        ''
    """
    last = weight_temperature(epochs - 1, initial, decay) if epochs else 0.0
    if not last:
        return ""
    remedies = [f"{annealed_in(initial, decay) + 1} epochs"]
    if epochs > 1:
        remedies.insert(0, f"a decay of {_floor(decay_within(epochs - 1, initial))} at most")
    return (
        f"the weight temperature is still {last:.2g} in the last of {epochs} epochs: kernels that are binary by then "
        f"take {', or '.join(remedies)}"
    )


def boosting_index(epoch: int, epochs: int, count: int) -> int:
    """Index of the active one of ``count`` weak teachers, which take turns of equal length.

    It is floor(epoch * count / epochs), and that of the last one ever after.

    Example:
        >>> [boosting_index(epoch, 512, 3) for epoch in (0, 170, 171, 341, 342, 511)]
        [0, 0, 1, 1, 2, 2]
    """
    return min(epoch * count // epochs, count - 1)


def _floor(number):
    """Rounded down to three digits."""
    unit = 10.0 ** (math.floor(math.log10(number)) - 2)
    return f"{math.floor(number / unit) * unit:.3g}"
