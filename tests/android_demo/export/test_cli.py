"""``bnext-export``: what it writes, and what it refuses."""

import shutil
import subprocess
import sys

import pytest

from android_demo.cli.export import main
from android_demo.export.model import read_model
from converter.tflite import flatbuffer


@pytest.fixture
def refused(refused_by):
    return refused_by(main)


def test_a_page_stands_beside_the_model_or_in_a_folder(colour, tmp_path, capsys):
    file = shutil.copy(colour.file, tmp_path)
    assert main(["web", str(file)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{tmp_path}/fish.html: ")
    assert out.endswith("open it in a browser, it needs nothing else\n")
    assert err == ""
    assert main(["web", str(file), "-o", str(tmp_path / "new" / "page")]) == 0
    page = (tmp_path / "new" / "page" / "index.html").read_text()
    # The same every time.
    assert page == (tmp_path / "fish.html").read_text() == colour.page.read_text()


def test_what_a_file_does_not_say_can_be_said_and_is_told_otherwise(grey, tmp_path, capsys):
    output = tmp_path / "x.html"
    assert main(["web", str(grey.file), "-o", str(output)]) == 0
    err = capsys.readouterr().err
    assert "does not say how its images are normalized" in err
    assert "3 classes are shown by number; name them with --labels FILE" in err
    (tmp_path / "names.txt").write_text("cat\ndog\n</script>\n")
    options = ["--labels", str(tmp_path / "names.txt"), "--scale", "255", "--title", "Cat & dog"]
    assert main(["web", str(grey.file), "-o", str(output), *options]) == 0
    assert capsys.readouterr().err == ""
    page = output.read_text()
    assert "<h1>Cat &amp; dog</h1>" in page
    assert r'["cat", "dog", "\u003c/script\u003e"]' in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}/missing.tflite"], "missing.tflite: no such file or folder"),
        (["{tmp}/model.h5"], "model.h5: is no .tflite file; bnext-convert {tmp}/model.h5 makes one"),
        (["{tmp}/broken.tflite"], "broken.tflite: not a .tflite file"),
        (["{tmp}/grey.tflite", "--labels", "{tmp}/two.txt"], "two.txt: has 2 labels, but the model has 3 classes"),
        (["{tmp}/fish.tflite", "--mean", "1,2"], "--mean, --std, --scale: mean and std have 2 numbers, but images 3"),
        (["{tmp}/grey.tflite", "-o", "{tmp}/two.txt"], "no folder"),
        (["{tmp}/grey.tflite", "--labels", "{tmp}/two.html", "-o", "{tmp}/two.html"], "is an input, and would be"),
    ],
)
def test_what_cannot_be_is_refused(refused, colour, grey, tmp_path, arguments, message):
    for network in (colour, grey):
        shutil.copy(network.file, tmp_path)
    (tmp_path / "model.h5").write_bytes(b"")
    (tmp_path / "broken.tflite").write_bytes(b"broken")
    for name in ("two.txt", "two.html"):
        (tmp_path / name).write_text("a\nb\n")
    assert message.format(tmp=tmp_path) in refused("web", *(text.format(tmp=tmp_path) for text in arguments))


@pytest.mark.parametrize("arguments", [[], ["model.tflite"], ["ipa", "model.tflite"]])
def test_a_line_without_a_kind_lists_them(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "web" in capsys.readouterr().err


def test_help_answers_without_tensorflow():
    program = "import sys; from android_demo.cli.export import main\n"
    program += "try: main(sys.argv[1:])\nfinally: print('tensorflow' in sys.modules)"
    for arguments in (["--help"], ["web", "--help"]):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
        assert done.stdout.endswith("False\n")
        assert "bnext-export web model.tflite" in done.stdout


def test_a_model_is_parsed_once(colour, monkeypatch):
    parsed, parse = [], flatbuffer.parse
    monkeypatch.setattr(flatbuffer, "parse", lambda content: parsed.append(content) or parse(content))
    assert read_model(colour.file).name == "fish"
    assert parsed == [colour.file.read_bytes()]
