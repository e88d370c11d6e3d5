"""How a session goes about its measurements."""

from dataclasses import dataclass

from android_demo.session.labelled import LabelledData


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """What surrounds the tool's runs. Sessions that differ in it measure the same, with more or less around it.

    Attributes:
        pin: Cores to run on: ``big`` for the fastest that suffice, ``none``, or taskset's hexadecimal mask.
        cool_down: Seconds between two repetitions.
        cool_to: Degrees Celsius that the device may have when a repetition starts: it is waited for, see ``cooling``.
        stay_on: Whether the screen is kept on meanwhile, on a phone that hangs on USB.
        profile: Whether one more start of the tool times every operator.
        timeout: Seconds after which a repetition is stopped.
        energy: Whether the energy of an inference is measured, see ``energy``.
        who: Who measures, for boards of several people's results.
        test_data: What to measure the accuracy with, on the device; None to leave that out. The engine alone can.
    """

    pin: str = "big"
    cool_down: float = 5
    cool_to: float | None = None
    stay_on: bool = False
    profile: bool = True
    timeout: float = 600
    energy: bool = False
    who: str = ""
    test_data: LabelledData | None = None
