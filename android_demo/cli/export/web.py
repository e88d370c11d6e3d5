"""``bnext-export web``: a page for browsers."""

from bnext_keras.cli._tool import complain, normalization, run, tool_parser
from bnext_keras.files import check_outputs, write_atomically
from bnext_keras.text import format_bytes, printable

from android_demo.cli.export import TOOL
from android_demo.cli.export._network import add_network_arguments, check_model, output_file

DESCRIPTION = """\
Make a web page that classifies pictures with a converted network: from files, the camera
or the clipboard, with the five most probable classes, the time of each picture and of each
kind of operator. It is one HTML file with the network and the engine in it. It opens from
a disk, without a connection, and sends nothing anywhere: its policy forbids all requests.

Pictures are resized, cropped and normalized as bnext-predict does it. Names of classes and
the normalization are those that the model's file has in itself."""

EPILOG = """\
examples:
  bnext-export web model.tflite                         writes model.html beside it
  bnext-export web model.tflite -o page/                writes page/index.html, for a web server
  bnext-export web model.tflite --title "Which bird?" --labels birds.txt

A live camera needs a page from https:// or from this machine; files and photos do not.
On several threads it runs where its server sends two headers, see docs/export.md.

exit status:
  0  the page has been written
  2  the model or the command cannot be used; one line says why; nothing is written"""


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    return run(TOOL, _web, _parser().parse_args(argv))


def _web(arguments):
    model, labels = arguments.model_file, arguments.labels
    check_model(model)
    output = output_file(arguments.output, model.with_suffix(".html"), in_folder="index.html", endings=[".htm"])
    check_outputs([output], [model, *([labels] if labels else [])])
    stated = normalization(arguments)
    from android_demo.export.model import read_model
    from android_demo.export.web import render

    found = read_model(model, labels=labels, normalization=stated, name=arguments.title)
    content = render(found).encode()
    write_atomically(output, content)
    print(printable(f"{output}: {format_bytes(len(content))}; open it in a browser, it needs nothing else"))
    if found.assumed:
        complain(TOOL, found.assumed)
    return 0


def _parser():
    parser = tool_parser(f"{TOOL} web", DESCRIPTION, EPILOG)
    add_network_arguments(
        parser,
        output="an .html file, or a folder for index.html (default: beside the model)",
        title="the page's heading (default: the model's name)",
    )
    return parser
