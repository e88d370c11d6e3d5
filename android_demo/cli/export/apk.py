"""``bnext-export apk``: an Android app."""

from pathlib import Path

from bnext_keras.cli._tool import complain, normalization, positive, run, tool_parser
from bnext_keras.files import check_exists, check_outputs, write_atomically
from bnext_keras.text import format_bytes, printable

from android_demo.cli.export import TOOL
from android_demo.cli.export._network import add_network_arguments, check_model, output_file

DESCRIPTION = """\
Make an Android app that classifies pictures with a converted network, from the gallery,
photos or the live camera, and measures the phone: time for an image by number of threads,
and as a curve over minutes. It has no permission for the network: nothing leaves the phone.

Neither Google's SDK nor its NDK is needed, but these packages of Debian:
  apt install aapt android-framework-res apksigner libsmali-java"""

EPILOG = """\
examples:
  bnext-export apk model.tflite                 writes model.apk beside it
  bnext-export apk model.tflite --title "Which bird?" --labels birds.txt
  BNEXT_KEYSTORE_PASSWORD=... bnext-export apk model.tflite --keystore my.p12 --version-code 2

adb install model.apk brings it to a phone with Android 8 or later. Phones take another
version of an app only if the same key has signed it; without --keystore a new one does,
each time.

exit status:
  0  the app has been written
  2  the model, the command or a tool cannot be used; one line says why; nothing is written"""


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    return run(TOOL, _apk, _parser().parse_args(argv))


def _apk(arguments):
    model, labels, store = arguments.model_file, arguments.labels, arguments.keystore
    check_model(model)
    if store:
        check_exists(store)
    output = output_file(arguments.output, model.with_suffix(".apk"))
    check_outputs([output], [model, *filter(None, (labels, store))])
    stated = normalization(arguments)
    from android_demo.export.apk import Key, render, sign
    from android_demo.export.apk.package import check_id
    from android_demo.export.apk.signature import check_key
    from android_demo.export.model import read_model
    from android_demo.results import describe_file

    key = Key(store, arguments.key_alias) if store else None
    check_key(key)
    if arguments.id:
        check_id(arguments.id)
    found = read_model(model, labels=labels, normalization=stated, name=arguments.title)
    app = render(found, describe_file(model), id=arguments.id, version_code=arguments.version_code)
    content = sign(app, key)
    write_atomically(output, content)
    print(printable(f"{output}: {format_bytes(len(content))}; adb install brings it to a phone"))
    if found.assumed:
        complain(TOOL, found.assumed)
    if key is None:
        complain(
            TOOL, "signed with a key for once: a phone takes no later version over it; --keystore has a lasting one"
        )
    return 0


def _parser():
    parser = tool_parser(f"{TOOL} apk", DESCRIPTION, EPILOG)
    add_network_arguments(
        parser,
        output="an .apk file, or a folder for one (default: beside the model)",
        title="the app's name (default: the model's)",
    )
    group = parser.add_argument_group("the app")
    add = group.add_argument
    add("--id", default="", metavar="ID", help="what Android knows it by (default: bnext.app. and the file's name)")
    text = "which version it is: a phone takes none below its own (default 1)"
    add("--version-code", type=positive, default=1, metavar="N", help=text)
    text = "a key store of your own, PKCS12 or JKS; its password is in $BNEXT_KEYSTORE_PASSWORD"
    add("--keystore", type=Path, metavar="FILE", help=text)
    add("--key-alias", default="", metavar="NAME", help="the key's name in it, if it holds several")
    return parser
