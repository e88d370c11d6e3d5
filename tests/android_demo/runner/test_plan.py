"""Plans that anybody may have made: an error, never a crash."""

import struct
import zlib

import numpy as np
import pytest

from android_demo.runner import EngineError, Interpreter
from android_demo.runner.plan import HEADER_BYTES


def refusal(content):
    with pytest.raises(EngineError) as caught:
        Interpreter(bytes(content))
    return str(caught.value).removeprefix("the engine refuses the plan: ")


def resealed(content):
    """With the checksum of what it holds now."""
    return bytes(content[:12]) + struct.pack("<I", zlib.crc32(content[HEADER_BYTES:])) + bytes(content[16:])


def test_a_plan_runs_as_the_file_that_it_was_made_of(bnext, plan):
    np.testing.assert_array_equal(
        Interpreter(plan).run([bnext.image])[0], Interpreter(bnext.content).run([bnext.image])[0]
    )


def test_damage_is_told(plan):
    assert refusal(plan[:-64]) == "not a plan, or one that is cut off"
    assert refusal(plan[:100]) == "not a plan, or one that is cut off"
    assert refusal(plan[:8] + struct.pack("<I", 2) + plan[12:]) == "a plan of another version"
    assert refusal(plan[:-1] + bytes([plan[-1] ^ 1])) == "damaged: the checksum does not match"


def test_numbers_that_lead_astray_are_refused_or_harmless(plan):
    """Every section but the data, a number at a time, with a checksum that fits."""
    random = np.random.default_rng(0)
    end = struct.unpack_from("<Q", plan, 32 + 4 * 16)[0]
    refused = 0
    for _ in range(300):
        content = bytearray(plan)
        place = int(random.integers(4, end // 4)) * 4
        number = int(random.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, int(random.integers(2**32))]))
        struct.pack_into("<I", content, place, number)
        try:
            engine = Interpreter(resealed(content))
        except EngineError:
            refused += 1
            continue
        if engine.input_shapes == [(1, 48, 48, 3)]:
            engine.run([np.zeros((1, 48, 48, 3), np.float32)])
    assert refused > 150
