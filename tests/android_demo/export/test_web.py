"""The page in a real browser: its answers are the engine's, and it does what it says to whoever uses it."""

from dataclasses import replace

from bnext_keras.preprocessing import load_image

import numpy as np
import pytest
from pictures import fitted, noise, packed, seen
from PIL import Image

from android_demo.export.web import render
from converter.predict.classifier import to_probabilities


def smooth(width, height):
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray((255 * np.stack([x, y, 1 - x * y], axis=-1)).astype(np.uint8))


@pytest.mark.parametrize("size", [(300, 200), (64, 301), (20, 31), (48, 32), (1, 1), (1000, 3)], ids=str)
def test_the_network_sees_what_pillow_makes_of_a_picture(page, colour, size):
    image = noise(*size)
    outputs, pixels, _ = seen(page, packed(image))
    np.testing.assert_array_equal(pixels, fitted(image, 32, 48))
    np.testing.assert_allclose(outputs, colour.answer(pixels), rtol=1e-4, atol=1e-4 * np.abs(outputs).max())


def test_a_network_of_large_pictures_sees_their_centre(open_page, large):
    image = noise(200, 150)
    _, pixels, _ = seen(open_page(large.page), packed(image))
    np.testing.assert_array_equal(pixels[..., 0], fitted(image.convert("L"), 65, 72))


