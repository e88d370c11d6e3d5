"""Which tool runs which model on which device."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bnext_keras.errors import BenchmarkError

from android_demo.results import Kind, ModelFile, describe_file
from android_demo.targets import Target
from android_demo.tools.downloads import Downloads
from android_demo.tools.model_file import custom_operators
from android_demo.tools.programs import HostInterpreter, LceTool, TfliteTool, Tool, fits

#: What may stand behind a model's file, after an @.
SUFFIXES = ("lce", "tflite")


@dataclass(frozen=True)
class Model:
    """A file to measure, the tool for it, and whether it has operators of LCE's."""

    path: Path
    record: ModelFile
    tool: Tool
    lce: bool = False


@dataclass(frozen=True)
class Request:
    """A model that the user asks for.

    Attributes:
        path: Its file.
        record: The file as results describe it.
        lce: Whether it has operators of LCE's.
        tool: ``lce`` or ``tflite`` if the user chose one, or else empty.
    """

    path: Path
    record: ModelFile
    lce: bool
    tool: str = ""


@dataclass(frozen=True)
class Tools:
    """The tools that the user has.

    Attributes:
        downloads: Where LCE's release files are kept.
        lce: File of ``lce_benchmark_model``; None for the one of LCE's release.
        lce_sha256: Digest that it must have; empty for any.
        rival: File of TensorFlow Lite's ``benchmark_model``, if there is one.

    Raises:
        BenchmarkError: if a file is not there.
    """

    downloads: Downloads
    lce: Path | None = None
    lce_sha256: str = ""
    rival: Path | None = None

    def __post_init__(self):
        for file in filter(None, (self.lce, self.rival)):
            if not file.is_file():
                raise BenchmarkError(f"{file}: no such file; --tool and --rival-tool name programs")

    def model(self, request: Request, target: Target) -> Model:
        """The model with the tool for it on this device.

        The user's choice counts most. Without one, models with LCE's operators go to LCE's tool, and others to the
        rival tool if there is one: so each is measured by what would run it in an app.
        """
        return Model(request.path, request.record, self._tool(request, target), request.lce)

    def _tool(self, request: Request, target: Target) -> Tool:
        if request.tool == "tflite" or (not request.tool and not request.lce and self.rival):
            if self.rival is None:
                raise BenchmarkError(f"{request.path}@tflite: give TensorFlow Lite's benchmark_model with --rival-tool")
            if request.lce:
                raise BenchmarkError(f"{request.path}@tflite: has operators of LCE's, which benchmark_model lacks")
            return TfliteTool(self.rival)
        if target.kind is Kind.HOST and not (self.lce and fits(self.lce, target)):
            return HostInterpreter()
        return LceTool(self.downloads, self.lce, self.lce_sha256)


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
    return Request(path, describe_file(path, top1.get(path.name)), lce, tool)
