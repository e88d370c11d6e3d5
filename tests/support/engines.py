"""The engine with kernels that this machine's CPU may lack."""

import pytest

from android_demo.runner import EngineError, Interpreter


def engine_or_skip(*arguments, **options):
    """An interpreter; the test is skipped if there are no such kernels for this CPU."""
    try:
        return Interpreter(*arguments, **options)
    except EngineError as error:
        if "no such kernels" not in str(error):
            raise
        pytest.skip("this CPU lacks them")