def test_a_photo_is_answered_as_bnext_predict_does(page, colour, tmp_path):
    """Turned upright as the camera noted; a JPEG's own rounding is the browser's."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = packed(smooth(640, 480), "JPEG", exif=exif)
    (tmp_path / "photo.jpg").write_bytes(content)
    scale = {"mean": colour.model.normalization.mean, "std": colour.model.normalization.std}
    image = load_image(tmp_path / "photo.jpg", (32, 48), upright=True, **scale)
    expected = to_probabilities(colour.engine.run([image[np.newaxis]])[0][0])
    _, _, best = seen(page, content)
    assert [entry["index"] for entry in best] == list((-expected).argsort(kind="stable")[:5])
    np.testing.assert_allclose([entry["share"] for entry in best], np.sort(expected)[:-6:-1], atol=0.01)


def test_a_grey_network_that_wants_its_pictures_turned(open_page, grey, tmp_path):
    turned = tmp_path / "turned.html"
    turned.write_text(render(replace(grey.model, turned=True)))
    image = noise(40, 30)
    expected = fitted(image.convert("L"), 12, 9)
    for file, upside in ((grey.page, expected), (turned, expected[::-1, ::-1])):
        outputs, pixels, _ = seen(open_page(file), packed(image))
        np.testing.assert_array_equal(pixels[..., 0], expected)
        np.testing.assert_allclose(outputs, grey.answer(upside[..., np.newaxis]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("module", ["simd", "baseline"])
def test_every_module_answers_the_same(open_page, page, colour, module, tmp_path):
    text = colour.page.read_text()
    (tmp_path / "page.html").write_text(text.replace('"modules": ["relaxed", ', f'"modules": ["{module}", '))
    tab = open_page(tmp_path / "page.html")
    content = packed(noise(60, 50))
    best, other = seen(page, content)[0], seen(tab, content)[0]
    np.testing.assert_allclose(other, best, rtol=1e-4, atol=1e-4 * np.abs(best).max())
    words = {"simd": "vectors of 128 bits", "baseline": "without vectors"}
    assert tab.text("#ready") == f"Ready: WebAssembly, {words[module]}, one thread."


def test_the_keyboard_alone_will_do(open_page, colour, tmp_path):
    tab = open_page(colour.page)
    tab.call("Page.setInterceptFileChooserDialog", enabled=True)
    (tmp_path / "one.png").write_bytes(packed(smooth(50, 40)))
    tab.tab_to("#files")
    tab.press("Enter")
    tab.wait_for("true")
    (asked,) = tab.events("Page.fileChooserOpened")
    tab.call("DOM.setFileInputFiles", backendNodeId=asked["backendNodeId"], files=[str(tmp_path / "one.png")])
    announced = tab.wait_for("document.getElementById('announcement').textContent")
    assert announced.startswith("one.png: ")
    first = tab.text("li:first-child .name")
    assert first in announced
    assert len(tab.evaluate("[...document.querySelectorAll('article li')].map(e => e.innerText)")) == 5
    tab.tab_to("#measure")
    tab.press("Enter")
    tab.wait_for("!document.getElementById('times').hidden")
    assert tab.evaluate("document.activeElement.id") == "measure"
    assert "binary convolutions" in tab.text("#kinds")
    assert "for an image, the mean of" in tab.text("#announcement")


def test_screen_readers_are_told_what_there_is(open_page, colour, tmp_path):
    tab = open_page(colour.page)
    (tmp_path / "one.png").write_bytes(packed(smooth(50, 40)))
    tab.choose_files("#files", [tmp_path / "one.png"])
    tab.wait_for("document.querySelector('article') !== null")
    tab.call("Accessibility.enable")
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    found = {(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes if not node["ignored"]}
    assert {
        ("heading", "fish"),
        ("button", "Choose pictures"),
        ("button", "Start camera"),
        ("button", "Measure for two seconds"),
        ("image", "one.png, as the network sees it: 48 by 32 pixels"),
    } <= found


def test_what_is_no_picture_is_named_and_the_others_are_answered(open_page, colour, tmp_path):
    tab = open_page(colour.page)
    whole = packed(noise(50, 40))
    for name, content in (("a.png", whole), ("cut.png", whole[:200]), ("text.jpg", b"text"), ("z.png", whole)):
        (tmp_path / name).write_bytes(content)
    tab.choose_files("#files", sorted(tmp_path.glob("*.*g")))
    announced = tab.wait_for("document.getElementById('announcement').textContent")
    assert announced.startswith("2 pictures. z.png: ")
    assert tab.text("#error") == "cut.png: cannot be read as an image; text.jpg: cannot be read as an image"
    assert tab.evaluate("[...document.querySelectorAll('h3')].map(e => e.textContent)") == ["z.png", "a.png"]
    tab.choose_files("#files", [tmp_path / "a.png"])
    tab.wait_for("document.getElementById('error').hidden")


def test_the_camera_is_answered_until_it_is_stopped(open_page, colour):
    tab = open_page(colour.page)
    tab.tab_to("#camera")
    tab.press("Enter")
    tab.wait_for("document.querySelectorAll('article li').length === 5")
    assert tab.text("#camera") == "Stop camera"
    assert tab.text("h3") == "Camera"
    tab.press("Enter")
    tab.wait_for("stream === null")
    assert tab.text("#camera") == "Start camera"
    assert tab.text("#error") == ""


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda page: page.replace('id="plan"', 'id="no"'), "not whole: its network is missing or cut off"),
        (lambda page: page[: page.index('id="plan">') + 10 + 4000], "not whole: its network is missing or cut off"),
        (lambda page: changed(page, 'id="plan">', 5000), "damaged: its network is not what was written"),
        (lambda page: page.replace("AGFzbQ", "AGFzcQ"), "This browser has no WebAssembly, or it is switched off."),
        (lambda page: changed(page, 'id="plan">', 800, "?"), "This page is damaged or cut off"),
    ],
    ids=["no plan", "cut off", "a changed byte", "no modules that the browser takes", "no base64"],
)
def test_a_page_that_is_not_whole_says_so(open_page, colour, damage, message, tmp_path):
    (tmp_path / "page.html").write_text(damage(colour.page.read_text()))
    tab = open_page(tmp_path / "page.html")
    assert message in tab.text("#error")
    assert tab.text("#ready") == ""
    assert tab.evaluate("document.getElementById('controls').hidden")


def changed(page, before, at, to=None):
    at += page.index(before) + len(before)
    return page[:at] + (to or ("A" if page[at] != "A" else "B")) + page[at + 1 :]


def test_nothing_is_requested_from_anywhere(open_page, colour, tmp_path):
    tab = open_page(colour.page)
    (tmp_path / "one.png").write_bytes(packed(smooth(50, 40)))
    tab.choose_files("#files", [tmp_path / "one.png"])
    tab.wait_for("document.querySelector('article') !== null")
    urls = {event["request"]["url"].split(":")[0] for event in tab.events("Network.requestWillBeSent")}
    assert urls <= {"file", "blob", "data"}
    assert tab.events("Log.entryAdded") == []
    assert tab.evaluate("fetch('data:,x').then(() => 'allowed', () => 'refused')") == "refused"
    assert (
        tab.evaluate(
            "new Promise(done => {const i = new Image(); i.onerror = () => done('refused'); i.onload = "
            "() => done('allowed'); i.src = 'blob:null/x'; })"
        )
        == "refused"
    )


def test_names_are_text(open_page, colour, tmp_path):
    tab = open_page(colour.page)
    assert tab.evaluate("about.labels[2]") == "<b>shark</b>"
    tab.evaluate(
        "add(((c) => (c.fill({pixels: new Uint8ClampedArray(4), width: 1, height: 1, best: [{index: 2, share: 1}], "
        "fitting: 0, running: 0}), c))(card('<i>x</i>')))"
    )
    assert tab.text("article li .name") == "<b>shark</b>"
    assert tab.evaluate("document.querySelectorAll('article b, article i').length") == 0


def test_two_hundred_pictures_take_the_memory_of_one(page):
    """0.8 MB each as they come, 1.2 MB as pixels."""
    program = """(async (count) => {
      const canvas = Object.assign(document.createElement("canvas"), {width: 640, height: 480});
      const blob = await new Promise((done) => canvas.toBlob(done));
      for (let i = 0; i < count; i++) await classifyFiles([new File([blob], `${i}.png`)]);
      gc();
      const {memory} = await ask("measure", {seconds: 0});
      return {memory, heap: performance.memory.usedJSHeapSize, cards: document.querySelectorAll("article").length};
    })"""
    before = page.evaluate(f"{program}(20)")
    after = page.evaluate(f"{program}(200)")
    assert after["memory"] == before["memory"]
    assert after["heap"] < before["heap"] + 5e6
    assert before["cards"] == after["cards"] == 12


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_narrow_screen(open_page, colour, tmp_path, dark):
    tab = open_page(colour.page, width=360, height=720, dark=dark, touch=True)
    (tmp_path / f"{'long-name' * 20}.png").write_bytes(packed(smooth(50, 40)))
    tab.choose_files("#files", tmp_path.glob("*.png"))
    tab.wait_for("document.querySelector('article') !== null")
    showSteps = "{runs: 3, steps: [{kind: 'BinaryConv', name: 'a/very/long/name'.repeat(9), milliseconds: 1}]}"
    tab.evaluate(f"showSteps({showSteps})")
    tab.evaluate("document.querySelector('details').open = true")
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    assert not tab.evaluate("document.getElementById('photo-label').hidden")
    background, ink = tab.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (background, ink) == (
        ("rgb(20, 23, 26)", "rgb(230, 233, 236)") if dark else ("rgb(255, 255, 255)", "rgb(28, 32, 36)")
    )
