"""Binary networks compared: accuracy against operations, size and latency, as a picture and as a page.

Every point says where its two figures are from. What others published is drawn hollow; what was counted or measured
by this project is drawn solid, with the device; an accuracy that nobody read where it was published is marked ``~``.

On the command line: ``bnext-models compare``. From Python:

>>> from bnext_keras.comparison import as_svg, points_of_cards
>>> points = points_of_cards()
>>> next(point for point in points if point.network == "ReActNetA").text
'ReActNetA: 69.5% top-1 (liuzechun/ReActNet), 87.1 M OPs (counted here)'
>>> as_svg(points, axes=["ops"]).count("<svg")
1

Nothing here starts TensorFlow, but measuring does (`bnext_keras.comparison.measured`).
"""

from bnext_keras.comparison.page import as_page, as_svg
from bnext_keras.comparison.picture import as_png
from bnext_keras.comparison.points import AXES, Axis, Point, points_of_cards

__all__ = ["AXES", "Axis", "Point", "as_page", "as_png", "as_svg", "points_of_cards"]
