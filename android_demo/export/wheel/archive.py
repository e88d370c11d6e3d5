"""A wheel: a zip archive with the modules, the library, and what pip wants to know of them.

The same sources make the same bytes: dates are fixed, and files stand in the order of their names.

Reference:
    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import base64
import hashlib
from pathlib import Path

from bnext_keras._version import __version__
from bnext_keras.errors import UserError

from android_demo.export.archive import pack
from android_demo.export.wheel.platforms import Platform, compile_library
from android_demo.export.wheel.sources import PACKAGE, collect, versions

#: The lowest NumPy that it has been run with.
_NUMPY = "numpy>=1.24"
_PYTHON = ">=3.10"
_INFO = f"{PACKAGE}-{__version__}.dist-info"
_ROOT = Path(__file__).parents[3]

_METADATA = f"""\
Metadata-Version: 2.4
Name: bnext-runtime
Version: {__version__}
Summary: Runs binary neural networks that bnext-keras has converted, without TensorFlow
License-Expression: Apache-2.0
License-File: LICENSE
License-File: NOTICE
Requires-Python: {_PYTHON}
Requires-Dist: {_NUMPY}
Description-Content-Type: text/markdown

The inference engine of bnext-keras alone: runs converted `.tflite` files of binary neural networks. It needs NumPy, no
TensorFlow and no compiler.

```python
from bnext_runtime import Interpreter

Interpreter("model.tflite", num_threads=4).predict(images)
```
"""


def make_wheel(platform: Platform) -> tuple[str, bytes]:
    """The name of a wheel's file, and its content.

    Args:
        platform: What kind of machine it is for.

    Raises:
        BuildError: if the library cannot be compiled.
        UserError: if something that goes into it is not installed here.
    """
    files = collect()
    files[f"{PACKAGE}/android_demo/runner/{platform.library}"] = compile_library(platform).read_bytes()
    tags = "".join(f"Tag: py3-none-{tag}\n" for tag in platform.tag.split("."))
    about = f"Wheel-Version: 1.0\nGenerator: bnext-export {__version__}\nRoot-Is-Purelib: false\n{tags}"
    files |= {
        f"{_INFO}/METADATA": _METADATA.encode(),
        f"{_INFO}/WHEEL": about.encode(),
        f"{_INFO}/licenses/LICENSE": _license(),
        f"{_INFO}/licenses/NOTICE": _notice().encode(),
    }
    files[f"{_INFO}/RECORD"] = _record(files).encode()
    return f"{PACKAGE}-{__version__}-py3-none-{platform.tag}.whl", pack(files)


def _license():
    from importlib import metadata

    if (_ROOT / "pyproject.toml").is_file():  # a clone
        return (_ROOT / "LICENSE").read_bytes()
    found = [path for path in metadata.files("bnext-keras") or () if path.name == "LICENSE"]
    if not found:
        raise UserError("the licence of bnext-keras is not installed with it", remedy="install it anew")
    return found[0].read_binary()


def _notice():
    parts = "\n".join(f"  {name} {version}" for name, version in versions().items())
    return (
        "bnext-runtime has parts of other projects, unchanged but for the names of the modules that they import,\n"
        f"all under the Apache License 2.0:\n\n{parts}\n\n"
        "flatbuffers: Copyright Google Inc., https://github.com/google/flatbuffers\n"
        "tensorflow, its generated classes of .tflite files: Copyright The TensorFlow Authors,\n"
        "https://github.com/tensorflow/tensorflow\n"
    )


def _record(files):
    """Each file with its digest and size; the list itself has neither."""
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}\n")
    return "".join([*lines, f"{_INFO}/RECORD,,\n"])
