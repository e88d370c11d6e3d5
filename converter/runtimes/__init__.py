"""What a file can be written for: LCE, this project's engine, any runtime of TensorFlow Lite's operators, or ONNX.

Every conversion goes through Larq Compute Engine's compiler. For a runtime without LCE's operators its file is written
anew in others (`converter.tflite.plain`), for the engine with weights of 4 bits (`converter.tflite.int4`), and it is
that file, run in that runtime, which is verified against Keras.

>>> RUNTIMES["tflite"].suffix
'.tflite'
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bnext_keras.errors import ConversionError
from bnext_keras.extras import require

import numpy as np

from converter.runtimes import onnx
from converter.runtimes.litert import KERNELS as LITERT_KERNELS
from converter.runtimes.litert import LiteRTInterpreter
from converter.runtimes.onnx import OnnxInterpreter
from converter.tflite.bits import pack_channels
from converter.tflite.engine import EngineUnavailable, open_engine
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.int4 import to_int4
from converter.tflite.interpreter import KERNELS as LCE_KERNELS
from converter.tflite.interpreter import Interpreter, OneImageInterpreter, Opener
from converter.tflite.metadata import Metadata, write_metadata
from converter.tflite.plain import to_plain


@dataclass(frozen=True)
class Runtime:
    """What a file is written for.

    Attributes:
        name: Its name on the command line.
        title: What reports call what runs the file.
        suffix: How its files end.
        interpreters: What verification runs a file of LCE's with, by the names that errors give them: each writes it in
            this runtime's form first.
        rewrite: From a file of LCE's to the form that is written, as far as that is a ``.tflite`` file.
        binary: What a binary convolution is in it, in reports.
        make: What runs a file of it, given its bytes.
        encode: The bytes of the rewritten file, with what it says about itself.
        count: How many operators such bytes have of each type, by this runtime's names.
        made_by: What makes the operators out of those of the simplified graph, in reports.
        packages: What must be installed for it.
        extra: The extra of this project that brings these.
    """

    name: str
    title: str
    suffix: str
    interpreters: Mapping[str, Opener]
    rewrite: Callable[[Flatbuffer], Flatbuffer]
    binary: str
    make: Opener
    encode: Callable[[Flatbuffer, Metadata], bytes] = write_metadata
    count: Callable[[bytes], Counter[str]] = lambda content: Flatbuffer(content).operators
    made_by: str = "LCE"
    packages: tuple[str, ...] = ()
    extra: str = ""

    @property
    def is_lce(self) -> bool:
        """Whether it is Larq Compute Engine, with its own operators."""
        return self.name == "lce"

    @property
    def is_onnx(self) -> bool:
        """Whether its files are of ONNX, made from a ``.tflite`` file that is inspected in their place."""
        return self.suffix == ".onnx"

    @property
    def is_engine(self) -> bool:
        """Whether it is this project's engine, which alone reads weights of 4 bits."""
        return self.name == "engine"

    def check(self) -> None:
        """Raises MissingPackage if it is not installed here."""
        require(*self.packages, extra=self.extra)


class Rewritten(OneImageInterpreter):
    """Runs a file of LCE's in another form, and gives its signs back as LCE does.

    Args:
        content: The bytes of LCE's file.
        make: Runs the rewritten one.
        rewrite: Rewrites it.
    """

    def __init__(self, content: bytes, make: Opener, rewrite: Callable[[Flatbuffer], Flatbuffer] = to_plain):
        file = Flatbuffer(content)
        signs = {conv.input_tensor for conv in file.binary_convs}
        self._are_signs = [tensor in signs for tensor in file.outputs]
        self._inner = make(rewrite(file).pack())
        self.input_shapes, self.input_types = self._inner.input_shapes, self._inner.input_types
        self.output_shapes, self.output_types = self._inner.output_shapes, self._inner.output_types

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for inputs of the file's own shapes, those of signs packed as LCE packs them."""
        found = self._inner.run(inputs)
        for values, are_signs in zip(found, self._are_signs, strict=True):
            if are_signs and not (np.abs(values) == 1).all():
                raise ConversionError(
                    "signs of the file are neither -1 nor +1 in this runtime, so it is of no use in it"
                )
        return [
            pack_channels(values) if are_signs else values
            for values, are_signs in zip(found, self._are_signs, strict=True)
        ]


_CORES = os.cpu_count() or 1


def _run_in_engine(content: bytes) -> OneImageInterpreter:
    try:
        return open_engine(to_int4(Flatbuffer(content)).pack(), threads=_CORES)
    except EngineUnavailable as error:
        # There is no file yet that anything else could run.
        remedy = "leave this option out" if error.remedy else ""
        raise ConversionError(error.what, where="--target engine", remedy=remedy) from error


def _for_onnx(flatbuffer: Flatbuffer) -> Flatbuffer:
    # tf2onnx knows two of the three activations that TFLite has for bounds, and not the one that signs need.
    return to_plain(flatbuffer, clamps=False)


def _run_as_onnx(content: bytes) -> OneImageInterpreter:
    return OnnxInterpreter(onnx.to_onnx(Flatbuffer(content)), threads=_CORES)


RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        Runtime(
            name="lce",
            title="LCE",
            suffix=".tflite",
            interpreters={
                f"LCE's {kernels} kernels": partial(Interpreter, threads=_CORES, kernels=kernels)
                for kernels in LCE_KERNELS
            },
            rewrite=lambda flatbuffer: flatbuffer,
            binary="LceBconv2d",
            make=partial(Interpreter, kernels="indirect"),
        ),
        Runtime(
            name="engine",
            title="the engine",
            suffix=".tflite",
            interpreters={"the engine": _run_in_engine},
            rewrite=to_int4,
            binary="LceBconv2d",
            make=open_engine,
        ),
        Runtime(
            name="tflite",
            title="LiteRT",
            suffix=".tflite",
            interpreters={
                f"LiteRT's {kernels} kernels": partial(
                    Rewritten, make=partial(LiteRTInterpreter, threads=_CORES, kernels=kernels)
                )
                for kernels in LITERT_KERNELS
            },
            rewrite=to_plain,
            binary="CONV_2D of signs, exact, a byte for each weight",
            make=LiteRTInterpreter,
            packages=("ai_edge_litert",),
            extra="litert",
        ),
        Runtime(
            name="onnx",
            title="ONNX Runtime",
            suffix=".onnx",
            interpreters={"ONNX Runtime": partial(Rewritten, make=_run_as_onnx, rewrite=_for_onnx)},
            rewrite=_for_onnx,
            binary="Conv of signs, exact, a byte for each weight",
            make=OnnxInterpreter,
            encode=onnx.encode,
            count=onnx.count_operators,
            made_by="tf2onnx",
            packages=("tf2onnx", "onnx", "onnxruntime"),
            extra="onnx",
        ),
    )
}


def find_runtime(name: str) -> Runtime:
    """A runtime by its name on the command line.

    Raises:
        ConversionError: if there is no such one.
    """
    if name not in RUNTIMES:
        raise ConversionError(f"--target {name}: not one of {', '.join(RUNTIMES)}")
    return RUNTIMES[name]
