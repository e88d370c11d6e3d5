"""Puts an Android library together: classes, the engine for each kind of CPU, assets."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from android_demo.export.archive import pack
from android_demo.export.tools import ABIS, call, find
from android_demo.runner.build import jni_library, kept

JAVA = Path(__file__).parent / "java"
#: Java's virtual machines of 2014 run it, as Android's tools of any year do.
_RELEASE = "8"
_JAR_MANIFEST = b"Manifest-Version: 1.0\r\n\r\n"
#: Below 21 there is no 64-bit Android.
_MANIFEST = b"""\
<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="bnext.engine">
  <uses-sdk android:minSdkVersion="21"/>
</manifest>
"""
#: Native functions are found by their names.
_PROGUARD = b"""\
-keepclasseswithmembernames,includedescriptorclasses class bnext.engine.Native {
  native <methods>;
}
"""


def render(assets: Mapping[str, bytes]) -> bytes:
    """The library, an ``.aar`` file. It is the same for the same assets, version and compilers.

    Args:
        assets: Files for the application's assets, by name.

    Raises:
        ToolError: without a JDK.
        BuildError: if the engine has yet to be compiled and there is no compiler.
    """
    files = {
        "AndroidManifest.xml": _MANIFEST,
        "R.txt": b"",
        "classes.jar": classes().read_bytes(),
        "proguard.txt": _PROGUARD,
    }
    files |= {f"jni/{abi}/libbnext.so": jni_library(machine).read_bytes() for abi, machine in ABIS.items()}
    files |= {f"assets/{name}": content for name, content in assets.items()}
    return pack(files)


def sources() -> bytes:
    """The Java sources, as an archive that development environments show beside the library."""
    return pack({"META-INF/MANIFEST.MF": _JAR_MANIFEST, **_read(JAVA, ".java")})


def classes() -> Path:
    """The compiled classes, a ``.jar`` file: compiled now if they are not in the cache.

    Raises:
        ToolError: without a JDK.
    """
    compiler = find("javac", "default-jdk-headless")
    # Which JDK it is, is in the path that the link leads to.
    return kept("classes.jar", str(Path(compiler).resolve()).encode() + sources(), lambda jar: _compile(compiler, jar))


def _compile(compiler, jar):
    with tempfile.TemporaryDirectory() as folder:
        call([compiler, "--release", _RELEASE, "-Xlint:-options", "-g", "-d", folder, *sorted(JAVA.rglob("*.java"))])
        jar.write_bytes(pack({"META-INF/MANIFEST.MF": _JAR_MANIFEST, **_read(Path(folder), ".class")}))


def _read(folder, suffix):
    """All files with an ending below a folder: contents by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob(f"*{suffix}"))}
