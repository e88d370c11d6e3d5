"""Tables of all pages, in a browser: sorted by a click, and saved as CSV."""

from urllib.parse import unquote

from bnext_keras.charts.templates import SHARED

import browser as browsers
import pytest

PAGE = """<!DOCTYPE html><meta charset="utf-8"><div class="scroll"><table class="sortable" id="nets">
<thead><tr><th>network</th><th class="n">size<small>MiB</small></th></tr></thead>
<tbody><tr><td> a, "b" </td><td class="n" data-sort="2.5">2.5 MiB</td></tr>
<tr><td>=SUM(A1)</td><td class="n" data-sort="10">10 MiB</td></tr>
<tr><td>größer</td><td class="n" data-sort="-1"></td></tr></tbody></table></div><script>{}</script>"""


@pytest.mark.skipif(browsers.find() is None, reason="Chromium is not installed")
def test_a_table_is_saved_as_it_is_sorted(tmp_path):
    (tmp_path / "page.html").write_text(PAGE.format((SHARED / "sortable.js").read_text()))
    with browsers.Browser() as browser:
        tab = browser.open((tmp_path / "page.html").as_uri())
        tab.evaluate("document.querySelectorAll('th')[1].click()")
        tab.evaluate("document.querySelector('a').addEventListener('click', (event) => event.preventDefault())")
        name, link = tab.evaluate(
            "(() => { const a = document.querySelector('.scroll + a'); a.click(); return [a.download, a.href]; })()"
        )
    assert name == "nets.csv"
    assert unquote(link.removeprefix("data:text/csv;charset=utf-8,")).split("\r\n") == [
        "network,size MiB",
        "'=SUM(A1),10",
        '"a, ""b""",2.5',
        "größer,-1",
        "",
    ]
