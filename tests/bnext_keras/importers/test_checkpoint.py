"""PyTorch's files, read without PyTorch: honest ones, written by PyTorch (`checkpoints/write.py`), and hostile ones."""

import io
import os
import pickle
import signal
import struct
import tracemalloc
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

from bnext_keras.importers import CheckpointError, pickle_reader, read_checkpoint

import narrow_bnext
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FOLDER = Path(__file__).parents[2] / "support" / "checkpoints"
TYPES = ("types.pth", "types_legacy.pth", "types_protocol4.pth")


@contextmanager
def bounded(megabytes=50):
    """Fails what takes much memory, and ends what hangs."""

    def hangs(*_):
        pytest.fail("still reading after two minutes")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(120)
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def zipped(path, program, storages=(), compression=zipfile.ZIP_STORED):
    """A checkpoint in PyTorch's zip format with a pickle of one's own."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", program)
        for key, content in dict(storages).items():
            archive.writestr(f"archive/data/{key}", content)
    return path


def dump(value):
    """The operations that make a plain value, without the frame of a pickle."""
    return pickle.dumps(value, protocol=2)[2:-1]


def tensor(count=4, offset=0, shape=(4,), strides=(1,), key="0", kind=b"FloatStorage"):
    """The operations that make a tensor."""
    storage = b"(" + dump("storage") + b"ctorch\n" + kind + b"\n" + dump(key) + dump("cpu") + dump(count) + b"tQ"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + dump(offset) + dump(shape) + dump(strides) + b"\x89NtR"


def state_dict(operations):
    return b"\x80\x02}" + dump("weight") + operations + b"s."


def test_a_training_checkpoint():
    checkpoint = read_checkpoint(FOLDER / "training.pth.tar")
    assert checkpoint.temperature == 1e-8
    assert_is_narrow_bnext(checkpoint.state_dict)


def test_a_bare_state_dict_in_the_old_format():
    checkpoint = read_checkpoint(FOLDER / "bare_legacy.pth")
    assert checkpoint.temperature is None
    assert_is_narrow_bnext(checkpoint.state_dict)


def assert_is_narrow_bnext(arrays):
    expected = narrow_bnext.state_dict()
    assert list(arrays) == list(expected)
    for key, value in expected.items():
        assert arrays[key].dtype == value.dtype
        np.testing.assert_array_equal(arrays[key], value)


@pytest.mark.parametrize("name", TYPES)
def test_every_type_and_every_view(name):
    arrays = read_checkpoint(FOLDER / name).state_dict
    numbers = np.arange(24, dtype=np.float32)
    expected = {
        **{kind: np.arange(-2, 4, dtype=kind) for kind in ("float16", "float32", "float64")},
        "bfloat16": np.arange(-2, 4, dtype=np.float32),
        **{kind: np.arange(6, dtype=kind) for kind in ("int64", "int32", "uint8")},
        "bool": np.array([True, False]),
        "scalar": np.array(7),
        "parameter": np.ones(2, np.float32),
        "whole": numbers,
        "reshaped": numbers.reshape(2, 3, 4),
        "offset": numbers[20:],
        "strided": numbers[1::5],
        "transposed": numbers.reshape(4, 6).T,
        "channels_last": numbers.reshape(2, 3, 2, 2),
    }
    assert sorted(arrays) == sorted(expected)
    for key, value in expected.items():
        assert arrays[key].dtype == value.dtype, key
        np.testing.assert_array_equal(arrays[key], value, err_msg=key)
        assert not arrays[key].flags.writeable
    assert np.shares_memory(arrays["whole"], arrays["strided"])


def test_big_endian_numbers(tmp_path):
    path = zipped(tmp_path / "big.pth", state_dict(tensor()), {"0": np.arange(4, dtype=">f4").tobytes()})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/byteorder", "big")
    np.testing.assert_array_equal(read_checkpoint(path).state_dict["weight"], np.arange(4))


def test_a_temperature_that_is_a_tensor(tmp_path):
    inner = b"}" + dump("weight") + tensor() + b"s"
    program = b"\x80\x02}(" + dump("state_dict") + inner + dump("temp") + tensor(1, 0, (1,), (1,), "1") + b"u."
    storages = {"0": bytes(16), "1": np.array([0.25], "f4").tobytes()}
    assert read_checkpoint(zipped(tmp_path / "tensor.pth", program, storages)).temperature == 0.25


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "value", [np.float64(1.5), np.float32(1.5), np.int64(-3), np.bool_(True), np.dtype(">f4").type(2)]
)
def test_numpys_scalars(value, protocol):
    read, _ = pickle_reader.read_pickle(io.BytesIO(pickle.dumps({"best": value}, protocol)))
    assert read == {"best": value.item()}


@pytest.mark.parametrize("value", [np.zeros(3), np.datetime64(0, "s"), np.str_("text"), np.complex64(1)])
def test_other_things_of_numpys_are_refused(value):
    with pytest.raises(CheckpointError):
        pickle_reader.read_pickle(io.BytesIO(pickle.dumps(value, 2)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("whole_model.pth", "it refers to 'torch.nn.modules.linear.Linear'"),
        ("expanded.pth", "'fc.weight': its shape (1000, 1000) with strides (0, 0) from 0 does not fit the 1 numbers"),
        ("missing.pth", "missing.pth: no such file"),
        ("write.py", "not a file of torch.save"),
        ("", "not a regular file"),
    ],
)
def test_files_without_a_state_dict(name, message, monkeypatch):
    monkeypatch.setattr("bnext_keras.importers.checkpoint.MAX_GROWTH", 10**9)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(FOLDER / name)
    assert message in str(caught.value)
    assert str(FOLDER / name) in str(caught.value)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(CheckpointError, match="not a regular file"):
        read_checkpoint(tmp_path / "pipe.pth")


ATTACKS = {
    "posix.system": lambda command: b"cposix\nsystem\n(" + dump(command) + b"tR",
    "os.system": lambda command: dump("os") + dump("system") + b"\x93(" + dump(command) + b"tR",
    "builtins.eval": lambda command: b"cbuiltins\neval\n(" + dump(f"__import__('os').system({command!r})") + b"tR",
    "subprocess.Popen": lambda command: b"csubprocess\nPopen\n(" + dump(["sh", "-c", command]) + b"tR",
    "builtins.getattr": lambda command: b"cbuiltins\ngetattr\n(" + dump("") + dump("format") + b"tR",
    "torch.load": lambda command: b"ctorch\nload\n(" + dump("other.pth") + b"tR",
    "torch._utils.os.system": lambda command: b"ctorch._utils\nos.system\n(" + dump(command) + b"tR",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_would_run_is_named_and_not_run(name, tmp_path):
    marker = tmp_path / "marker"
    path = zipped(tmp_path / "attack.pth", state_dict(ATTACKS[name](f"touch {marker}")))
    with pytest.raises(CheckpointError, match=f"it refers to '{name}'.*nothing was run"):
        read_checkpoint(path)
    assert not marker.exists()


class Attack:
    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_attacks_by_pythons_own_pickler(protocol, tmp_path):
    attack = Attack()
    attack.marker = tmp_path / "marker"
    path = zipped(tmp_path / "attack.pth", pickle.dumps({"state_dict": {}, "extra": attack}, protocol))
    with pytest.raises(CheckpointError, match="posix.system" if protocol >= 1 else "not from torch.save"):
        read_checkpoint(path)
    assert not attack.marker.exists()


@pytest.mark.parametrize(
    "operations",
    [
        b"(iposix\nsystem\n",  # INST
        b"(" + dump("touch marker") + b"o",  # OBJ
        b"\x82\x01",  # EXT1
        b"P0\n",  # PERSID
        dump("text") + b")R",
        dump("text") + b"}b",
        b"ctorch\nfloat32\n)R",
        b"(" + dump("module") + b"ctorch\nFloatStorage\n" + dump("0") + dump("cpu") + dump(1) + b"tQ",
        b"(" + dump("storage") + b"ctorch\nfloat32\n" + dump("0") + dump("cpu") + dump(1) + b"tQ",
        dump("text"),  # a state dict of text
        b"h\x07",  # nothing in that place of the memo
        b"t",
        b"0000",
        b"\x8a\xff",
        b"ctorch\n\xff\xfe\n",
        b"cos\x1b[2J\nsystem\n",
    ],
)
def test_programs_that_torch_save_does_not_write(operations, tmp_path):
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(zipped(tmp_path / "odd.pth", state_dict(operations)))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "description",
    [
        {"shape": (2**40,)},
        {"shape": (5,)},
        {"shape": (2, 2**62), "strides": (0, 0)},
        {"shape": (4,), "strides": (2,)},
        {"shape": (4,), "offset": 1},
        {"shape": (-1,)},
        {"shape": (2,), "offset": -1},
        {"shape": (2,), "strides": (-1,)},
        {"shape": (0,)},
        {"shape": (2, 2), "strides": (1,)},
        {"shape": (1,) * 40, "strides": (1,) * 40},
        {"shape": (2**70,)},
        {"shape": (True,)},
        {"shape": [4]},
        {"count": 2**62},
        {"count": 5},
        {"count": 3, "shape": (3,)},
        {"key": "../data.pkl"},
        {"key": "9"},
        {"kind": b"DoubleStorage"},
        {"kind": b"ComplexFloatStorage"},
    ],
)
def test_tensors_that_do_not_fit_their_numbers(description, tmp_path):
    path = zipped(tmp_path / "tensor.pth", state_dict(tensor(**description)), {"0": bytes(16)})
    with bounded(megabytes=1), pytest.raises(CheckpointError):
        read_checkpoint(path)


def test_a_dimension_of_one_may_have_any_stride(tmp_path):
    path = zipped(tmp_path / "one.pth", state_dict(tensor(shape=(1, 4), strides=(2**62, 1))), {"0": bytes(16)})
    assert read_checkpoint(path).state_dict["weight"].shape == (1, 4)


def test_many_views_of_few_numbers_are_no_large_model(tmp_path):
    entries = b"".join(dump(f"weight{i}") + tensor(2500, shape=(2500,)) for i in range(500))
    path = zipped(tmp_path / "views.pth", b"\x80\x02}(" + entries + b"u.", {"0": bytes(10_000)})
    with pytest.raises(CheckpointError, match="larger than the file"):
        read_checkpoint(path)


#: Operations that a pickle may have in these tests, to save time.
FEW = 100_000


def nested(open_, close, depth=FEW // 4):
    return open_ * depth + close * depth


#: Each would take a plain unpickler, or a careless message, a very long time or very much memory.
BOMBS = {
    "a key of tuples of tuples": b"}" + b"NN" + b"\x86q\x00h\x00" * 60 + b"\x86Ns",
    "lists of lists in a message": b"(" + b"]q\x00(h\x00h\x00e" + b"q\x00]q\x01(h\x00h\x00eh\x01" * 60 + b"NNNNtQ",
    "equal hashes": b"}(" + b"".join(dump(i * (2**61 - 1)) + b"N" for i in range(20_000)) + b"u",
    "a copied dictionary": b"}q\x00" + b"(" + b"ccollections\nOrderedDict\n(h\x00tR" * (FEW // 5) + b"t",
    "a copied text": dump("x" * 500_000) + b"q\x00" + b"c_codecs\nencode\n(h\x00" + dump("latin1") + b"tR" * 1000,
    "an integer of 16 MB": b"\x8b" + struct.pack("<I", 2**24) + bytes(2**24 - 1) + b"\x01",
    "an integer that claims 2 GB": b"\x8b\xff\xff\xff\x7f\x01",
    "a decimal of 1 MB": b"I" + b"9" * 2**20 + b"\n",
    "a text that claims 4 GB": b"X\xff\xff\xff\xff",
    "a text that claims 2^63": b"\x8d" + b"\xff" * 7 + b"\x7f",
    "a place in the memo": b"Nr\xff\xff\xff\xff",
    "many operations": b"N0" * FEW,
    "many lists": b"]" * (FEW + 10),
    "many marks": b"(" * (FEW + 10),
    "many entries in the memo": b"N" + b"\x94" * (FEW + 10),
    "deep lists": nested(b"]", b"a"),
    "deep tuples": b")" + b"\x85" * (FEW // 2),
    "deep dictionaries": b"}" + nested(b"N}", b"s"),
    "a frame of 2^63": b"\x95" + b"\xff" * 7 + b"\x7f",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name, tmp_path, monkeypatch):
    monkeypatch.setattr(pickle_reader, "MAX_OPCODES", FEW)
    path = zipped(tmp_path / "bomb.pth", b"\x80\x04" + BOMBS[name] + b".")
    with bounded(), pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


def test_compressed_entries_are_refused(tmp_path):
    storages = {"0": bytes(2**24)}
    path = zipped(tmp_path / "zip.pth", state_dict(tensor(2**22, shape=(2**22,))), storages, zipfile.ZIP_DEFLATED)
    with bounded(megabytes=1), pytest.raises(CheckpointError, match="compressed"):
        read_checkpoint(path)


def test_overlapping_entries_are_refused(tmp_path):
    """Every entry of the directory points to the same megabyte."""
    path = zipped(
        tmp_path / "zip.pth", state_dict(tensor()), {str(i): bytes(2**20 if i == 0 else 4) for i in range(50)}
    )
    content = bytearray(path.read_bytes())
    position, first = content.index(b"PK\x01\x02"), None
    while (position := content.find(b"PK\x01\x02", position)) >= 0:
        size = slice(position + 16, position + 28)  # checksum and both sizes
        if content[position + 46 :].startswith(b"archive/data/"):
            first = first or (bytes(content[size]), bytes(content[position + 42 : position + 46]))
            content[size], content[position + 42 : position + 46] = first
        position += 46
    path.write_bytes(content)
    with bounded(megabytes=5), pytest.raises(CheckpointError, match="overlap"):
        read_checkpoint(path)


def test_a_damaged_number_is_noticed_by_its_checksum(tmp_path):
    content = bytearray((FOLDER / "types.pth").read_bytes())
    position = content.index(np.arange(24, dtype=np.float32).tobytes())
    content[position + 5] ^= 1
    (tmp_path / "damaged.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"'whole': its entry data/\d+ is damaged"):
        read_checkpoint(tmp_path / "damaged.pth")


@pytest.mark.parametrize("name", ["types.pth", "types_legacy.pth"])
def test_every_truncation(name, tmp_path):
    content = (FOLDER / name).read_bytes()
    path = tmp_path / name
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            read_checkpoint(path)


RELAXED = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def read_or_refuse(path, content):
    path.write_bytes(content)
    try:
        arrays = read_checkpoint(path).state_dict
    except CheckpointError as error:
        message, arrays = str(error), {}
    else:
        message = ""
    assert not message or (message.isprintable() and len(message) < 2000)
    assert sum(array.nbytes for array in arrays.values()) <= 8 * len(content)


@RELAXED
@given(data=st.data())
@pytest.mark.parametrize("name", ["types.pth", "types_legacy.pth", "training.pth.tar"])
def test_flipped_bits(name, data, tmp_path):
    content = bytearray((FOLDER / name).read_bytes())
    for position, bit in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 7)), min_size=1)
    ):
        content[position] ^= 1 << bit
    read_or_refuse(tmp_path / "flipped.pth", bytes(content))


@RELAXED
@given(data=st.data())
def test_flipped_bits_in_the_pickle(data, tmp_path):
    """Behind the archive's checksums, so that the damage reaches the reader."""
    with zipfile.ZipFile(FOLDER / "types.pth") as archive:
        program = bytearray(archive.read("types/data.pkl"))
        storages = {
            Path(name).name: archive.read(name) for name in archive.namelist() if name.startswith("types/data/")
        }
    for position, bit in data.draw(
        st.lists(st.tuples(st.integers(0, len(program) - 1), st.integers(0, 7)), min_size=1)
    ):
        program[position] ^= 1 << bit
    buffer = io.BytesIO()
    zipped(buffer, bytes(program), storages)
    read_or_refuse(tmp_path / "flipped.pth", buffer.getvalue())


