"""What the exit code of a tool means, and what to do about it."""

import signal

from android_demo.tools.benchmark_model import ToolOutput

_SIGNALS = {
    "SIGILL": "this CPU lacks an instruction that it uses; build it for an older ARMv8, or use a newer device",
    "SIGSEGV": "it crashed: a bug of the tool, or a model that it cannot run; try the model with --device host",
    "SIGKILL": "it was killed: too little memory, most likely; close other apps",
    "SIGABRT": "it gave up; its last lines are in the results",
}
_STARTING = {
    126: "it cannot be started there; is it built for this system?",
    127: "it cannot be started there: its loader or libraries are missing; on Android use the ..._android_arm64 one",
}


def why_failed(tool: str, exit_code: int, output: ToolOutput) -> str:
    """What became of a tool that did not end well, and what to do.

    Args:
        tool: Its name.
        exit_code: 128 + n if signal n ended it, as every shell has it.
        output: What it printed until then.

    Example:
        >>> why_failed("lce_benchmark_model", 137, ToolOutput())
        'lce_benchmark_model ended with SIGKILL: it was killed: too little memory, most likely; close other apps'
    """
    said = f" ({output.errors[-1]})" if output.errors else ""
    if exit_code > 128 and exit_code - 128 in set(signal.Signals):
        name = signal.Signals(exit_code - 128).name
        return f"{tool} ended with {name}: {_SIGNALS.get(name, 'it was stopped from outside')}{said}"
    if exit_code in _STARTING and not output.started:
        return f"{tool} ended with exit code {exit_code}: {_STARTING[exit_code]}{said}"
    if exit_code == 0 and not output.failed:
        return f"{tool} ended without a result; its last lines are in the results{said}"
    return f"{tool} failed with exit code {exit_code}; its last lines are in the results{said}"
