"""The tool's arguments."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bnext_keras.errors import BenchmarkError

from android_demo.records import check_text

if TYPE_CHECKING:  # Results hold what the tool prints, so that at run time they import this package.
    from android_demo.results import Settings


#: The tool's own most would end many inferences of a slow model early; a repetition's time limit ends them anyway.
_NO_MOST = "--max_secs=86400"

#: Flags that results could not be trusted with, and what to do instead; some only with some values.
_REFUSED = (
    # The profile is read from the tables that the tool prints.
    (r"--profiling_output_csv_file=.+", "leave it out: results.json has the profile"),
    (r"--op_profiling_output_(?:mode=(?!stdout$).*|file=.+)", "leave it out: results.json has the profile"),
    (r"--use_indirect_bgemm(?:=.*)?", "use --kernels"),
)


def check_flags(flags: Sequence[str]) -> None:
    """Raises BenchmarkError for a further argument of the tool that would make results wrong, or cannot be stored.

    Example:
        >>> check_flags(["--use_indirect_bgemm=true"])
        Traceback (most recent call last):
        ...
        bnext_keras.errors.BenchmarkError: --use_indirect_bgemm=true: cannot be used here; use --kernels
    """
    for flag in flags:
        check_text(flag, "flag", "write it in UTF-8")
        for pattern, remedy in _REFUSED:
            if re.fullmatch(pattern, flag, re.DOTALL):
                raise BenchmarkError(f"{flag}: cannot be used here; {remedy}")


def command(program: str, model: str, settings: "Settings", *, profiling: bool = False) -> list[str]:
    """The tool's command line, one argument an item, unquoted.

    Args:
        program: Path of the tool on the device.
        model: Path of the model on the device.
        settings: How to run it. Its flags come last, so that they override what the others say.
        profiling: Whether to time every operator, which slows the run down.

    Raises:
        BenchmarkError: if a number is out of its range.

    Example:
        >>> from android_demo.results import Settings
        >>> command("tool", "model.tflite", Settings(threads=4, flags=("--use_xnnpack=false",)))[2:]
        ['--num_threads=4', '--num_runs=50', '--warmup_runs=1', '--use_xnnpack=false']
    """
    counts = {
        "num_threads": (settings.threads, 1),
        "num_runs": (settings.runs, 1),
        "warmup_runs": (settings.warmup_runs, 0),
    }
    for name, (value, least) in counts.items():
        if value < least:
            raise BenchmarkError(f"{name} is {value}, but must be at least {least}")
    numbers = [f"--{name}={value}" for name, (value, _) in counts.items()]
    return [
        program,
        f"--graph={model}",
        *numbers,
        *([f"--min_secs={settings.min_seconds:g}", _NO_MOST] if settings.min_seconds is not None else []),
        *(["--use_indirect_bgemm=true"] if settings.kernels == "indirect" else []),
        *(["--enable_op_profiling=true"] if profiling else []),
        *settings.flags,
    ]
