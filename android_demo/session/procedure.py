"""How a session goes about its measurements."""

from dataclasses import dataclass

from android_demo.session.accuracy import LabelledImages


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """What surrounds the tool's runs. None of it is stored: two sessions that differ in it measure the same.

    Attributes:
        pin: Cores to run on: ``big`` for the fastest that suffice, ``none``, or taskset's hexadecimal mask.
        cool_down: Seconds between two repetitions.
        profile: Whether one more start of the tool times every operator.
        timeout: Seconds after which a repetition is stopped.
        test_data: What to measure the accuracy with, on the device; None to leave that out. The engine alone can.
    """

    pin: str = "big"
    cool_down: float = 5
    profile: bool = True
    timeout: float = 600
    test_data: LabelledImages | None = None