PIECES = [
    *(bytes([code]) for code in b"()]}.NtRbQause012\x85\x86\x87\x88\x89\x94\x81\x93"),
    *(dump(value) for value in ("storage", "weight", "state_dict", "temp", 0, 1, -1, 2**40, 1.5, (1,), [])),
    *(b"c" + name.replace(b".", b"\n") + b"\n" for name in (b"torch.FloatStorage", b"torch.Size", b"numpy.dtype")),
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"cnumpy.core.multiarray\nscalar\n",
    b"c_codecs\nencode\n",
    b"ccollections\nOrderedDict\n",
    b"h\x00",
    b"q\x00",
    tensor(),
    tensor(1, 0, (), ()),
]


@RELAXED
@given(pieces=st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=40))
def test_any_program(pieces, tmp_path):
    program = b"\x80\x02" + b"".join(pieces) + b"."
    buffer = io.BytesIO()
    zipped(buffer, program, {"0": bytes(16)})
    read_or_refuse(tmp_path / "program.pth", buffer.getvalue())


@RELAXED
@given(content=st.binary(max_size=200))
def test_any_bytes(content, tmp_path):
    read_or_refuse(tmp_path / "any.pth", content)
    with suppress(CheckpointError):
        pickle_reader.read_pickle(io.BytesIO(content))
