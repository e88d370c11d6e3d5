"""Pages about results, each an HTML file that loads nothing, with its charts drawn as SVG.

``page``             the page about one file of results, with figures from ``sections``
``comparison_page``  the page about two, with figures from ``comparison``
``board``            the page about many: one table
``document``         the frame of all, and Jinja
``charts``           where things stand in the drawings
``templates``        HTML, drawings and style
``table``            what the terminal shows

>>> from android_demo.results import Results
>>> "without measurements" in render(Results())
True
"""

from android_demo.report.comparison_page import render_comparison
from android_demo.report.page import render

__all__ = ["render", "render_comparison"]
