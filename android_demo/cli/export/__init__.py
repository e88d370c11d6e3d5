"""``bnext-export``: applications of a converted network, a file for each kind."""

from bnext_keras.cli._tool import dispatch, tool_parser

TOOL = "bnext-export"

DESCRIPTION = """\
Make something of a converted network for people who have no TensorFlow: a page or an
Android app that classifies pictures, a library for other apps, or a Python package. It runs in
this project's engine, which is in it."""

EPILOG = """\
kinds:
  web    a page for browsers, one file that needs no server and no network
  apk    an Android app: this page, and a benchmark of the phone
  aar    a library for Android apps, with an Interpreter for Java and Kotlin
  wheel  a Python package with the engine alone, for a Raspberry Pi or a server

examples:
  bnext-export web model.tflite -o page/
  bnext-export apk model.tflite
  bnext-export aar model.tflite
  bnext-export wheel --arch aarch64 -o dist/

bnext-export KIND --help tells the options of a kind."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    from android_demo.cli.export import aar, apk, web, wheel

    kinds = {"web": web.main, "apk": apk.main, "aar": aar.main, "wheel": wheel.main}
    return dispatch({"": lambda rest: _no_kind(rest, list(kinds)), **kinds}, argv)


def _no_kind(argv, kinds):
    """What answers a command line that does not begin with a kind: ``--help`` and ``--version``, or an error."""
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG)
    parser.add_argument("kind", nargs="?", metavar="KIND", choices=kinds, help=f"what to make: {', '.join(kinds)}")
    parser.parse_args(argv)
    parser.error(f"begin with what to make: {', '.join(kinds)}")
