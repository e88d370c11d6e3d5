"""A page for browsers: one file of HTML with the network, the engine and all else in it.

``page``    puts it together; ``assets/`` has its parts
``assets``  ``page.js`` is what people see, ``worker.js`` runs the engine beside it

Why one file: a page that was opened from a disk may not read the files beside it, and what was sent to somebody, or put
on a phone, stays whole.
"""

from android_demo.export.web.page import render

__all__ = ["render"]
