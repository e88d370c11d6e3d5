"""The page on several threads, where a server isolates it: the same bits as on one, and one thread elsewhere."""

from urllib.parse import urlparse

import numpy as np
import pytest
from alike import with_more
from page_server import served
from pictures import noise, packed, seen

READY = "Ready: WebAssembly, relaxed vectors of 128 bits, {}."
PICTURE = packed(noise(60, 50))


@pytest.fixture(scope="module")
def site(colour):
    """The address of a server that isolates the page."""
    with served(colour.page.parent) as address:
        yield f"{address}/{colour.page.name}"


@pytest.mark.parametrize(
    ("cores", "threads"), with_more([(3, "3 threads")], [(2, "2 threads"), (1, "one thread"), (99, "16 threads")])
)
def test_answers_are_the_same_bits_on_any_number_of_threads(open_page, site, page, cores, threads):
    tab = open_page(site, cores=cores)
    assert tab.evaluate("crossOriginIsolated")
    assert tab.text("#ready") == READY.format(threads)
    expected = seen(page, PICTURE)[0]
    for _ in range(3):
        np.testing.assert_array_equal(seen(tab, PICTURE)[0], expected)
    tab.evaluate("ask('measure', {seconds: 0}).then(showSteps)")
    assert tab.text("#total").endswith(f" for an image, the mean of 3 runs on {threads}.")
    assert "binary convolutions" in tab.text("#kinds")


@pytest.mark.exhaustive
def test_plain_vectors_have_threads_too(open_page, colour, tmp_path):
    text = colour.page.read_text().replace('"threaded": ["relaxed-threads", ', '"threaded": [')
    (tmp_path / "page.html").write_text(text.replace('"modules": ["relaxed", ', '"modules": ['))
    with served(tmp_path) as address:
        tab = open_page(f"{address}/page.html", cores=2)
        assert tab.text("#ready") == "Ready: WebAssembly, vectors of 128 bits, 2 threads."
        alone = seen(open_page(tmp_path / "page.html"), PICTURE)[0]
        np.testing.assert_array_equal(seen(tab, PICTURE)[0], alone)


def test_nothing_but_the_page_is_requested_of_its_server(open_page, site):
    tab = open_page(site, cores=2)
    seen(tab, PICTURE)
    urls = [urlparse(event["request"]["url"]) for event in tab.events("Network.requestWillBeSent")]
    assert [url.path for url in urls if url.scheme == "http"] == ["/fish.html"]
    assert {url.scheme for url in urls} <= {"http", "blob", "data"}
    assert tab.events("Log.entryAdded") == []


@pytest.mark.parametrize("isolated", [False, True], ids=["without the headers", "without workers of workers"])
def test_one_thread_does_it_where_there_are_no_others(open_page, page, colour, isolated, tmp_path):
    text = colour.page.read_text()
    if isolated:
        text = text.replace('id="worker">', 'id="worker">self.Worker = undefined;')
    (tmp_path / "page.html").write_text(text)
    with served(tmp_path, *([] if isolated else [{}])) as address:
        tab = open_page(f"{address}/page.html", cores=4)
        assert tab.evaluate("crossOriginIsolated") is isolated
        assert tab.text("#ready") == READY.format("one thread")
        assert tab.text("#error") == ""
        np.testing.assert_array_equal(seen(tab, PICTURE)[0], seen(page, PICTURE)[0])


@pytest.mark.exhaustive
def test_a_damaged_page_says_so_on_several_threads(open_page, colour, tmp_path):
    text = colour.page.read_text()
    at = text.index('id="plan">') + 5010
    (tmp_path / "page.html").write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    with served(tmp_path) as address:
        tab = open_page(f"{address}/page.html", cores=2)
        assert "damaged: its network is not what was written" in tab.text("#error")


@pytest.mark.exhaustive
def test_many_pictures_take_the_memory_of_one_on_several_threads(open_page, site):
    tab = open_page(site, cores=2)
    program = """(async (count) => {
      const canvas = Object.assign(document.createElement("canvas"), {width: 640, height: 480});
      const blob = await new Promise((done) => canvas.toBlob(done));
      for (let i = 0; i < count; i++) await classifyFiles([new File([blob], `${i}.png`)]);
      return (await ask("measure", {seconds: 0})).memory;
    })"""
    assert tab.evaluate(f"{program}(2)") == tab.evaluate(f"{program}(60)")
