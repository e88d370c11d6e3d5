"""Shared by all tests. Importing bnext_keras first binds tf.keras to Keras 2 whatever a test imports."""

import collections
import ctypes
import gc
import os
import platform
import shlex
import shutil
import signal
from pathlib import Path

# With oneDNN, TensorFlow takes memory from a pool that never shrinks: 700 MB more after one BNext-T in float64.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import bnext_keras
from bnext_keras.importers import load_bnext_state_dict

import larq as lq
import pytest
import references
import tensorflow as tf
from tensorflow.python.eager.polymorphic_function import polymorphic_function
from tensorflow.python.framework.ops import gradient_registry
from zero_weights import zero_weights

from android_demo.runner.build import compiler, library, machine

#: Needs PyTorch, which the tests do without; and what tests start as processes of their own.
collect_ignore = ["support/checkpoints/write.py", "support/programs"]

# For these ziglang would compile a whole C library first, which takes a minute.
if shutil.which("aarch64-linux-gnu-g++"):
    os.environ.setdefault("CXX_AARCH64", "aarch64-linux-gnu-g++")
if machine() == "x86_64":
    os.environ.setdefault("CXX_X86_64", shlex.join(compiler()))

# A shell has what it starts in the background ignore Ctrl-C, and so would the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Names of test functions, of all their parameters; doctests by the names of what they document.
SLOW_TESTS = frozenset((Path(__file__).parent / "slow_tests.txt").read_text().split())
#: What takes long to make, whichever test is the first to want it.
SLOW_FIXTURES = {"imported_bnext", "killed", "quantized", "runs", "uninterrupted"}

#: That many times have 10,000 or so new objects outlived the collection of young ones since all were last looked at.
SOME_GARBAGE = 2
#: Bytes that a process may grow by before that: few objects can hold large networks.
MUCH_MEMORY = 200 * 2**20
#: Gives memory back to the system; glibc only.
_C_LIBRARY = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def pytest_collection_modifyitems(items):
    slow = collections.Counter()
    for item in items:
        is_slow = getattr(item, "originalname", item.name) in SLOW_TESTS
        if is_slow or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
            slow[item.path] += "exhaustive" not in item.keywords
    # What takes long begins first, so that no process is left alone with it at the end. Files stay together.
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish():
    """What is imported by now stays: the garbage collector need not look through it after every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def compiled_engine():
    """Has the engine compiled before a test that looks at what a command prints: the first to use it says so."""
    library()


@pytest.fixture(autouse=True)
def _fresh_keras():
    """Frees models between tests, makes their random initial weights repeatable and undoes a test's precision."""
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(0)
    # What other tests have traced is no reason to warn in this one.
    polymorphic_function._frequent_tracing_detector_manager = polymorphic_function._FrequentTracingDetectorManager()
    yield
    tf.keras.backend.set_floatx("float32")
    # Not "float32": None follows floatx again.
    tf.keras.mixed_precision.set_global_policy(None)
    _forget_custom_gradients()
    # Keras models are full of reference cycles: gigabytes would pile up before Python looks for them. To look takes a
    # quarter of a second, though, which is more than most tests do: those that leave little behind wait for others.
    if gc.get_count()[2] >= SOME_GARBAGE or _resident_bytes() > _after_collection + MUCH_MEMORY:
        _collect()


#: Bytes of memory after garbage was last looked for.
_after_collection = 0


def _collect():
    global _after_collection
    gc.collect()
    if _C_LIBRARY is not None:
        # What was freed stays with the process otherwise, in pieces between what lives on.
        _C_LIBRARY.malloc_trim(0)
    _after_collection = _resident_bytes()


def _resident_bytes():
    """Memory of this process: Linux only, 0 elsewhere."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@pytest.fixture(autouse=True, scope="module")
def _forget_cached_networks(request):
    """What a file's tests share by a cache lives no longer than they do."""
    yield
    module = getattr(request.node, "obj", None)
    for value in list(vars(module).values()) if module else ():
        if hasattr(value, "cache_clear") and value.__module__ == module.__name__:
            value.cache_clear()


def _forget_custom_gradients():
    """Lets go of the graphs of Keras' optimizers and of Larq's quantizers, and so of those networks' weights.

    TensorFlow registers a gradient for each call of a ``tf.custom_gradient`` in a graph, and keeps it for as long as
    the process lives; the gradient has the graph, which has whatever it read.
    """
    entries = gradient_registry._registry
    for name in [name for name in entries if name.startswith("CustomGradient-")]:
        del entries[name]


@pytest.fixture
def float64():
    tf.keras.backend.set_floatx("float64")


@pytest.fixture
def mixed_float16():
    tf.keras.mixed_precision.set_global_policy("mixed_float16")


@pytest.fixture
def refused_by(tmp_path, capsys):
    """Runs a tool's ``main`` on bad input and returns its one line, having seen that nothing was written."""

    def build(main):
        def check(*arguments):
            before = sorted(tmp_path.rglob("*"))
            assert main([str(argument) for argument in arguments]) == 2
            assert sorted(tmp_path.rglob("*")) == before
            message = capsys.readouterr().err.strip()
            assert len(message.splitlines()) == 1
            return message

        return check

    return build


@pytest.fixture
def small_bnext():
    """A BNext of 6 binary convolutions in every form (ELM, plain, strided, doubling) for 32x32 images."""
    return bnext_keras.models.BNext([32, 64, 128], input_shape=(32, 32, 3), num_classes=10, name="small_bnext")


@pytest.fixture(scope="session")
def imported_bnext():
    """BNext-T at 32x32 with the reference weights: values of order one, and maps down to 2x2."""
    with zero_weights():
        model = bnext_keras.models.BNextTiny(input_shape=(32, 32, 3), num_classes=10)
    return load_bnext_state_dict(model, references.load("bnext_tiny_10_32").weights)


@pytest.fixture
def conv_model():
    """Builds a model of one Larq convolution: ``conv_model((8, 8, 32), filters=64, kernel_size=3, ...)``."""

    def build(input_shape, layer=lq.layers.QuantConv2D, **options):
        defaults = {"use_bias": False, "input_quantizer": "ste_sign", "name": "conv"}
        if layer is lq.layers.QuantConv2D:
            defaults |= {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}
        image = tf.keras.Input(input_shape)
        return tf.keras.Model(image, layer(**{**defaults, **options})(image), name="one_conv")

    return build
