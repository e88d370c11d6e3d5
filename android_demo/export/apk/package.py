"""Puts an app together: manifest, code, the page, the network, and the engine's program for each kind of CPU."""

import re
import tempfile
import zipfile
from pathlib import Path

from bnext_keras._version import __version__
from bnext_keras.charts.templates import environment
from bnext_keras.errors import UserError

from android_demo.export.archive import pack
from android_demo.export.model import ExportedModel
from android_demo.export.tools import ABIS, ToolError, call, find
from android_demo.export.web import render as render_page
from android_demo.records import encode
from android_demo.results import SCHEMA_VERSION, ModelFile
from android_demo.runner.build import kept, program

_FOLDER = Path(__file__).parent
#: What the system offers to apps, which the manifest is compiled against.
_FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
#: The assembler, and what it needs.
_JARS = Path("/usr/share/java")
_ASSEMBLER = ("smali", "smali-util", "dexlib2", "guava", "jcommander", "antlr3-runtime")
#: Android 8, the first that unpacks a file in one call. As in ``AndroidManifest.xml``.
_LEAST_API = 26
_ID = r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+"


class AppError(UserError, ValueError):
    """What an app shall be called, or how it shall be signed, cannot be."""


def render(model: ExportedModel, file: ModelFile, *, id: str = "", version_code: int = 1) -> bytes:
    """The app without a signature, an ``.apk`` file. It is the same for the same model, version and tools.

    Args:
        model: The network; its name is the app's.
        file: The file that it is from, for the benchmark's results.
        id: What Android tells apps apart by, such as ``org.example.birds``; by default of the model's name.
        version_code: Which of two files of one app is newer.

    Raises:
        AppError: for an id that Android does not take.
        ToolError: if a program is not installed.
        BuildError: if the engine has yet to be compiled and there is no compiler.
    """
    facts = {"version": __version__, "schema_version": SCHEMA_VERSION, "model": encode(file)}
    code, binary = _code(), _manifest(model.name, check_id(id or default_id(file.name)), version_code)
    page = render_page(model, more=_FOLDER / "assets", facts=facts)
    files = {**binary, "classes.dex": code.read_bytes(), "assets/index.html": page.encode(), "assets/plan": model.plan}
    for abi, machine in ABIS.items():
        files[f"lib/{abi}/libbnext_runner.so"] = program(machine, android=True).read_bytes()
    # Phones map the table of resources where it lies.
    return pack(files, stored=["resources.arsc"])


def default_id(name: str) -> str:
    """An id of a file's name.

    Example:
        >>> default_id("BNext-T (v2).tflite")
        'bnext.app.bnext_t_v2'
        >>> default_id("18.tflite")
        'bnext.app.model_18'
    """
    word = re.sub(r"[^a-z0-9]+", "_", Path(name).stem.lower()).strip("_") or "model"
    return f"bnext.app.{word}" if word[0].isalpha() else f"bnext.app.model_{word}"


def check_id(id: str) -> str:
    """An id that Android takes.

    Raises:
        AppError: if it does not.
    """
    if not re.fullmatch(_ID, id):
        remedy = "words of letters, digits and _ with points between them are, org.example.birds say"
        raise AppError(f"{id!r} is no app's id", where="--id", remedy=remedy)
    return id


def _code():
    """The activity, assembled now if it is not in the cache."""
    java = find("java", "default-jre-headless")
    jars = [_JARS / f"{name}.jar" for name in _ASSEMBLER]
    if not all(jar.exists() for jar in jars):
        raise ToolError("smali is not installed", remedy="apt install libsmali-java")
    folder = _FOLDER / "smali"
    content = b"".join(path.read_bytes() for path in sorted(folder.rglob("*.smali")))
    command = [java, "-cp", ":".join(map(str, jars)), "org.jf.smali.Main", "assemble", "--api", str(_LEAST_API)]

    def assemble(dex: Path) -> None:
        call([*command, "-o", dex, folder])

    return kept("classes.dex", repr(command).encode() + content, assemble)


def _manifest(title, id, version_code):
    """The manifest and the resources, as Android reads them."""
    aapt2 = find("aapt2", "aapt")
    if not _FRAMEWORK.exists():
        raise ToolError("Android's framework resources are not installed", remedy="apt install android-framework-res")
    text = environment(_FOLDER).get_template("AndroidManifest.xml")
    values = {"title": _escaped(title), "id": id, "version_code": version_code, "version": __version__}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "AndroidManifest.xml").write_text(text.render(values), encoding="utf-8")
        call([aapt2, "compile", "--dir", _FOLDER / "res", "-o", folder / "res.zip"])
        command = [aapt2, "link", "-o", folder / "base.apk", "-I", _FRAMEWORK]
        call([*command, "--manifest", folder / "AndroidManifest.xml", folder / "res.zip"])
        with zipfile.ZipFile(folder / "base.apk") as base:
            return {entry: base.read(entry) for entry in sorted(base.namelist())}


def _escaped(text):
    """A text as a value in a manifest, where a backslash is an escape, and @ and ? begin the name of another."""
    text = text.replace("\\", "\\\\")
    return "\\" + text if text.startswith(("@", "?")) else text
