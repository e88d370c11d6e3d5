"""Which tool runs which model on which device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from bnext_keras.errors import BenchmarkError, ConversionError, DeviceError, UserError

from android_demo.results import Kind, ModelFile, describe_file
from android_demo.targets import Target
from android_demo.tools.app import App, write_app
from android_demo.tools.downloads import CACHE, Downloads
from android_demo.tools.engine import Engine, program_for, write_plan
from android_demo.tools.model_file import custom_operators, has_int4
from android_demo.tools.programs import HostInterpreter, LceTool, TfliteTool, Tool, fits
from converter.tflite.engine import INT4_REASON

#: What may stand behind a model's file, after an @.
SUFFIXES = ("bnext", "lce", "tflite")


class Runner(str, Enum):
    """What models run in, for the user to choose; without a choice, the engine where it can."""

    BNEXT = "bnext"
    LCE = "lce"
    BOTH = "both"


@dataclass(frozen=True)
class Model:
    """A model to measure with a tool.

    Attributes:
        path: Its file.
        record: The file as results describe it.
        tool: What runs it.
        file: What the tool reads: the model's file, or what was made of it.
        lce: Whether it has binary convolutions that LCE runs, with kernels to choose from.
    """

    path: Path
    record: ModelFile
    tool: Tool
    file: Path
    lce: bool = False


@dataclass(frozen=True)
class Request:
    """A model that the user asks for.

    Attributes:
        path: Its file.
        record: The file as results describe it.
        lce: Whether it has operators of LCE's.
        tool: One of `SUFFIXES` if the user chose one, or else empty.
        int4: Whether it has weights of 4 bits, which LCE does not read.
    """

    path: Path
    record: ModelFile
    lce: bool
    tool: str = ""
    int4: bool = False


@dataclass(frozen=True)
class Tools:
    """The tools that the user has.

    Attributes:
        downloads: Where LCE's release files are kept.
        lce: File of ``lce_benchmark_model``; None for the one of LCE's release.
        lce_sha256: Digest that it must have; empty for any.
        rival: File of TensorFlow Lite's ``benchmark_model``, if there is one.
        runner: What models run in; None for the engine where it can run them and LCE's tool elsewhere, or for LCE's
            tool alone if the user brought one.
        plans: Folder for what the engine's compiler makes of models.
        app: Whether all models run in the engine in an app.

    Raises:
        BenchmarkError: if a file is not there.
    """

    downloads: Downloads
    lce: Path | None = None
    lce_sha256: str = ""
    rival: Path | None = None
    runner: Runner | None = None
    plans: Path = CACHE / "plans"
    app: bool = False

    def __post_init__(self):
        for file in filter(None, (self.lce, self.rival)):
            if not file.is_file():
                raise BenchmarkError(f"{file}: no such file; --tool and --rival-tool name programs")

    def models(
        self, request: Request, target: Target, progress: Callable[[str], None] = lambda text: None
    ) -> list[Model]:
        """The model with the tool for it on this device; with both tools, if both are wanted.

        The user's choice counts most: that for the model, then that for all. Without one, the engine runs what it can.
        Models without LCE's operators go to the rival tool if there is one: so each is measured by what would run it in
        an app.

        Args:
            request: The model that the user asks for.
            target: The device.
            progress: Takes a line where the engine was not asked for by name, and cannot run it.

        Raises:
            UserError: if no tool that is wanted can run it.
        """
        if self.app:
            return [self._in_app(request, target)]
        wanted = self._wanted(request)
        engine = None
        if wanted in (Runner.BNEXT, Runner.BOTH, None):
            try:
                engine = self._in_engine(request, target)
            except UserError as error:
                if wanted is Runner.BNEXT or (request.int4 and wanted is None):
                    raise _named(error, request.path) from error
                # What the file is to be run with is being done.
                why = error.what if isinstance(error, ConversionError) else error
                progress(f"{request.path.name}: runs in LCE alone ({why})")
        if engine is not None and wanted is not Runner.BOTH:
            return [engine]
        tool = self._tool(request, target)
        other = Model(request.path, request.record, tool, request.path, request.lce)
        return [other] if engine is None else [engine, other]

    def _wanted(self, request: Request) -> Runner | None:
        if request.tool:
            return Runner.BNEXT if request.tool == "bnext" else Runner.LCE
        if self.runner is None and (self.lce or self.lce_sha256 or (self.rival and not request.lce)):
            return Runner.LCE
        return self.runner

    def _in_engine(self, request: Request, target: Target) -> Model:
        plan = write_plan(request.path, self.plans)
        program_for(target)  # Fails now rather than when other models have been measured.
        return Model(request.path, request.record, Engine(), plan)

    def _in_app(self, request: Request, target: Target) -> Model:
        if target.kind is not Kind.ADB:
            raise DeviceError("runs no apps", where=target.name, remedy="--app is for phones, --device adb")
        return Model(request.path, request.record, App(), write_app(request.path, request.record))

    def _tool(self, request: Request, target: Target) -> Tool:
        if request.tool == "tflite" or (not request.tool and not request.lce and self.rival):
            if self.rival is None:
                raise BenchmarkError(f"{request.path}@tflite: give TensorFlow Lite's benchmark_model with --rival-tool")
            if request.lce:
                raise BenchmarkError(f"{request.path}@tflite: has operators of LCE's, which benchmark_model lacks")
            return TfliteTool(self.rival)
        if request.int4:
            raise BenchmarkError(f"{request.path}: {INT4_REASON}; measure it there, {request.path.name}@bnext")
        if target.kind is Kind.HOST and not (self.lce and fits(self.lce, target)):
            return HostInterpreter()
        return LceTool(self.downloads, self.lce, self.lce_sha256)


def _named(error: UserError, path: Path) -> UserError:
    """An error that names the file if it is the file's, and not that of a compiler or a device."""
    if not isinstance(error, ConversionError) or error.where:
        return error
    return type(error)(error.what, where=str(path), remedy=error.remedy)


def find_model(text: str, top1: Mapping[str, float]) -> Request:
    """Reads a model's argument, ``FILE`` or ``FILE@TOOL``, and looks into the file.

    Args:
        text: The argument.
        top1: Accuracies in percent by file name.

    Raises:
        BenchmarkError: if there is no such file, or it is no whole ``.tflite`` file.
    """
    stem, _, suffix = text.rpartition("@")
    path, tool = (Path(stem), suffix) if suffix in SUFFIXES and stem else (Path(text), "")
    lce = any(name.startswith("Lce") for name in custom_operators(path))
    return Request(path, describe_file(path, top1.get(path.name)), lce, tool, has_int4(path))
