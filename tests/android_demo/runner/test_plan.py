"""Plans that anybody may have made: an error, never a crash."""

import random
import struct

import numpy as np
import pytest
from engines import KERNELS_OF, engine_or_skip
from mutated_plans import build_program, mutant, run_all, sealed

from android_demo.runner import EngineError, Interpreter, compile_plan
from android_demo.runner.plan import NOTHING, TENSOR, Kind, Op, Place, Plan, Step, Tensor, Type


def refusal(content):
    with pytest.raises(EngineError) as caught:
        Interpreter(bytes(content))
    return str(caught.value).removeprefix("the engine refuses the plan: ")


def test_a_plan_runs_as_the_file_that_it_was_made_of(bnext, plan):
    np.testing.assert_array_equal(
        Interpreter(plan).run([bnext.image])[0], Interpreter(bnext.content).run([bnext.image])[0]
    )


def test_damage_is_told(plan):
    assert refusal(plan[:-64]) == "not a plan, or one that is cut off"
    assert refusal(plan[:100]) == "not a plan, or one that is cut off"
    assert refusal(plan[:8] + struct.pack("<I", 1) + plan[12:]) == "a plan of another version"
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
            engine = Interpreter(sealed(content))
        except EngineError:
            refused += 1
            continue
        if engine.input_shapes == [(1, 48, 48, 3)]:
            engine.run([np.zeros((1, 48, 48, 3), np.float32)])
    assert refused > 150


@pytest.mark.exhaustive  # compilers take half a minute for the sanitizers
@pytest.mark.parametrize("kernels", ["reference", *KERNELS_OF["x86_64"], *KERNELS_OF["aarch64"]])
def test_plans_neither_read_nor_write_outside(bnext, melius, wide, mixed, tmp_path, kernels):
    """Good and hostile ones with address and undefined-behaviour sanitizers, in memory of just the size asked for."""
    if kernels in KERNELS_OF["x86_64"]:
        engine_or_skip(mixed.content, kernels=kernels)
    program = build_program(tmp_path, kernels)
    if program is None:
        pytest.skip("no compiler with sanitizers, or no emulator")
    draws, good = random.Random(0), [compile_plan(sample.content) for sample in (bnext, melius, wide, mixed)]
    mutants = 75 if kernels == "reference" else 25
    bases = [good[2 if kernels == "amx-only" else 0], good[-1]]
    plans = [*good, *(mutant(base, draws) for base in bases for _ in range(mutants))]
    found = run_all(program, plans, tmp_path, kernels=kernels)
    assert [line for line in found if line != "ran" and not line.isdigit()] == []
    assert found[:4] == ["ran"] * 4
    assert found.count("4") > len(plans) // 3


def test_what_a_map_pools_is_half_as_large_and_has_one_least_pixel():
    def plan(height, width, least, place):
        tensors = [
            Tensor(Type.FLOAT, Place.ARENA, 4, 4, 4, 4, 0),
            Tensor(Type.FLOAT, place, height, width, 4, 4, 256),
            Tensor(Type.FLOAT, Place.DATA, least, least, 4, 4, 0),
        ]
        words = [4, 4, 4, 0, Op.MAX_POOL, *(TENSOR | number for number in (1, 0, 2)), 0, 0]
        return Plan(tensors, [Step(Kind.MAP, words, "pool")], bytes(512), 512, 1, 1).pack()

    image = np.arange(64, dtype=np.float32).reshape(1, 4, 4, 4)
    np.testing.assert_array_equal(Interpreter(plan(2, 2, 1, Place.ARENA)).run([image])[0], image[:, 1::2, 1::2])
    for wrong in [(2, 1, 1, Place.ARENA), (4, 2, 1, Place.ARENA), (2, 2, 4, Place.ARENA)]:
        assert refusal(plan(*wrong)) == "invalid: a number leads out of its section"


