"""A web page as a test wants to see it."""

from html.parser import HTMLParser

#: Elements of HTML that are never closed, and those of SVG that may close themselves.
VOID = {"meta", "input", "br"}
SHAPES = {"circle", "line", "path", "polygon", "polyline", "rect"}


class Page(HTMLParser):
    """Checks that elements are closed, and in order, and collects what a test wants to know.

    Attributes:
        tags: Names of all elements.
        attributes: Names and values of all attributes.
        texts: Texts, style sheets left out.
        text: All of them, with one space for each run of white space.
    """

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.attributes, self._open = [], [], [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self._add(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID | SHAPES, self.getpos()
        self._add(tag, attrs)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.texts.append(data)

    def _add(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())
