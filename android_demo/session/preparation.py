"""What a session changes on a device before it measures, and changes back however it ends.

Android's fixed-performance mode bounds the clocks of a phone's processors, below what heat allows for long, so that
times repeat each other. It needs no root: https://source.android.com/docs/core/power/performance and, in
``PowerManagerShellCommand``, ``set-fixed-performance-mode-enabled``, since Android 11. Phones need not have it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bnext_keras.errors import DeviceError

from android_demo.session.procedure import Procedure
from android_demo.targets import Target

_FIX = "cmd power set-fixed-performance-mode-enabled"
#: A setting of Android, 0 or a sum of the chargers on which the screen stays on; of another value nothing is believed.
_STAY = "stay_on_while_plugged_in"
_READ_STAY = f"stay=$(settings get global {_STAY}); case $stay in [0-9]|1[0-5]) ;; *) stay=0 ;; esac"


@contextmanager
def prepared(target: Target, procedure: Procedure, fixed_clocks: bool, warn: Callable[[str], None]) -> Iterator[bool]:
    """A device as the command wants it, from here to the end of the block; gives whether its clocks are bounded.

    Args:
        target: The device.
        procedure: Says whether its screen shall stay on.
        fixed_clocks: Whether its clocks shall be bounded.
        warn: Takes a line about what it cannot do.

    Raises:
        DeviceError: if it does not answer.
    """
    target.undo_changes()
    try:
        if procedure.stay_on and (why := _keep_screen_on(target)):
            warn(f"{target.name}: the screen cannot be kept on ({why})")
        is_fixed = False
        if fixed_clocks:
            why = _fix_clocks(target)
            is_fixed = not why
            if why:
                warn(
                    f"{target.name}: the clocks cannot be bounded ({why}); they are as they are without --fixed-clocks"
                )
        yield is_fixed
    finally:
        try:
            target.undo_changes()
        except DeviceError as error:
            again = "the next bnext-benchmark there, or bnext-benchmark clean, will"
            warn(f"{target.name}: what was changed there is not changed back: {again} ({error})")


def _fix_clocks(target):
    """Returns why it cannot be done, or nothing."""
    if not target.facts.android:
        return "only Android has a fixed-performance mode"
    # Androids that do not know the command say so, some of them with exit code 0.
    do = f"""
        said=$({_FIX} true 2>&1) || {{ echo "$said" >&2; exit 1; }}
        case $said in *[Uu]nknown*|*[Ff]ail*|*[Ee]rror*|*[Ee]xception*) echo "$said" >&2; exit 1 ;; esac
    """
    why = target.change("fixed-clocks", do, f"{_FIX} false")
    return f"this phone has no fixed-performance mode: {why}" if why else ""


def _keep_screen_on(target):
    if not target.facts.android:
        return "only Android has such a setting"
    return target.change("stay-on", "svc power stayon usb", f"settings put global {_STAY} $stay", before=_READ_STAY)