def test_a_blocked_tensor_has_32_channels_of_all_pixels_before_the_next():
    def tensor(channels, stride, offset):
        return Tensor(Type.FLOAT, Place.ARENA, 2, 3, channels, stride, offset)

    def copy(channels, to, source):
        return Step(Kind.MAP, [2, 3, channels, 0, Op.COPY, TENSOR | to, TENSOR | source, 0, 0, 0], "copy")

    def plan(stride=32, arena=6144, first=None):
        tensors = [tensor(64, 64, 0), tensor(64, 64, 1536), tensor(64, stride, 3072)]
        tensors += [tensor(32, 32, 3072), tensor(32, 32, 3072 + 768)]  # Its halves, ...
        tensors += [tensor(32, 32, 4608 + 768), tensor(32, 32, 4608), tensor(64, 32, 4608)]  # ... which change places.
        return Plan(
            tensors, [first or copy(64, 2, 0), copy(32, 5, 3), copy(32, 6, 4), copy(64, 1, 7)], b"", arena, 1, 1
        ).pack()

    image = np.arange(2 * 3 * 64, dtype=np.float32).reshape(1, 2, 3, 64)
    swapped = np.concatenate([image[..., 32:], image[..., :32]], axis=-1)
    np.testing.assert_array_equal(Interpreter(plan()).run([image])[0], swapped)

    # Another stride, an arena without the last element, and a step that does not know them.
    def pool(to):
        return Step(Kind.POOL, [0, to, 1, 1, 1, 1, 1, 1, 0, 0, np.float32(-1), np.float32(1), 0], "pool")

    Interpreter(plan(first=pool(1)))
    for wrong in (plan(stride=48), plan(arena=6140), plan(first=pool(2))):
        assert refusal(wrong) == "invalid: a number leads out of its section"


def test_signs_may_begin_in_the_middle_of_a_word():
    def plan(read=6, start=1542):
        tensors = [Tensor(Type.FLOAT, Place.ARENA, 1, 4, 96, 96, offset) for offset in (0, 1600)]
        tensors += [Tensor(Type.FLOAT, Place.ARENA, 1, 4, 48, 96, offset) for offset in (0, 192)]
        tensors += [Tensor(Type.SIGNS, Place.ARENA, 1, 4, 48, 3, offset) for offset in (1536, start)]
        tensors += [Tensor(Type.SIGNS, Place.ARENA, 1, 4, 96, 3, 1536), Tensor(Type.FLOAT, Place.DATA, 1, 1, 48, 48, 0)]
        # The second half first: the first one must not clear the rest of its last word, which is the other's.
        second = [Op.PACK, *(TENSOR | number for number in (5, 3, 7)), 0, 0]
        first = [Op.PACK, *(TENSOR | number for number in (4, 2, 7)), 1, 0]
        unpack = [Op.UNPACK, TENSOR | 1, TENSOR | read, 0, 0, 0]
        steps = [
            Step(Kind.MAP, [1, 4, 48, 0, *second, *first], "pack"),
            Step(Kind.MAP, [1, 4, 96, 0, *unpack], "unpack"),
        ]
        return Plan(tensors, steps, bytes(192), 3136, 1, 1).pack()

    image = np.random.default_rng(0).normal(size=(1, 1, 4, 96)).astype(np.float32)
    np.testing.assert_array_equal(Interpreter(plan()).run([image])[0], np.sign(image))
    # Another byte, and a step that reads words.
    for wrong in (plan(start=1541), plan(read=5)):
        assert refusal(wrong) == "invalid: a number leads out of its section"


def test_maps_work_in_place(plan):
    """What a map writes takes the memory of what it reads for the last time, or 1,521,216 bytes would be needed."""
    assert struct.unpack_from("<Q", plan, 24) == (1_226_304,)


def test_a_plan_of_more_work_than_any_network_is_refused(mixed):
    """Each of its steps alone would pass: so many of them would not come to an end."""
    plan = Plan(
        [Tensor(Type.FLOAT, Place.ARENA, 2**11, 2**11, 16, 16, 0)],
        [Step(Kind.MAP, [2**11, 2**11, 16, 1, Op.MUL, 0, TENSOR, TENSOR, 0, 0], "square")] * 2**10,
        b"",
        2**28,
        1,
        0,
    )
    assert refusal(plan.pack()) == "invalid: a number leads out of its section"


@pytest.mark.parametrize("kernels", ["avx512", "dotprod-only"])
def test_a_copy_of_more_words_than_32_bits_count_is_refused(kernels):
    """Of 4097 rows, which lie between two taps, and 1224705 columns of places that count as +1."""
    tensors = [
        Tensor(Type.SIGNS, Place.ARENA, 1, 1, 32, 1, 0),
        Tensor(Type.INT16, Place.ARENA, 1, 300, 1, 1, 64),
        Tensor(Type.SIGNS, Place.DATA, 1, 2, 32, 1, 0),
    ]

    def plan(dilation):
        window = [2, 1, 1, 4096, dilation, 1, 0, 0]
        return Plan(
            tensors, [Step(Kind.BINARY_CONV, [0, 2, 1, *window, 1, *[NOTHING] * 3], "conv")], bytes(8), 704, 0, 0
        )

    assert engine_or_skip(plan(1).pack(), kernels=kernels).memory < 2**26
    with pytest.raises(EngineError, match="asks for more memory"):
        engine_or_skip(plan(4096).pack(), kernels=kernels)
